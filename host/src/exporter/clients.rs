//! The clients of one endpoint on one shard: one a connection, each in turn, and new ones when the endpoint has moved.
//!
//! Clients that are replaced end with the last attempt that has one; nothing under way is disturbed.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{Access, BuildError, Exporter};
use crate::config::spec::TargetSpec;

/// The clients of one endpoint.
#[derive(Debug)]
pub struct Clients {
    target: TargetSpec,
    access: Access,
    connections: usize,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    /// Moves of the endpoint that they know of.
    moves: u64,
    turn: usize,
    first: Arc<Exporter>,
    more: Vec<Arc<Exporter>>,
}

impl Clients {
    /// Builds the clients of a target with one endpoint; connects nothing yet. Must be called inside the runtime that
    /// will use them.
    pub fn build(target: TargetSpec, access: &Access) -> Result<Clients, BuildError> {
        let connections = match &target {
            TargetSpec::OtlpGrpc(client) => client.spread.connections.get(),
            // HTTP/1.1 has as many as there are requests under way.
            TargetSpec::OtlpHttp(_) | TargetSpec::File(_) | TargetSpec::Debug(_) => 1,
        };
        let (first, more) = build(&target, access, connections)?;
        let current = Mutex::new(Current { moves: 0, turn: 0, first, more });
        Ok(Clients { target, access: access.clone(), connections, current })
    }

    /// The client whose turn it is; `moves` is how often the endpoint has moved so far.
    pub fn next(&self, moves: u64) -> Arc<Exporter> {
        let mut current = self.current.lock();
        if current.moves != moves {
            current.moves = moves;
            match build(&self.target, &self.access, self.connections) {
                Ok((first, more)) => (current.first, current.more) = (first, more),
                Err(error) => tracing::error!("connections stay where they are: {error}"),
            }
        }
        let turn = current.turn;
        current.turn = (turn + 1) % self.connections;
        let more = turn.checked_sub(1).and_then(|index| current.more.get(index));
        Arc::clone(more.unwrap_or(&current.first))
    }

    /// Any of them: all prepare requests alike.
    pub fn any(&self) -> Arc<Exporter> {
        Arc::clone(&self.current.lock().first)
    }
}

type Built = (Arc<Exporter>, Vec<Arc<Exporter>>);

fn build(target: &TargetSpec, access: &Access, connections: usize) -> Result<Built, BuildError> {
    let one = || Exporter::build(target, access).map(Arc::new);
    Ok((one()?, (1..connections).map(|_| one()).collect::<Result<_, _>>()?))
}
