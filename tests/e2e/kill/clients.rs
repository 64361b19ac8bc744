//! Clients that send as fast as they are answered, and note what was acknowledged.

use std::time::Duration;

use prost::Message;
use sluicebox::data::Signal;
use tokio::task::JoinHandle;
use tonic::Status;

use super::chance::Chance;
use super::ledger::Ledger;
use crate::client::GrpcClient;
use crate::harness::Sluicebox;
use crate::requests::{span, traces};

/// Most spans of one request.
const SPANS_MAX: u64 = 20;

/// Clients of one round.
pub struct Clients(Vec<JoinHandle<()>>);

impl Clients {
    /// Connects so many, each with a connection of its own, and has them send until the process is gone.
    pub async fn start(count: usize, to: &Sluicebox, ledger: &Ledger, chance: &mut Chance) -> Clients {
        let mut tasks = Vec::with_capacity(count);
        for _ in 0..count {
            let client = GrpcClient::connect(to).await;
            tasks.push(tokio::spawn(send(client, ledger.clone(), chance.branch())));
        }
        Clients(tasks)
    }

    /// Waits until they have noticed that nobody is there any more.
    pub async fn gone(self) {
        for task in self.0 {
            task.await.unwrap();
        }
    }
}

async fn send(client: GrpcClient, ledger: Ledger, mut chance: Chance) {
    loop {
        let numbers = ledger.open(1 + chance.below(SPANS_MAX));
        let spans = numbers.clone().map(|number| {
            let mut span = span("kill");
            span.span_id = (number + 1).to_be_bytes().to_vec();
            span
        });
        match client.try_export(Signal::Traces, traces(spans.collect()).encode_to_vec()).await {
            Ok(_) => ledger.acknowledge(numbers),
            // Told to come again: the queue is full. A new request does as well.
            Err(status) if is_an_answer(&status) => tokio::time::sleep(Duration::from_millis(2)).await,
            Err(_) => return,
        }
    }
}

/// Whether the server said it, and not the connection.
fn is_an_answer(status: &Status) -> bool {
    std::error::Error::source(status).is_none()
}
