//! What comes back from plugins that behave, and how answers are bounded.

use crate::data::column::{Attributes, Cells, Column, Decisions, Links, Value, View};
use crate::plugin::testing::{context, instance, stage, texts, view};
use crate::plugin::{Fault, Instance};

async fn of(guest: &'static str, behaviour: &str) -> Instance {
    stage(guest, context(behaviour)).unwrap().start().await.unwrap()
}

#[tokio::test]
async fn a_filter_answers_with_its_bitmap() {
    let mut instance = instance("drop-short-names").await;
    let column = texts(["short", "tiny", "longer", "no", "x", "enough", "yes", "letters", "ninth"]);
    let bitmap = instance.filter(&view(&column)).await.unwrap();
    assert_eq!(bitmap, [0b1010_0101, 0b1]);
}

#[tokio::test]
async fn a_sampler_answers_with_its_decisions() {
    let mut instance = of("samples", "").await;
    assert_eq!(instance.plan().reasons, ["every-second", "half"]);
    let column = texts(["a", "b", "c"]);
    let decisions = instance.sample(&view(&column)).await.unwrap();
    assert_eq!(decisions, Decisions { probabilities: vec![1.0, 0.5, 1.0], reasons: vec![0, 1, 0] });
}

#[tokio::test]
async fn a_transform_answers_with_its_edits() {
    let mut instance = of("edits", "").await;
    assert_eq!(instance.plan().writes, ["span.name", "span.attributes[*]"]);
    let column = texts(["a", "b"]);
    let edits = instance.transform(&view(&column)).await.unwrap();
    let [edit] = &edits[..] else { panic!("{edits:?}") };
    assert_eq!((edit.field, &edit.entries[..]), (0, &[0, 1][..]));
    assert_eq!(edit.values.value(1), Value::Text(b"renamed"));
}

#[tokio::test]
async fn a_batch_of_every_shape_arrives_whole() {
    // The guest reads its first column only; that the others are lowered right shows in the call not failing.
    let mut instance = instance("drop-short-names").await;
    let first = texts(["long enough", "not", "long too"]);
    let mut values = Cells::default();
    let key = values.keep(b"http.route");
    [Value::Int(-1), Value::Double(0.5), Value::Bool(true)].into_iter().for_each(|value| values.push(value));
    let all = Attributes { starts: vec![0, 1, 1, 3], keys: vec![key; 3], values };
    let view = View {
        rows: 3,
        live: &[0b011],
        links: Links { resource_of: &[0, 0, 1], scope_of: &[0, 1, 1], ..Links::default() },
        columns: std::iter::once(Column::Cells(&first)).chain([Column::Attributes(&all); 12]).collect(),
    };
    assert_eq!(instance.filter(&view).await.unwrap(), [0b101]);
}

#[tokio::test]
async fn an_empty_batch_is_a_batch() {
    let mut instance = instance("drop-short-names").await;
    assert_eq!(instance.filter(&view(&Cells::default())).await.unwrap(), [0_u8; 0]);
}

#[tokio::test]
async fn f71_a_huge_answer_is_capped_and_costs_the_instance() {
    let column = texts(["a"]);
    let mut filter = instance("huge").await;
    let fault = filter.filter(&view(&column)).await.unwrap_err();
    assert!(matches!(&fault, Fault::Answer(why) if why.contains("too much data")), "{fault}");
    assert!(filter.is_gone());

    let fault = of("samples", "huge").await.sample(&view(&column)).await.unwrap_err();
    assert_eq!(fault.kind(), "answer");
    let fault = of("edits", "huge").await.transform(&view(&column)).await.unwrap_err();
    assert_eq!(fault.kind(), "answer");
}

#[tokio::test]
async fn a_call_for_another_kind_is_no_call() {
    let column = texts(["a"]);
    let mut instance = instance("keep").await;
    assert!(matches!(instance.sample(&view(&column)).await, Err(Fault::Gone)));
}
