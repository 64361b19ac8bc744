use super::*;

const GZIP_1: Codec = codec(Compression::Gzip, 1);
const GZIP_6: Codec = codec(Compression::Gzip, 6);
const ZSTD_1: Codec = codec(Compression::Zstd, 1);
const ZSTD_3: Codec = codec(Compression::Zstd, 3);
const ZSTD_6: Codec = codec(Compression::Zstd, 6);
const ZSTD_9: Codec = codec(Compression::Zstd, 9);

/// As telemetry compresses: what is left of each byte, and milliseconds a MiB.
const TELEMETRY: [(Codec, f64, f64); 7] = [
    (Codec::NONE, 1.0, 0.0),
    (GZIP_1, 0.18, 8.0),
    (GZIP_6, 0.12, 22.0),
    (ZSTD_1, 0.11, 2.5),
    (ZSTD_3, 0.1, 4.0),
    (ZSTD_6, 0.09, 11.0),
    (ZSTD_9, 0.088, 24.0),
];

/// As noise does.
const NOISE: [(Codec, f64, f64); 7] = [
    (Codec::NONE, 1.0, 0.0),
    (GZIP_1, 1.001, 12.0),
    (GZIP_6, 1.001, 25.0),
    (ZSTD_1, 1.0, 0.8),
    (ZSTD_3, 1.0, 0.9),
    (ZSTD_6, 1.0, 5.0),
    (ZSTD_9, 1.0, 9.0),
];

fn network(max_ms: u64) -> Aim {
    Aim::Network { max_cpu: Duration::from_millis(max_ms) }
}

fn cpu(sending_ms: u64) -> Aim {
    Aim::Cpu { sending: Duration::from_millis(sending_ms) }
}

/// A round over what is open, of a MiB.
fn round(chooser: &mut Chooser, data: &[(Codec, f64, f64)], now: Instant) -> Codec {
    const MIB: usize = 1 << 20;
    let open: Vec<_> = chooser.open(now).collect();
    let sample = |&(codec, ratio, ms): &(Codec, f64, f64)| {
        (codec, Sample { input: MIB, output: (MIB as f64 * ratio) as usize, took: Duration::from_secs_f64(ms / 1e3) })
    };
    let samples: Vec<_> = data.iter().filter(|(codec, ..)| open.contains(codec)).map(sample).collect();
    chooser.learn(&samples, now);
    chooser.chosen()
}

fn settled(chooser: &mut Chooser, data: &[(Codec, f64, f64)]) -> Codec {
    (0..40).map(|_| round(chooser, data, Instant::now())).last().unwrap()
}

#[test]
fn the_fewest_bytes_that_the_allowed_cpu_buys() {
    for (max_ms, expected) in [(1, Codec::NONE), (3, ZSTD_1), (5, ZSTD_3), (20, ZSTD_6), (100, ZSTD_9)] {
        let mut chooser = Chooser::new(network(max_ms));
        assert_eq!(chooser.chosen(), ZSTD_1, "before anything is measured");
        assert_eq!(settled(&mut chooser, &TELEMETRY), expected, "{max_ms} ms a MiB");
    }
}

#[test]
fn of_what_leaves_about_as_few_bytes_the_cheapest() {
    let mut data = TELEMETRY;
    (data[5].1, data[6].1) = (0.0992, 0.0991);
    assert_eq!(settled(&mut Chooser::new(network(20)), &data), ZSTD_3);
}

#[test]
fn the_least_cpu_with_what_sending_takes() {
    for (sending_ms, expected) in [(1, Codec::NONE), (2, Codec::NONE), (4, ZSTD_1), (1000, ZSTD_6)] {
        let mut chooser = Chooser::new(cpu(sending_ms));
        assert_eq!(chooser.chosen(), Codec::NONE, "before anything is measured");
        assert_eq!(settled(&mut chooser, &TELEMETRY), expected, "{sending_ms} ms a MiB");
    }
}

#[test]
fn noise_is_not_compressed_whatever_the_aim() {
    for aim in [network(20), network(1000), cpu(1), cpu(1000)] {
        assert_eq!(settled(&mut Chooser::new(aim), &NOISE), Codec::NONE, "{aim:?}");
    }
}

#[test]
fn figures_that_swing_a_little_do_not_make_the_choice_swing() {
    // zstd 3 and 6 leave about the same, now the one less, now the other; zstd 6 swings around what is allowed.
    for aim in [network(11), network(20), cpu(40)] {
        let (mut one, mut other) = (TELEMETRY, TELEMETRY);
        (one[4], one[5]) = ((ZSTD_3, 0.1, 3.9), (ZSTD_6, 0.098, 10.5));
        (other[4], other[5]) = ((ZSTD_3, 0.099, 4.1), (ZSTD_6, 0.1, 11.5));
        let mut chooser = Chooser::new(aim);
        let mut chosen = settled(&mut chooser, &one);
        let mut switches = 0;
        for turn in 0..200 {
            let next = round(&mut chooser, if turn % 2 == 0 { &other } else { &one }, Instant::now());
            switches += usize::from(next != chosen);
            chosen = next;
        }
        assert!(switches <= 1, "{aim:?}: {switches}");
    }
}

#[test]
fn data_that_changes_for_good_changes_the_choice_once_what_was_has_faded() {
    let mut chooser = Chooser::new(network(20));
    assert_eq!(settled(&mut chooser, &TELEMETRY), ZSTD_6);
    assert_eq!(round(&mut chooser, &NOISE, Instant::now()), ZSTD_6, "one excerpt is not enough");
    assert_eq!(settled(&mut chooser, &NOISE), Codec::NONE);
    assert_eq!(settled(&mut chooser, &TELEMETRY), ZSTD_6, "and back");
}

#[test]
fn an_encoding_that_the_peer_refuses_is_left_alone_for_an_hour() {
    let (mut chooser, now) = (Chooser::new(network(30)), Instant::now());
    assert_eq!(settled(&mut chooser, &TELEMETRY), ZSTD_9);
    assert!(chooser.bar(ZSTD_9, now));
    assert_eq!(chooser.chosen(), GZIP_6, "the best of what is left");
    assert!(!chooser.bar(ZSTD_1, now), "it is known: a request that was under way");
    assert_eq!(round(&mut chooser, &TELEMETRY, now), GZIP_6);
    assert!(chooser.open(now).all(|codec| codec.compression != Compression::Zstd), "not worth measuring");
    let later = now + BARRED;
    assert_eq!(round(&mut chooser, &TELEMETRY, later), ZSTD_9, "the peer may have learnt it");
}

#[test]
fn a_peer_that_takes_no_compression_gets_none_even_before_anything_is_measured() {
    let (mut chooser, now) = (Chooser::new(network(20)), Instant::now());
    assert!(chooser.bar(ZSTD_1, now));
    assert_eq!(chooser.chosen(), GZIP_1);
    assert!(chooser.bar(GZIP_1, now));
    assert_eq!(chooser.chosen(), Codec::NONE);
    assert_eq!(round(&mut chooser, &TELEMETRY, now), Codec::NONE);
}
