//! Plugins that see one record at a time, of each kind, on every level and in every signal.

use sluicebox_plugin::prelude::*;
use sluicebox_plugin::testing::{self, Telemetry, json};

#[derive(Record)]
struct Request<'a> {
    #[field("span.attributes[\"http.route\"]")]
    route: Option<&'a str>,
    #[field("span.duration")]
    took: Duration,
    #[field("resource.attributes[\"service.name\"]")]
    service: &'a str,
    #[field("span.events.name")]
    events: Each<'a, &'a str>,
}

#[config]
struct Config {
    routes: Vec<String>,
}

struct DropRoutes {
    routes: Vec<String>,
}

impl Filter for DropRoutes {
    type Config = Config;
    type Record<'a> = Request<'a>;

    fn new(config: Config) -> Result<Self, Error> {
        if config.routes.is_empty() {
            return Err(Error::at("routes", "name at least one route"));
        }
        Ok(DropRoutes { routes: config.routes })
    }

    fn keep(&mut self, request: Request<'_>) -> bool {
        let listed = request.route.is_some_and(|route| self.routes.iter().any(|listed| listed == route));
        let mut events = request.events;
        request.took >= Duration::from_secs(1)
            || request.service == "checkout"
            || events.any(|event| event == "exception")
            || !listed
    }
}

#[test]
fn a_filter_sees_attributes_durations_resources_and_events() {
    let mut plugin = testing::filter::<DropRoutes>(Signal::Traces, json!({ "routes": ["/healthz"] })).unwrap();
    let probe = |span: testing::Span| span.attribute("http.route", "/healthz");
    let spans = Telemetry::spans()
        .span(|span| probe(span).duration(Duration::from_millis(5)))
        .span(|span| span.attribute("http.route", "/pay"))
        .span(|span| probe(span).duration(Duration::from_secs(2)))
        .span(|span| probe(span).event(|event| event.name("retry")).event(|event| event.name("exception")))
        .span(|span| span.attribute("http.route", 5).dropped_before())
        .resource(|resource| resource.attribute("service.name", "checkout"))
        .span(probe);
    assert_eq!(plugin.run(&spans).unwrap(), [1, 2, 3, 5]);
    assert_eq!(plugin.reads().len(), 4);
}

#[test]
fn a_config_that_the_plugin_refuses_is_an_error() {
    let problem = |config| testing::filter::<DropRoutes>(Signal::Traces, config).err().map(|error| error.to_string());
    assert_eq!(problem(json!({ "routes": [] })).as_deref(), Some("routes: name at least one route"));
    assert_eq!(problem(json!({})).as_deref(), Some("missing field `routes`"));
}

#[test]
fn a_field_of_another_signal_is_refused() {
    let error = testing::filter::<DropRoutes>(Signal::Logs, json!({ "routes": ["/"] })).err().unwrap();
    assert!(error.to_string().starts_with("span.attributes[\"http.route\"]: no such field"), "{error}");
}

#[derive(Record)]
struct Point<'a> {
    #[field("metric.type")]
    kind: &'a str,
    #[field("scope.name")]
    scope: &'a str,
    #[field("datapoint.value")]
    value: Option<f64>,
    #[field("attributes[*]")]
    attributes: Attributes<'a>,
}

#[derive(Clone, Copy, Reason)]
enum Why {
    HighCardinality,
    Gauge,
    Base,
}

struct Thin;

impl Sampler for Thin {
    type Config = NoConfig;
    type Record<'a> = Point<'a>;
    type Reason = Why;

    fn new(_: NoConfig) -> Result<Self, Error> {
        Ok(Thin)
    }

    fn sample(&mut self, point: Point<'_>) -> Decision<Why> {
        metrics::count("points", 1);
        if point.attributes.len() > 1 && point.attributes.value("user") != Value::Absent {
            return Decision::drop(Why::HighCardinality);
        }
        if point.kind == "gauge" && point.scope == "runtime" && point.value.is_some_and(|value| value > 2.5) {
            return Decision::rate(0.25, Why::Gauge);
        }
        Decision::keep(Why::Base)
    }
}

#[test]
fn a_sampler_sees_metrics_scopes_numbers_and_all_attributes() {
    let mut plugin = testing::sampler::<Thin>(Signal::Metrics, json!(null)).unwrap();
    let points = Telemetry::points()
        .scope(|scope| scope.name("runtime"))
        .metric(|metric| metric.name("heap").kind("gauge"))
        .point(|point| point.value(3))
        .point(|point| point.value(2.0))
        .point(|point| point.value("not a number"))
        .metric(|metric| metric.name("requests").kind("sum"))
        .point(|point| point.value(7).attribute("user", "u1").attribute("route", "/"))
        .point(|point| point.value(7).dropped_before());
    let named = |probability, reason: &str| (probability, reason.to_owned());
    let expected = [named(0.25, "gauge"), named(1.0, "base"), named(1.0, "base"), named(0.0, "high_cardinality")];
    assert_eq!(plugin.run(&points).unwrap()[..4], expected);
    assert_eq!(testing::counter("points"), 4);
}

#[derive(Record)]
struct Line<'a> {
    #[field("log.body")]
    body: Edit<'a, Value<'a>>,
    #[field("log.severity_text")]
    severity: Edit<'a>,
    #[field("resource.attributes[\"team\"]")]
    team: Edit<'a, Option<&'a str>>,
    #[field("scope.name")]
    scope: Edit<'a>,
    #[field("log.attributes[*]")]
    attributes: EditAttributes<'a>,
}

struct Tidy;

impl Transform for Tidy {
    type Config = NoConfig;
    type Record<'a> = Line<'a>;

    fn new(_: NoConfig) -> Result<Self, Error> {
        Ok(Tidy)
    }

    fn edit(&mut self, line: Line<'_>) {
        if let Value::Text(body) = line.body.get() {
            line.body.set(body.trim());
        }
        line.severity.set("INFO");
        line.team.set(line.team.get().unwrap_or("unknown"));
        line.scope.delete();
        for (key, value) in line.attributes.iter() {
            if key.starts_with("tmp.") {
                line.attributes.delete(key);
            } else if let Value::Bool(flag) = value {
                line.attributes.set(key, if flag { "yes" } else { "no" });
            }
        }
        line.attributes.set("seen", true);
    }
}

#[test]
fn a_transform_sets_and_deletes_on_every_level() {
    let mut plugin = testing::transform::<Tidy>(Signal::Logs, json!({})).unwrap();
    let nested = OwnedValue::KvList(vec![("a".to_owned(), OwnedValue::Array(vec![1.into(), "x".into()]))]);
    let logs = Telemetry::logs()
        .scope(|scope| scope.name("noise"))
        .log(|log| log.body("  hello ").attribute("tmp.a", 1).attribute("flag", true).attribute("n", 4))
        .log(|log| log.body(nested.clone()))
        .resource(|resource| resource.attribute("team", "payments"))
        .log(|log| log.body("x").dropped_before())
        .log(|log| log.body("y"));
    let tidied = plugin.run(&logs).unwrap();
    assert_eq!(tidied.row(0).field("log.body"), "hello");
    assert_eq!(tidied.row(0).field("log.severity_text"), "INFO");
    assert_eq!(tidied.row(0).keys(), ["flag", "n", "seen"]);
    assert_eq!(tidied.row(0).attribute("flag"), "yes");
    assert_eq!(tidied.row(1).field("log.body"), &nested);
    assert_eq!(tidied.row(2).keys(), [""; 0], "a row that is not live is left alone");
    assert_eq!(tidied.resource_of(0).attribute("team"), "unknown");
    assert_eq!(tidied.resource_of(3).attribute("team"), "payments");
    assert_eq!(tidied.scope_of(0).field("scope.name"), &OwnedValue::Absent);
}

#[derive(Record)]
struct Ids {
    #[field("span.trace_id")]
    trace: TraceId,
    #[field("span.parent_span_id")]
    parent: Option<SpanId>,
    #[field("span.start_time")]
    start: Time,
    #[field("span.status.code")]
    status: i64,
}

struct Roots;

impl Filter for Roots {
    type Config = NoConfig;
    type Record<'a> = Ids;

    fn new(_: NoConfig) -> Result<Self, Error> {
        Ok(Roots)
    }

    fn keep(&mut self, span: Ids) -> bool {
        span.parent.is_none() && !span.trace.is_zero() && span.start > Time(0) && span.status != 2
    }
}

#[test]
fn ids_and_times_are_typed() {
    let mut plugin = testing::filter::<Roots>(Signal::Traces, json!({})).unwrap();
    let root = |span: testing::Span| span.trace_id(TraceId([7; 16])).duration(Duration::from_millis(1));
    let spans = Telemetry::spans()
        .span(root)
        .span(|span| root(span).parent_span_id(SpanId([1; 8])))
        .span(|span| span.duration(Duration::ZERO))
        .span(|span| root(span).status_code(2));
    assert_eq!(plugin.run(&spans).unwrap(), [0]);
    assert_eq!(TraceId([0xab; 16]).to_string(), "ab".repeat(16));
}
