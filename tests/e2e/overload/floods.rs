//! F13: frames that cost the client nothing.

use super::frames::{
    CANCEL, CONTINUATION, END_HEADERS, ENHANCE_YOUR_CALM, Frame, GOAWAY, HEADERS, RST_STREAM, call_headers, connected,
    flood, frame,
};
use super::{assert_serves, process_bytes, to_file, wait_for_limit};
use crate::harness::Sluicebox;

/// Streams of a flood.
const STREAMS: u32 = 20_000;

/// The connection ended, and if the reason came through, it was this one.
fn assert_calmed(frames: &[Frame]) {
    let codes: Vec<u32> = frames.iter().filter(|frame| frame.kind == GOAWAY).map(Frame::code).collect();
    assert!(codes.iter().all(|code| *code == ENHANCE_YOUR_CALM), "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f13_rapid_resets_end_the_connection_and_others_are_served() {
    let sluicebox = Sluicebox::run(&to_file("", "", ""));
    assert_serves(&sluicebox).await;
    let before = process_bytes(&sluicebox, "VmRSS:");
    for attack in 1..=3 {
        let (mut reader, mut write) = connected(&sluicebox).await;
        let pairs = (0..STREAMS / 100).map(|piece| {
            let streams = (piece * 100..(piece + 1) * 100).map(|number| 2 * number + 1);
            let pair = |stream| {
                let open = frame(HEADERS, END_HEADERS, stream, &call_headers());
                [open, frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())].concat()
            };
            streams.flat_map(pair).collect()
        });
        let (_, frames) = tokio::join!(flood(&mut write, pairs), reader.rest());
        assert_calmed(&frames);
        wait_for_limit(&sluicebox, "max_pending_resets", f64::from(attack)).await;
        assert_serves(&sluicebox).await;
    }
    let grown = process_bytes(&sluicebox, "VmRSS:").saturating_sub(before);
    assert!(grown < 16 << 20, "{} KiB", grown >> 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn f13_a_flood_of_continuations_ends_the_connection_and_others_are_served() {
    let sluicebox = Sluicebox::run(&to_file("", "", ""));
    assert_serves(&sluicebox).await;
    let before = process_bytes(&sluicebox, "VmRSS:");
    for payload in [Vec::new(), [&[0, 1, b'x', 120][..], &[b'y'; 120]].concat()] {
        let (mut reader, mut write) = connected(&sluicebox).await;
        let beginning = std::iter::once(frame(HEADERS, 0, 1, &call_headers()));
        let endless = (0..STREAMS).map(|_| frame(CONTINUATION, 0, 1, &payload));
        let (_, frames) = tokio::join!(flood(&mut write, beginning.chain(endless)), reader.rest());
        assert_calmed(&frames);
        assert_serves(&sluicebox).await;
    }
    wait_for_limit(&sluicebox, "max_pending_resets", 2.0).await;
    let grown = process_bytes(&sluicebox, "VmRSS:").saturating_sub(before);
    assert!(grown < 16 << 20, "{} KiB", grown >> 10);
}
