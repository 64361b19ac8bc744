use super::super::{Choice, Packer};
use super::*;
use crate::exporter::testing::spans;
use crate::telemetry::metrics::{CodecLabels, ExporterLabels, Metrics};

const ID: &str = "otlp/out";

fn adaptive(aim: Aim, metrics: &Metrics) -> std::sync::Arc<Adaptive> {
    std::sync::Arc::new(Adaptive::new(aim, Meter::new(ID, metrics)))
}

fn body() -> Bytes {
    let names: Vec<String> = (0..1000).map(|number| format!("span {number}")).collect();
    spans(&names.iter().map(String::as_str).collect::<Vec<_>>()).bytes
}

/// Ways that the metrics say are chosen.
fn chosen(metrics: &Metrics) -> Vec<Codec> {
    let gauge = |codec| metrics.exporter_compression_chosen.get_or_create_owned(&CodecLabels::new(ID, codec)).get();
    CANDIDATES.into_iter().filter(|codec| gauge(*codec) == 1).collect()
}

#[tokio::test]
async fn a_round_measures_every_candidate_on_the_same_bytes_and_the_metrics_tell() {
    let metrics = Metrics::default();
    let adaptive = adaptive(Aim::Cpu { sending: Duration::from_secs(3600) }, &metrics);
    assert_eq!(chosen(&metrics), [Codec::NONE]);
    let packer = Packer::new(Choice::Adaptive(adaptive.clone()));
    // An hour for a MiB on the network.
    for _ in 2..CANDIDATES.len() {
        assert!(packer.pack(0, &[body()]).await.unwrap().is_none(), "nothing is chosen before all are measured");
    }
    while adaptive.codec() == Codec::NONE {
        packer.pack(0, &[body()]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(chosen(&metrics), [adaptive.codec()]);
    let packed = packer.pack(0, &[body()]).await.unwrap().unwrap();
    assert_eq!(packed.codec, adaptive.codec());
    for codec in CANDIDATES {
        let ratio = metrics.exporter_compression_ratio.get_or_create_owned(&CodecLabels::new(ID, codec)).get();
        assert!(if codec == Codec::NONE { ratio == 1.0 } else { ratio > 0.0 && ratio < 0.5 }, "{codec:?}: {ratio}");
    }
    let labels = ExporterLabels { exporter: ID.to_owned() };
    assert_eq!(metrics.exporter_compression_switches.get_or_create_owned(&labels).get(), 1);
    drop((packer, adaptive));
    assert_eq!(chosen(&metrics), [], "what is gone has chosen nothing");
}

#[test]
fn measuring_stops_when_its_share_of_the_time_is_used_up_and_goes_on_later() {
    let begin = Instant::now();
    let after = |seconds| begin + Duration::from_secs(seconds);
    let mut budget = Budget { seconds: BURST, at: begin };
    assert!(budget.allows(begin));
    budget.seconds -= 0.15;
    assert!(!budget.allows(begin), "50 ms too much");
    assert!(!budget.allows(after(4)), "4 s have earned 40 ms");
    assert!(budget.allows(after(6)));
    assert!(budget.allows(after(3600)));
    assert_eq!(budget.seconds, BURST, "quiet times are not saved up");
}

#[tokio::test]
async fn a_trial_that_was_given_up_does_not_end_the_measuring() {
    let adaptive = adaptive(Aim::Network { max_cpu: Duration::from_millis(20) }, &Metrics::default());
    assert!(adaptive.trial(&[body()]).is_some(), "and nobody says what came of it");
    let packer = Packer::new(Choice::Adaptive(adaptive.clone()));
    for _ in 0..3 * CANDIDATES.len() {
        packer.pack(0, &[body()]).await.unwrap();
    }
    assert!(adaptive.state.lock().chooser.figures(Codec::NONE).is_some());
}

#[test]
fn an_excerpt_is_the_beginning_of_a_body() {
    let chunks = [Bytes::from(vec![1; 100_000]), Bytes::from(vec![2; 100_000]), Bytes::from_static(&[3])];
    let excerpt = excerpt(&chunks).unwrap();
    assert_eq!((excerpt.len(), excerpt[0], excerpt[EXCERPT_BYTES - 1]), (EXCERPT_BYTES, 1, 2));
    assert_eq!(super::excerpt(&[Bytes::new()]), None);
}
