//! The OpenTelemetry SDK as the client, over TLS, with a token.

use opentelemetry::trace::{Span, Tracer, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithTonicConfig};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use super::papers::{Papers, TLS};
use super::{pipeline, run_with};
use crate::harness::spans;

#[tokio::test(flavor = "multi_thread")]
async fn f18_the_sdk_sends_over_tls_with_its_token_and_not_without() {
    let papers = Papers::issue();
    let authority = papers.authority.pem();
    let auth = format!("{TLS} auth: {{ bearer: {{ tokens: [right-token] }} }},");
    let sluicebox = run_with(papers, &pipeline(&auth, "", ""));
    let sends = async |token: Option<&str>, name: &'static str| {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&authority));
        let endpoint = Endpoint::from_shared(format!("https://{}", sluicebox.address("otlp", "grpc"))).unwrap();
        let channel = endpoint.tls_config(tls).unwrap().connect_lazy();
        let mut metadata = MetadataMap::new();
        if let Some(token) = token {
            metadata.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let exporter = SpanExporter::builder().with_tonic().with_channel(channel).with_metadata(metadata);
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter.build().unwrap()).build();
        provider.tracer("shop").start(name).end();
        let flushed = tokio::task::spawn_blocking(move || provider.force_flush()).await.unwrap();
        flushed.is_ok()
    };
    assert!(!sends(None, "without").await);
    assert!(!sends(Some("wrong-token"), "wrong").await);
    assert!(sends(Some("right-token"), "right").await);
    let lines = sluicebox.wait_for_lines("taken.jsonl", |lines| !spans(lines).is_empty());
    assert_eq!(spans(&lines).iter().map(|span| &span["name"]).collect::<Vec<_>>(), ["right"]);
    sluicebox.stop();
}
