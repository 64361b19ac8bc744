//! What `sample` decides, why, and which configs it refuses.

use sluicebox_plugin::prelude::*;
use sluicebox_plugin::serde_json::Value as Json;
use sluicebox_plugin::testing::{self, SamplerTest, Telemetry, json};
use sluicebox_sample::Sample;

fn plugin(signal: Signal, config: Json) -> Result<SamplerTest<Sample>, Error> {
    testing::batch_sampler(signal, config)
}

fn decided(signal: Signal, config: Json, telemetry: &Telemetry) -> Vec<(f64, String)> {
    plugin(signal, config).and_then(|mut plugin| plugin.run(telemetry)).expect("a config that is right")
}

fn named(decisions: &[(f64, &str)]) -> Vec<(f64, String)> {
    decisions.iter().map(|&(probability, reason)| (probability, reason.to_owned())).collect()
}

fn spans() -> Telemetry {
    let slow = Duration::from_millis(500);
    Telemetry::spans()
        .resource(|resource| resource.attribute("service.name", "checkout"))
        .span(|span| span.status_code(2).duration(slow))
        .span(|span| span.status_code(1).duration(slow))
        .span(|span| span.duration(slow - Duration::from_nanos(1)))
        .resource(|resource| resource.attribute("service.name", "cart"))
        .span(|span| span)
        .resource(|resource| resource)
        .span(|span| span.status_code(2))
}

#[test]
fn errors_then_slow_then_service_then_base() {
    let config = json!({ "slow": { "threshold": "500ms" }, "services": { "checkout": 0.5, "mail": 0 }, "rate": 0.1 });
    let expected = [(1.0, "error"), (1.0, "slow"), (0.5, "service"), (0.1, "base"), (1.0, "error")];
    assert_eq!(decided(Signal::Traces, config, &spans()), named(&expected));
}

#[test]
fn only_what_is_asked_for_is_read_and_kept() {
    let config = json!({ "keep_errors": false, "rate": 0 });
    assert_eq!(decided(Signal::Traces, config.clone(), &spans()), named(&[(0.0, "base"); 5]));
    assert_eq!(plugin(Signal::Traces, config).map(|plugin| plugin.reads().len()), Ok(0));
}

#[test]
fn log_records_of_severity_error_are_kept() {
    let logs = Telemetry::logs()
        .resource(|resource| resource.attribute("service.name", "cart"))
        .log(|log| log.severity_number(16))
        .log(|log| log.severity_number(17))
        .log(|log| log.severity_number(21))
        .log(|log| log);
    let config = json!({ "services": { "cart": 0.25 }, "rate": 1 });
    let expected = [(0.25, "service"), (1.0, "error"), (1.0, "error"), (0.25, "service")];
    assert_eq!(decided(Signal::Logs, config, &logs), named(&expected));
}

#[test]
fn a_wrong_config_is_told_with_its_key_and_the_mend() {
    let problem = |signal, config| plugin(signal, config).err().map(|error| error.to_string()).unwrap_or_default();
    let traces = |config| problem(Signal::Traces, config);
    assert_eq!(traces(json!({})), "missing field `rate`");
    assert_eq!(traces(json!({ "rate": 10 })), "rate: 10 is not between 0 (nothing) and 1 (everything)");
    let services = json!({ "rate": 1, "services": { "cart": -0.5 } });
    assert_eq!(traces(services), "services.cart: -0.5 is not between 0 (nothing) and 1 (everything)");
    let threshold = json!({ "rate": 1, "slow": { "threshold": 500 } });
    assert_eq!(traces(threshold), "slow.threshold: invalid type: integer `500`, expected a string");
    let unit = json!({ "rate": 1, "slow": { "threshold": "500" } });
    assert_eq!(traces(unit), "slow.threshold: `500` is not a duration; write it like 500ms, 1.5s or 2m30s");
    let slow = json!({ "rate": 1, "slow": { "threshold": "1s" } });
    let told = problem(Signal::Logs, slow);
    assert_eq!(told, "slow: log records have no duration; leave it out in a pipeline of logs");
    let told = problem(Signal::Metrics, json!({ "rate": 1 }));
    assert_eq!(told, "data points are not sampled; use this stage for traces or logs");
}
