//! Poison records: those that alone make a plugin fault, wherever they are in a batch.

use std::path::Path;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::time::Instant;

use super::*;
use crate::dead_letter::{self, DeadLetter};

/// A step whose guest traps on a span called `poison`, and otherwise drops spans with names of less than five bytes.
fn drops_short_names(on_error: OnError, quarantine: Option<&Path>) -> StepSpec {
    let config = json!({ "behaviour": "drop-short-names" });
    let limits = dead_letter::Limits::default();
    let open = |path: &Path| DeadLetter::open(path, limits, &Metrics::default()).unwrap();
    StepSpec { quarantine: quarantine.map(open), ..patient("misbehaves", on_error, config) }
}

/// A step whose searches may take all the time that they need.
fn patient(guest: &'static str, on_error: OnError, config: Value) -> StepSpec {
    step_with(guest, on_error, config, |context| context.limits.search_time = Duration::from_secs(3_600))
}

/// Names of good spans, and where among them poison is put in: few, as a search sets so many apart.
fn names_with_poison() -> impl Strategy<Value = Vec<&'static str>> {
    let good = prop::collection::vec(prop::sample::select(vec!["a", "b", "long one", "long two", "third"]), 1..120);
    let poison = prop::collection::vec(any::<prop::sample::Index>(), 0..8);
    (good, poison).prop_map(|(mut names, places)| {
        places.iter().for_each(|place| names.insert(place.index(names.len() + 1), "poison"));
        names
    })
}

/// Tries a promise on many batches; the runtime is the test's own, since cases follow one another.
fn holds(check: impl Fn(Vec<&'static str>)) {
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&names_with_poison(), |names| {
            check(names);
            Ok(())
        })
        .unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn f79_a_filter_s_poison_passes_alone_and_the_rest_is_filtered() {
    let runtime = runtime();
    let rig = runtime.block_on(Rig::new(vec![drops_short_names(OnError::Pass, None)]));
    holds(|names| {
        let expected: Vec<&str> = names.iter().copied().filter(|name| name.len() >= 5).collect();
        assert_eq!(runtime.block_on(rig.names(&named(names))), expected);
    });
}

#[test]
fn f79_a_filter_s_poison_is_dropped_alone_and_counted_apart() {
    let runtime = runtime();
    let rig = runtime.block_on(Rig::new(vec![drops_short_names(OnError::Drop, None)]));
    holds(|names| {
        let is_poison = |name: &&str| *name == "poison";
        let expected: Vec<&str> = names.iter().copied().filter(|name| name.len() >= 5 && !is_poison(name)).collect();
        let short = names.iter().filter(|name| name.len() < 5).count() as u64;
        let poison = names.iter().copied().filter(is_poison).count() as u64;
        let outcome = runtime.block_on(rig.run(&named(names.iter().copied()))).unwrap();
        assert_eq!(spans_of(&outcome).iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), expected);
        let of = |reason| outcome.drops.iter().filter(|drops| drops.reason == reason).map(|drops| drops.records).sum();
        let (filtered, faulted): (u64, u64) = (of(DropReason::Filtered), of(DropReason::Fault));
        assert_eq!((outcome.received, filtered, faulted), (names.len() as u64, short, poison));
    });
}

#[test]
fn f79_poison_goes_to_the_dead_letter_file_and_only_poison() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("poison.jsonl");
    let runtime = runtime();
    // Rejecting says what becomes of what cannot be told apart: here everything can.
    let rig = runtime.block_on(Rig::new(vec![drops_short_names(OnError::Reject, Some(&path))]));
    let (mut quarantined, mut line_count) = (0, 0);
    let totals = std::cell::RefCell::new((&mut quarantined, &mut line_count));
    holds(|names| {
        let is_poison = |name: &&str| *name == "poison";
        let expected: Vec<&str> = names.iter().copied().filter(|name| name.len() >= 5 && !is_poison(name)).collect();
        let outcome = runtime.block_on(rig.run(&named(names.iter().copied()))).unwrap();
        assert_eq!(spans_of(&outcome).iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), expected);
        let lines: Vec<Value> =
            std::fs::read_to_string(&path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let poison = names.iter().copied().filter(is_poison).count();
        let mut totals = totals.borrow_mut();
        for line in &lines[*totals.1..] {
            assert_eq!(line["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"], "poison");
            assert_eq!(
                (&line["sluicebox"]["plugin"], &line["sluicebox"]["version"]),
                (&json!("misbehaves"), &json!("0.1.0"))
            );
            assert!(line["sluicebox"]["error"].as_str().unwrap().contains("the plugin trapped"));
        }
        *totals.0 += poison;
        *totals.1 = lines.len();
        assert_eq!(*totals.0, *totals.1);
        rig.chain.settle(&outcome);
        assert_eq!(rig.dropped("quarantined"), *totals.0 as u64);
    });
}

#[test]
fn f79_a_transform_s_poison_passes_unchanged_and_the_rest_is_changed() {
    let runtime = runtime();
    let config = json!({ "behaviour": "undeclared", "when": "poison" });
    let rig = runtime.block_on(Rig::new(vec![patient("edits", OnError::Pass, config)]));
    holds(|names| {
        let expected: Vec<&str> =
            names.iter().copied().map(|name| if name == "poison" { name } else { "renamed" }).collect();
        assert_eq!(runtime.block_on(rig.names(&named(names))), expected);
    });
}

#[tokio::test]
async fn f79_every_data_point_of_a_poison_metric_is_poison_and_its_neighbours_are_not() {
    let point = || NumberDataPoint { time_unix_nano: 1, ..NumberDataPoint::default() };
    let gauge = |(name, points): (&str, usize)| Metric {
        name: name.to_owned(),
        data: Some(metric::Data::Gauge(Gauge { data_points: std::iter::repeat_with(point).take(points).collect() })),
        ..Metric::default()
    };
    // Two resources, so that the columns of their level are cut as well.
    let resources = [[("long one", 3), ("poison", 2)], [("a", 2), ("poison", 1)]].map(|metrics| ResourceMetrics {
        scope_metrics: vec![ScopeMetrics { metrics: metrics.map(gauge).into(), ..ScopeMetrics::default() }],
        ..ResourceMetrics::default()
    });
    let request = ExportMetricsServiceRequest { resource_metrics: resources.into() };
    let spec = step_with("misbehaves", OnError::Drop, json!({}), |context| context.signal = Signal::Metrics);
    let rig = Rig::try_new(Signal::Metrics, vec![spec]).await;
    let rig = rig.unwrap_or_else(|(_, fault)| panic!("{fault:?}"));
    let outcome = rig.run(&request.encode_to_vec().into()).await.unwrap();
    assert_eq!(outcome.drops, [crate::chain::Drops { step: 0, reason: DropReason::Fault, records: 3 }]);
    let left = ExportMetricsServiceRequest::decode(outcome.payload.unwrap().bytes).unwrap();
    let metrics = left.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics[0].metrics);
    let names: Vec<&str> = metrics.map(|metric| metric.name.as_str()).collect();
    assert!(names.contains(&"long one") && names.contains(&"a") && !names.contains(&"poison"), "{names:?}");
}

#[tokio::test]
async fn f79_later_stages_see_the_batch_as_one_without_the_poison() {
    let rig = Rig::new(vec![
        drops_short_names(OnError::Drop, None),
        step_with("misbehaves", OnError::Reject, json!({ "behaviour": "count-alive", "when": "long one" }), |_| ()),
    ])
    .await;
    let reason = rig.refusal(&named(["long one", "poison", "a", "long two", "poison", "third"])).await;
    assert!(reason.ends_with("3 of 3 alive"), "{reason}");
}

#[tokio::test]
async fn f79_what_is_beyond_the_limits_of_a_search_follows_on_error() {
    let names: Vec<&str> = (0..64).map(|row| if row % 4 == 0 { "poison" } else { "long one" }).collect();
    for (on_error, left) in [(OnError::Pass, 64), (OnError::Drop, 0)] {
        let mut spec = drops_short_names(on_error, None);
        spec = StepSpec { on_error, ..spec };
        let rig = Rig::new(vec![spec]).await;
        let outcome = rig.run(&named(names.iter().copied())).await.unwrap();
        let spans = spans_of(&outcome).len();
        // Eight are set apart; of the others, those that lie in pieces with poison share its fate.
        match on_error {
            OnError::Pass => assert_eq!(spans, left),
            _ => assert!((1..48).contains(&spans), "{spans}"),
        }
        let gone: u64 = outcome.drops.iter().map(|drops| drops.records).sum();
        assert_eq!(spans as u64 + gone, 64);
        assert_eq!(rig.metric("sluicebox_plugin_searches_total", &["outcome=\"part\""]), 1);
    }
}

#[tokio::test]
async fn f79_poison_in_every_batch_does_not_open_the_breaker() {
    let rig = Rig::new(vec![drops_short_names(OnError::Drop, None)]).await;
    for _ in 0..30 {
        assert_eq!(rig.names(&named(["long one", "poison", "long two"])).await, ["long one", "long two"]);
    }
    assert_eq!(rig.faults("open"), 0);
    assert_eq!(rig.metric("sluicebox_plugin_searches_total", &["outcome=\"found\""]), 30);
}

#[tokio::test]
async fn f63_a_plugin_that_traps_on_everything_is_searched_once_and_then_passed_by() {
    let rig = Rig::new(vec![bad("misbehaves", "unreachable", OnError::Pass)]).await;
    let batch = named(["bad"; 1_000]);
    let begun = Instant::now();
    assert!(is_untouched(&rig.run(&batch).await.unwrap(), &batch));
    let traps = rig.faults("trap");
    assert!((12..=60).contains(&traps), "{traps}");
    assert!(is_untouched(&rig.run(&batch).await.unwrap(), &batch));
    // If the machine stood still for longer than the breaker is open, the batch is the next try.
    let is_late = begun.elapsed() >= Duration::from_millis(100);
    let seen = (rig.faults("trap") - traps, rig.faults("open"));
    assert!(seen == (0, 1) || (is_late && seen == (1, 0)), "{seen:?}");
    assert_eq!(rig.metric("sluicebox_plugin_searches_total", &["outcome=\"nothing\""]), 1);
}

#[tokio::test]
async fn f79_searches_have_a_share_of_the_time_and_no_more() {
    let guest = |context: &mut StageContext| {
        context.limits.deadline = Duration::from_millis(50);
        context.limits.search_time = Duration::from_millis(120);
    };
    let config = json!({ "behaviour": "loop", "when": "bad" });
    let rig = Rig::new(vec![step_with("misbehaves", OnError::Pass, config, guest)]).await;
    let begun = Instant::now();
    for _ in 0..4 {
        assert_eq!(rig.names(&named(["a", "bad", "c", "d"])).await, ["a", "bad", "c", "d"]);
    }
    let took = begun.elapsed();
    // A second search has next to nothing left, a third nothing, unless the machine gives them time by standing still.
    let searches = rig.metric("sluicebox_plugin_searches_total", &[]);
    assert!((1..4).contains(&searches) || took > Duration::from_millis(600), "{searches} in {took:?}");
    // One fault of each batch is its own. The last call of a search may outlive its time by a deadline.
    let spent = 50 * (rig.faults("deadline") - 4);
    assert!(spent <= 120 + took.as_millis() as u64 / 5 + 50 * searches, "{spent} ms in {took:?}, {searches} searches");
}

#[tokio::test]
async fn f79_a_record_that_cannot_be_written_down_is_refused_not_lost() {
    let rig = Rig::new(vec![drops_short_names(OnError::Pass, Some(Path::new("/dev/full")))]).await;
    let reason = rig.refusal(&named(["long one", "poison"])).await;
    assert!(reason.contains("cannot be quarantined: cannot write to `/dev/full`"), "{reason}");
    // What has no poison does not need the file.
    assert_eq!(rig.names(&named(["long one", "b"])).await, ["long one"]);
}
