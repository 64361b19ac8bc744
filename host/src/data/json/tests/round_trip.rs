//! Generated requests go to JSON and back unchanged, and no bytes make the codec panic.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;

use super::*;
use crate::data::testing::{Shape, arbitrary_logs, arbitrary_metrics, arbitrary_traces};

fn unchanged<M: Message + Default>(signal: Signal, message: &M) {
    let text = encoded(signal, message);
    assert!(!text.contains('\n'), "{text}");
    // An independent reader finds it to be JSON.
    let independent: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let back: M = decoded(signal, &text);
    // As bytes, because NaN is not equal to itself.
    assert!(back.encode_to_vec() == message.encode_to_vec(), "{text}");
    // With white space everywhere and the members in another order, so that nothing has its usual form.
    let spread = serde_json::to_string_pretty(&independent).unwrap();
    let back: M = decoded(signal, &spread);
    assert!(back.encode_to_vec() == message.encode_to_vec(), "{spread}");
}

/// Valid JSON with some bytes replaced, doubled or cut.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let valid = prop_oneof![
        arbitrary_traces(Shape::WILD).prop_map(|request| encoded(Signal::Traces, &request)),
        arbitrary_metrics(Shape::WILD).prop_map(|request| encoded(Signal::Metrics, &request)),
        arbitrary_logs(Shape::WILD).prop_map(|request| encoded(Signal::Logs, &request)),
    ];
    let spots = prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\",:\\\\0-9eE.+n-]{0,3}"), 1..4);
    (valid, spots).prop_map(|(text, spots)| {
        let mut bytes = text.into_bytes();
        for (spot, replacement) in spots {
            let at = spot.index(bytes.len());
            bytes.splice(at..=at, replacement.into_bytes());
            if bytes.is_empty() {
                break;
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn e30_traces_survive_json(request in arbitrary_traces(Shape::WILD)) {
        unchanged(Signal::Traces, &request);
    }

    #[test]
    fn e30_metrics_survive_json(request in arbitrary_metrics(Shape::WILD)) {
        unchanged(Signal::Metrics, &request);
    }

    #[test]
    fn e30_logs_survive_json(request in arbitrary_logs(Shape::WILD)) {
        unchanged(Signal::Logs, &request);
    }

    #[test]
    fn f09_mutated_json_is_decoded_or_refused(json in mutated(), signal in prop::sample::select(Signal::ALL.to_vec())) {
        if let Ok(bytes) = decode(signal, &json, &limits()) {
            // What is accepted is well-formed: prost reads it, and it can be written again.
            let well_formed = match signal {
                Signal::Traces => ExportTraceServiceRequest::decode(bytes.as_slice()).is_ok(),
                Signal::Metrics => ExportMetricsServiceRequest::decode(bytes.as_slice()).is_ok(),
                Signal::Logs => ExportLogsServiceRequest::decode(bytes.as_slice()).is_ok(),
            };
            prop_assert!(well_formed);
            prop_assert!(encode(signal, &bytes, &mut Vec::new()).is_ok());
        }
    }

    #[test]
    fn f07_any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for signal in Signal::ALL {
            let _ = decode(signal, &bytes, &limits());
            let mut out = b"before".to_vec();
            if encode(signal, &bytes, &mut out).is_err() {
                prop_assert_eq!(&out, b"before");
            } else {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&out[6..]).is_ok());
            }
        }
    }

    #[test]
    fn f07_mutated_protobuf_is_encoded_or_refused(
        request in arbitrary_metrics(Shape::WILD),
        spots in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = request.encode_to_vec();
        for (spot, byte) in spots {
            if !bytes.is_empty() {
                let at = spot.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let mut out = Vec::new();
        let ours = encode(Signal::Metrics, &bytes, &mut out);
        // prost is the model of what is well-formed, except for groups, which it does not skip everywhere.
        if let (Ok(model), Ok(())) = (ExportMetricsServiceRequest::decode(bytes.as_slice()), ours) {
            let back = decode(Signal::Metrics, &out, &limits()).unwrap();
            let back = ExportMetricsServiceRequest::decode(back.as_slice()).unwrap();
            prop_assert_eq!(format!("{model:?}"), format!("{back:?}"));
        }
    }
}
