//! Documents that must be refused, and the words they are refused with.

use super::*;
use crate::data::wire::put_bytes_field;

/// The refusal of a log whose body is `{members}`, from the field on.
fn bad_body(members: &str) -> String {
    let refusal = refused(Signal::Logs, log_json(&format!(r#""body":{{{members}}}"#)));
    match refusal.split_once("logRecords[0].") {
        Some((_, rest)) => rest.to_owned(),
        None => refusal,
    }
}

fn bad_span(members: &str) -> String {
    let refusal = refused(Signal::Traces, span_json(members));
    match refusal.split_once("spans[0].") {
        Some((_, rest)) => rest.to_owned(),
        None => refusal,
    }
}

#[test]
fn r26_an_error_names_the_place_and_the_field() {
    let json = "{\"resourceSpans\": [\n  {\"scopeSpans\": [{\"spans\": [{}, {\"név\": 1, \"kind\": \"SERVER\"}]}]}\n]}";
    assert_eq!(
        refused(Signal::Traces, json),
        "JSON, line 2, column 53, resourceSpans[0].scopeSpans[0].spans[1].kind: an enum is a number in OTLP, without \
         quotes: give the number, not the name"
    );
}

#[test]
fn r32_a_name_of_an_enum_is_refused() {
    let expected = "an enum is a number in OTLP, without quotes: give the number, not the name";
    assert_eq!(bad_span(r#""kind":"SPAN_KIND_SERVER""#), format!("kind: {expected}"));
    assert_eq!(bad_span(r#""kind":"2""#), format!("kind: {expected}"));
    assert_eq!(bad_span(r#""status":{"code":"OK"}"#), format!("status.code: {expected}"));
    let severity = refused(Signal::Logs, log_json(r#""severityNumber":"INFO""#));
    assert!(severity.ends_with(&format!("logRecords[0].severityNumber: {expected}")), "{severity}");
    let temporality = refused(Signal::Metrics, metric_json(r#""sum":{"aggregationTemporality":"DELTA"}"#));
    assert!(temporality.ends_with(&format!("sum.aggregationTemporality: {expected}")), "{temporality}");
}

#[test]
fn f09_bad_hex_is_refused() {
    assert_eq!(bad_span(r#""traceId":"0af""#), "traceId: an id of an odd number of digits: write two for each byte");
    for id in ["0g", "W46P+ZgDgQPSabYzgT/GDA==", "0x", " 0a ", "é"] {
        let expected = "links[0].spanId: an id is hexadecimal digits, not base64 or anything else";
        assert_eq!(bad_span(&format!(r#""links":[{{"spanId":"{id}"}}]"#)), expected, "{id}");
    }
    assert_eq!(bad_span(r#""spanId":5"#), "spanId: a text in double quotes is needed here");
}

#[test]
fn f09_numbers_out_of_range_are_refused() {
    let time = "startTimeUnixNano: out of range: write a whole number from 0 to 18446744073709551615";
    for number in ["18446744073709551616", "-1", "\"-1\"", "1e400", "\"99999999999999999999999\""] {
        assert_eq!(bad_span(&format!(r#""startTimeUnixNano":{number}"#)), time, "{number}");
    }
    let int = "body.intValue: out of range: write a whole number from -9223372036854775808 to 9223372036854775807";
    assert_eq!(bad_body(r#""intValue":9223372036854775808"#), int);
    let digits = "9".repeat(1_000_000);
    assert_eq!(bad_body(&format!(r#""intValue":{digits}"#)), int);
    assert_eq!(bad_span(r#""flags":4294967296"#), "flags: out of range: write a whole number from 0 to 4294967295");
    let kind = "kind: out of range: write a whole number from -2147483648 to 2147483647";
    assert_eq!(bad_span(r#""kind":2147483648"#), kind);
    let double = "body.doubleValue: not a double: write a finite number, \"NaN\", \"Infinity\" or \"-Infinity\"";
    for number in ["1e400", "-1e400", "\"1e400\"", "\"inf\"", "\"nan\"", "\"\"", "\"0x1\""] {
        assert_eq!(bad_body(&format!(r#""doubleValue":{number}"#)), double, "{number}");
    }
}

#[test]
fn f09_what_is_no_number_is_refused() {
    let range = "write a whole number from 0 to 4294967295";
    assert_eq!(bad_span(r#""flags":1.5"#), format!("flags: a fraction where there can be none: {range}"));
    assert_eq!(bad_span(r#""flags":"1_000""#), format!("flags: not a number: {range}"));
    assert_eq!(bad_span(r#""flags":" 1""#), format!("flags: not a number: {range}"));
    assert_eq!(bad_span(r#""flags":true"#), "flags: a number is needed here");
    assert_eq!(bad_body(r#""doubleValue":NaN"#), "body.doubleValue: a number is needed here");
    assert_eq!(bad_body(r#""boolValue":"true""#), "body.boolValue: true or false is needed here, without quotes");
    assert_eq!(bad_body(r#""boolValue":1"#), "body.boolValue: true or false is needed here, without quotes");
    assert_eq!(bad_body(r#""intValue":01"#), "body: a comma or '}' is needed here");
}

#[test]
fn f09_a_byte_order_mark_is_refused() {
    let expected = "JSON, line 1, column 1: a byte order mark stands before the document: remove the BOM";
    assert_eq!(refused(Signal::Logs, b"\xef\xbb\xbf{}"), expected);
    assert!(refused(Signal::Logs, b"\xff\xfe{\0}\0").contains("encode the document as UTF-8"));
}

#[test]
fn f08_text_that_is_not_utf8_is_refused() {
    let json = b"{\"resourceSpans\":[{\"schemaUrl\":\"\xc3\x28\"}]}";
    let expected = "JSON, line 1, column 33: bytes that are not UTF-8: encode the document as UTF-8";
    assert_eq!(refused(Signal::Traces, json), expected);
    for half in ["\\ud800", "\\udc00", "\\ud800\\u0041", "\\ud83d\\ud83d"] {
        let expected = "body.stringValue: half of a surrogate pair, which is no character: send both halves or neither";
        assert_eq!(bad_body(&format!(r#""stringValue":"{half}""#)), expected, "{half}");
    }
    let not_utf8 = [0x0a, 0x03, 0x1a, 0x01, 0xff];
    let error = encode(Signal::Traces, &not_utf8, &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "text that is not UTF-8 (at byte 4)");
}

#[test]
fn f09_broken_documents_are_refused() {
    for (json, what) in [
        ("", "line 1, column 1: the document ends here, in the middle of a value: send all of it"),
        ("null", "line 1, column 1: an object {…} is needed here"),
        ("[]", "line 1, column 1: an object {…} is needed here"),
        ("{\"a\":1,}", "line 1, column 8: nothing follows the comma: remove it"),
        ("{\"a\" 1}", "line 1, column 6: a colon is needed after a name"),
        ("{a:1}", "line 1, column 2: a name in double quotes is needed here"),
        ("{\"a\":1 \"b\":2}", "line 1, column 8: a comma or '}' is needed here"),
        ("{\"a\":[1 2]}", "line 1, column 9: a comma or ']' is needed here"),
        ("{} {}", "line 1, column 4: something follows the document: send one document a request"),
        ("{}\0", "line 1, column 3: something follows the document: send one document a request"),
        ("{\"a\":\"", "line 1, column 7: a text begins or goes on here that does not end: close the quotes"),
        ("{\"a\":\"\n\"}", "line 1, column 7: a control character in a text: escape it, as in \\n or \\u0000"),
        ("{\"a\":\"\\x\"}", "line 1, column 7: no such escape in JSON: a backslash itself is written \\\\"),
        ("{\"a\":\"\\u12\"}", "line 1, column 7: \\u needs four hexadecimal digits"),
        (
            "{\"a\":'b'}",
            "line 1, column 6: not a JSON value: text is in double quotes, the only words are true, false, null",
        ),
    ] {
        assert_eq!(refused(Signal::Traces, json), format!("JSON, {what}"), "{json}");
    }
    let list = "JSON, line 1, column 18, resourceSpans: a list […] is needed here";
    assert_eq!(refused(Signal::Traces, r#"{"resourceSpans":{}}"#), list);
    let null = "JSON, line 1, column 19, resourceSpans[0]: null has no meaning in this list: leave it out";
    assert_eq!(refused(Signal::Traces, r#"{"resourceSpans":[null]}"#), null);
}

#[test]
fn f09_two_members_of_a_oneof_are_refused() {
    let expected = "body.intValue: stringValue is set already: send one of the two";
    assert_eq!(bad_body(r#""stringValue":"a","intValue":1"#), expected);
    let metric = refused(Signal::Metrics, metric_json(r#""gauge":{},"sum":{}"#));
    assert!(metric.ends_with("metrics[0].sum: gauge is set already: send one of the two"), "{metric}");
}

#[test]
fn f09_bad_base64_is_refused() {
    for text in ["*", "A", "+_8=", "AA=A", "AA AA"] {
        let expected = "body.bytesValue: not base64: bytes are written as base64 text";
        assert_eq!(bad_body(&format!(r#""bytesValue":"{text}""#)), expected, "{text}");
    }
}

fn nested(levels: usize, open: &str, close: &str) -> String {
    log_json(&format!(r#""body":{}{{}}{}"#, open.repeat(levels), close.repeat(levels)))
}

#[test]
fn f06_deep_values_are_refused_without_overflow() {
    for (open, close) in
        [(r#"{"arrayValue":{"values":["#, "]}}"), (r#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}")]
    {
        assert!(decode(Signal::Logs, nested(32, open, close).as_bytes(), &limits()).is_ok());
        for levels in [33, 34, 100_000] {
            let refusal = refused(Signal::Logs, nested(levels, open, close));
            assert!(refusal.ends_with("attribute values nest deeper than 32 levels: send them flatter"), "{refusal}");
            assert!(refusal.len() < 500, "{refusal}");
        }
        let widest = JsonLimits { max_depth: usize::MAX, ..limits() };
        assert!(decode(Signal::Logs, nested(100_000, open, close).as_bytes(), &widest).is_err());
        let deepest = decode(Signal::Logs, nested(DEPTH_MAX, open, close).as_bytes(), &widest).unwrap();
        let mut out = Vec::new();
        encode(Signal::Logs, &deepest, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), nested(DEPTH_MAX, open, close));
    }
}

#[test]
fn f06_deep_unknown_values_are_refused_without_overflow() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":"#, "}]")] {
        let json = format!(r#"{{"x":{}1{}}}"#, open.repeat(100_000), close.repeat(100_000));
        let refusal = refused(Signal::Metrics, json);
        assert!(refusal.ends_with("values nest deeper than 128 levels: send them flatter"), "{refusal}");
    }
    assert!(decode(Signal::Logs, format!(r#"{{"x":{}"#, "[".repeat(1_000_000)).as_bytes(), &limits()).is_err());
}

/// A message that has that message as its field `number`.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(content.len() + 8);
    put_bytes_field(&mut message, number, content);
    message
}

#[test]
fn f06_deep_protobuf_is_refused_without_overflow() {
    // An AnyValue of an ArrayValue of an AnyValue …
    let value = [1, 5].repeat(10_000).into_iter().fold(Vec::new(), |inner, number| field(number, &inner));
    let plain = encode_any_value(&value, &mut Vec::new()).unwrap_err();
    assert_eq!(plain.what, "attribute values nested too deep for JSON");
    let request = [5, 2, 2, 1].into_iter().fold(value, |inner, number| field(number, &inner));
    let mut out = b"kept".to_vec();
    let error = encode(Signal::Logs, &request, &mut out).unwrap_err();
    assert_eq!(error.what, "attribute values nested too deep for JSON");
    assert_eq!(out, b"kept");
}

#[test]
fn f07_messages_in_parts_do_not_multiply_memory() {
    let mut value = Vec::new();
    put_bytes_field(&mut value, 1, &[b'x'; 1 << 16]);
    for number in [2, 1, 6].repeat(32) {
        value = field(number, &value);
        // An empty second part of `KeyValue.value` and of `AnyValue.kvlistValue`.
        if number != 1 {
            put_bytes_field(&mut value, number, &[]);
        }
    }
    let request = [5, 2, 2, 1].into_iter().fold(value, |inner, number| field(number, &inner));
    let error = encode(Signal::Logs, &request, &mut Vec::new()).unwrap_err();
    assert_eq!(error.what, "messages in parts, within messages in parts");
}

#[test]
fn r04_a_request_over_the_limit_is_told_apart() {
    let json = metric_json(&format!(r#""histogram":{{"dataPoints":[{{"bucketCounts":[{}0]}}]}}"#, "0,".repeat(1000)));
    let limits = |max_bytes| JsonLimits { max_bytes, ..limits() };
    let bytes = decode(Signal::Metrics, json.as_bytes(), &limits(usize::MAX)).unwrap();
    assert_eq!(decode(Signal::Metrics, json.as_bytes(), &limits(bytes.len())).as_ref(), Ok(&bytes));
    let error = decode(Signal::Metrics, json.as_bytes(), &limits(1000)).unwrap_err();
    assert_eq!(error.cause, JsonCause::TooLarge);
    assert!(error.path.ends_with("histogram.dataPoints[0].bucketCounts[123]"), "{error}");
    assert!(error.to_string().ends_with("the request is larger than 1000 bytes as protobuf: send smaller ones"));
    let malformed = decode(Signal::Metrics, b"{", &limits(1000)).unwrap_err();
    assert_eq!(malformed.cause, JsonCause::Malformed);
}
