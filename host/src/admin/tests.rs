//! The endpoint over loopback, asked by a real HTTP client.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use reqwest::{Client, Method, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::status::{PipelineStatus, ReceiverStatus, ReloadOutcome, StageStatus};
use super::{Admin, Board, Serving};
use crate::data::Signal;
use crate::gate::Gate;
use crate::telemetry::metrics::{ExporterLabels, Metrics, ReceiverLabels};

struct Scene {
    admin: Admin,
    board: Arc<Board>,
    metrics: Metrics,
    client: Client,
}

impl Scene {
    async fn start() -> Self {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let board = Board::new(metrics.clone(), crate::memory::Memory::unlimited(), crate::audit::Audit::default());
        let admin = Admin::start("127.0.0.1:0", Gate::open(), Arc::new(registry), board.clone()).await.unwrap();
        Scene { admin, board, metrics, client: Client::new() }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.admin.local_addr())
    }

    async fn fetch(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    async fn json(&self, path: &str) -> (StatusCode, serde_json::Value) {
        let response = self.fetch(path).await;
        assert_eq!(response.headers()["content-type"], "application/json");
        (response.status(), response.json().await.unwrap())
    }
}

fn listener(transport: &str, address: Option<&str>) -> ReceiverStatus {
    let address = address.map(str::to_owned);
    ReceiverStatus { id: "otlp".to_owned(), transport: transport.to_owned(), address }
}

fn serving() -> Serving {
    let texts = |x: &[&str]| x.iter().map(|&x| x.to_owned()).collect::<Vec<_>>();
    let stage = StageStatus {
        id: "drop-probes".to_owned(),
        plugin: "drop".to_owned(),
        version: "0.1.0".to_owned(),
        digest: "ab12".to_owned(),
        kind: "filter".to_owned(),
        reads: texts(&["span.attributes[\"http.route\"]"]),
        writes: Vec::new(),
        source: "standard".to_owned(),
    };
    let pipeline = PipelineStatus {
        id: "traces".to_owned(),
        signal: Signal::Traces,
        generation: 2,
        receivers: texts(&["otlp"]),
        stages: vec![stage],
        exporters: texts(&["file"]),
    };
    Serving { generation: 2, pipelines: vec![pipeline], exporters: texts(&["file"]), endpoints: Default::default() }
}

#[tokio::test]
async fn a_process_is_ready_when_all_listeners_are_bound_and_a_generation_serves() {
    let scene = Scene::start().await;
    scene.board.listen(vec![listener("grpc", Some("127.0.0.1:4317")), listener("http", None)]);
    let reasons = ["no generation serves yet", "receiver otlp does not listen on http yet"];
    let expected = serde_json::json!({ "ready": false, "reasons": reasons });
    assert_eq!(scene.json("/readyz").await, (StatusCode::SERVICE_UNAVAILABLE, expected));

    scene.board.serve(serving());
    scene.board.listen(vec![listener("http", Some("127.0.0.1:4318"))]);
    let expected = serde_json::json!({ "ready": true, "reasons": [] });
    assert_eq!(scene.json("/readyz").await, (StatusCode::OK, expected));

    scene.board.drain();
    let expected = serde_json::json!({ "ready": false, "reasons": ["draining: the process is about to end"] });
    assert_eq!(scene.json("/readyz").await, (StatusCode::SERVICE_UNAVAILABLE, expected));
    assert_eq!(scene.json("/healthz").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_dead_task_makes_the_process_unhealthy_and_is_named() {
    let scene = Scene::start().await;
    assert_eq!(scene.json("/healthz").await.0, StatusCode::OK);
    scene.board.bury("shard-1", "panicked");
    let dead = serde_json::json!([{ "task": "shard-1", "reason": "panicked" }]);
    let expected = serde_json::json!({ "healthy": false, "dead_tasks": dead });
    assert_eq!(scene.json("/healthz").await, (StatusCode::SERVICE_UNAVAILABLE, expected));
}

#[tokio::test]
async fn metrics_come_in_the_format_that_is_asked_for() {
    let scene = Scene::start().await;
    let labels = ReceiverLabels { receiver: "otlp".to_owned(), transport: "grpc" };
    scene.metrics.receiver_accepted.counter(Signal::Traces, &labels).inc_by(5);
    let sample = "otelcol_receiver_accepted_spans_total{receiver=\"otlp\",transport=\"grpc\"} 5\n";

    let response = scene.fetch("/metrics").await;
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text().await.unwrap();
    assert!(text.contains(&format!("# TYPE otelcol_receiver_accepted_spans_total counter\n{sample}")), "{text}");

    let request = scene.client.get(scene.url("/metrics")).header("accept", "application/openmetrics-text");
    let response = request.send().await.unwrap();
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(response.headers()["content-type"], content_type);
    let text = response.text().await.unwrap();
    assert!(text.contains(&format!("# TYPE otelcol_receiver_accepted_spans counter\n{sample}")), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn status_tells_what_runs() {
    let scene = Scene::start().await;
    scene.board.serve(serving());
    scene.board.listen(vec![listener("grpc", Some("127.0.0.1:4317"))]);
    scene.board.record_reload(ReloadOutcome::Refused, 2, Some("p.yaml:3: unknown key `exprters`".to_owned()));
    let exporter = ExporterLabels { exporter: "file".to_owned() };
    scene.metrics.exporter_queue_size.get_or_create_owned(&exporter).set(512);
    scene.metrics.exporter_queue_records.get_or_create_owned(&exporter).set(3);
    scene.metrics.exporter_queue_capacity.get_or_create_owned(&exporter).set(1024);
    let labels = ReceiverLabels { receiver: "otlp".to_owned(), transport: "grpc" };
    scene.metrics.receiver_accepted.counter(Signal::Traces, &labels).inc_by(5);

    let response = scene.fetch("/status").await;
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.text().await.unwrap();
    let moving = regex::Regex::new(r#"(?m)^(  "version"|  "started_at"|  "uptime_s"|    "at"): .*,$"#).unwrap();
    insta::assert_snapshot!(moving.replace_all(&body, "$1: …,"), @r##"
    {
      "version": …,
      "started_at": …,
      "uptime_s": …,
      "ready": true,
      "reasons": [],
      "generation": 2,
      "pipelines": [
        {
          "id": "traces",
          "signal": "traces",
          "generation": 2,
          "receivers": [
            "otlp"
          ],
          "stages": [
            {
              "id": "drop-probes",
              "plugin": "drop",
              "version": "0.1.0",
              "digest": "ab12",
              "kind": "filter",
              "reads": [
                "span.attributes[\"http.route\"]"
              ],
              "writes": [],
              "source": "standard"
            }
          ],
          "exporters": [
            "file"
          ]
        }
      ],
      "receivers": [
        {
          "id": "otlp",
          "transport": "grpc",
          "address": "127.0.0.1:4317"
        }
      ],
      "exporters": [
        {
          "id": "file",
          "queue_bytes": 512,
          "queue_records": 3,
          "capacity": 1024,
          "recovered_records": 0,
          "compression": null,
          "endpoints": []
        }
      ],
      "left_behind": [],
      "last_reload": {
        "at": …,
        "outcome": "refused",
        "generation": 2,
        "error": "p.yaml:3: unknown key `exprters`"
      },
      "memory": {
        "held_bytes": 0,
        "soft_limit_bytes": null,
        "hard_limit_bytes": null,
        "resident_bytes": null,
        "refusing": false
      },
      "queued": 3,
      "accounting": {
        "traces": {
          "accepted": 5,
          "refused": 0,
          "rejected": 0,
          "recovered": 0,
          "kept": 0,
          "delivered": 0,
          "given_up": 0,
          "rejected_by_peers": 0,
          "dropped": {},
          "dropped_by": {}
        },
        "metrics": {
          "accepted": 0,
          "refused": 0,
          "rejected": 0,
          "recovered": 0,
          "kept": 0,
          "delivered": 0,
          "given_up": 0,
          "rejected_by_peers": 0,
          "dropped": {},
          "dropped_by": {}
        },
        "logs": {
          "accepted": 0,
          "refused": 0,
          "rejected": 0,
          "recovered": 0,
          "kept": 0,
          "delivered": 0,
          "given_up": 0,
          "rejected_by_peers": 0,
          "dropped": {},
          "dropped_by": {}
        }
      }
    }
    "##);
}

#[tokio::test]
async fn generations_and_reloads_are_counted_and_a_pipeline_that_is_gone_has_no_generation() {
    let scene = Scene::start().await;
    scene.board.serve(serving());
    let mut other = serving();
    other.pipelines[0].id = "traces/other".to_owned();
    other.pipelines[0].generation = 3;
    scene.board.serve(other);
    scene.board.record_reload(ReloadOutcome::Applied, 3, None);
    scene.board.record_reload(ReloadOutcome::Unchanged, 3, None);
    let text = scene.fetch("/metrics").await.text().await.unwrap();
    let generations: Vec<&str> = text.lines().filter(|x| x.starts_with("sluicebox_pipeline_generation")).collect();
    assert_eq!(generations, ["sluicebox_pipeline_generation{pipeline=\"traces/other\"} 3"]);
    for outcome in ["applied", "unchanged"] {
        let sample = format!("sluicebox_reloads_total{{outcome=\"{outcome}\"}} 1\n");
        assert!(text.contains(&sample), "{text}");
    }
}

#[tokio::test]
async fn status_before_the_first_generation_is_empty_and_valid() {
    let scene = Scene::start().await;
    let (status, body) = scene.json("/status").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&body["generation"], &body["last_reload"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!(body["pipelines"], serde_json::json!([]));
}

#[tokio::test]
async fn other_paths_and_methods_are_told_what_there_is() {
    let scene = Scene::start().await;
    let response = scene.fetch("/").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(response.text().await.unwrap().contains("/status"));
    let response = scene.client.request(Method::POST, scene.url("/status")).body("x").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "GET, HEAD");
    let response = scene.client.head(scene.url("/healthz")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.text().await.unwrap(), "");
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_mend() {
    let scene = Scene::start().await;
    let address = scene.admin.local_addr().to_string();
    let again = Admin::start(&address, Gate::open(), Arc::new(Registry::default()), scene.board.clone()).await;
    let text = again.unwrap_err().to_string();
    let expected = format!(
        "the admin endpoint {address} cannot be opened: something else listens there; stop it, or give \
         `service.telemetry.endpoint` another address, or `none`"
    );
    assert_eq!(text, expected);
    let odd = Admin::start("nowhere", Gate::open(), Arc::new(Registry::default()), scene.board.clone()).await;
    let expected = "the admin endpoint nowhere cannot be opened: the address has to be host:port, as in 127.0.0.1:8888";
    assert_eq!(odd.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn stop_ends_idle_connections_and_frees_the_port() {
    let scene = Scene::start().await;
    let address = scene.admin.local_addr();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 1024];
    let read = idle.read(&mut answer).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200 OK\r\n"));

    timeout(Duration::from_secs(60), scene.admin.stop()).await.expect("the stop ends");
    let mut rest = Vec::new();
    timeout(Duration::from_secs(60), idle.read_to_end(&mut rest)).await.expect("the connection ends").unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn more_connections_than_the_limit_wait_and_are_served_when_others_leave() {
    let scene = Scene::start().await;
    let address = scene.admin.local_addr();
    let mut idle = Vec::new();
    for _ in 0..super::CONNECTIONS_MAX {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let mut late = TcpStream::connect(address).await.unwrap();
    late.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    idle.clear();
    let mut answer = Vec::new();
    timeout(Duration::from_secs(60), late.read_to_end(&mut answer)).await.expect("it is served").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
}
