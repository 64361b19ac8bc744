//! The rounds: files of gates are looked at again and again.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Gate;
use super::rotating::{Rotating, Source};
use crate::supervise::Panics;

/// Looks at the files of gates, each at its interval, until it is dropped. One task a gate, owned here.
#[derive(Debug, Default)]
pub struct Rounds {
    /// They end when this is dropped.
    _tasks: JoinSet<()>,
}

impl Rounds {
    /// Begins, on the current runtime, and tells what is in use from now on.
    pub fn start<'a>(gates: impl IntoIterator<Item = &'a Gate>) -> Rounds {
        let mut tasks = JoinSet::new();
        for gate in gates.into_iter().filter(|gate| gate.tls.is_some() || gate.auth.is_some()) {
            gate.tell();
            let gate = gate.clone();
            tasks.spawn(async move {
                let looks = || {
                    futures_util::future::join(again_and_again(gate.tls.clone()), again_and_again(gate.auth.clone()))
                };
                Panics::default().survived("rotation of credentials", looks).await;
            });
        }
        Rounds { _tasks: tasks }
    }
}

async fn again_and_again<S: Source>(rotating: Option<Arc<Rotating<S>>>) {
    let Some(rotating) = rotating else { return };
    loop {
        sleep(rotating.interval()).await;
        rotating.look().await;
    }
}
