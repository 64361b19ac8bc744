//! What a call can come to.

use crate::plugin::testing::{instance, texts, view};

#[tokio::test]
async fn a_filter_answers_with_its_bitmap() {
    let mut instance = instance("drop-short-names").await;
    let column = texts(["short", "tiny", "longer", "no", "x", "enough", "yes", "letters", "ninth"]);
    let bitmap = instance.filter(&view(&column)).await.unwrap();
    assert_eq!(bitmap, [0b1010_0101, 0b1]);
}
