//! A promise of destinations without a queue to say when they have delivered, and what becomes of it when the client
//! hangs up before: it is not tried again for that client, but an attempt that is under way may succeed, and has to
//! be accounted for.

use std::sync::Arc;

use super::entry::{Account, Lease};
use crate::data::intake::Receipt;
use crate::destination::{Charge, Verdict};
use crate::receiver::meter::Meter;
use crate::shard::Shards;

/// A request that is with its destinations. Dropped, it is waited for by a task of its shard.
pub(super) struct Promise {
    state: Option<State>,
    shards: Shards,
    shard: usize,
}

struct State {
    charges: Vec<Charge>,
    worst: Verdict,
    account: Account,
    late: (Arc<Meter>, Lease),
}

impl Promise {
    pub(super) fn new(
        charges: Vec<Charge>,
        account: Account,
        late: (Arc<Meter>, Lease),
        shards: Shards,
        shard: usize,
    ) -> Promise {
        Promise { state: Some(State { charges, worst: Verdict::Taken, account, late }), shards, shard }
    }

    /// Waits for all destinations. The receipt, if none of them leaves records with the client; what a peer refused
    /// for good is counted as dropped at its exporter, and to come again would not help.
    pub(super) async fn kept(mut self) -> Option<Receipt> {
        let worst = self.state.as_mut()?.worst().await;
        let account = self.state.take()?.account;
        (worst != Verdict::Undelivered).then(|| account.settle())
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let Some(state) = self.state.take() else { return };
        state.charges.iter().for_each(Charge::hang_up);
        drop(self.shards.spawn_on(self.shard, "count what a lost client sent", state.finish()));
    }
}

impl State {
    async fn worst(&mut self) -> Verdict {
        while let Some(charge) = self.charges.last_mut() {
            self.worst = self.worst.max(charge.wait().await);
            self.charges.pop();
        }
        self.worst
    }

    /// Counts what was delivered; what was not is still with the client.
    async fn finish(mut self) {
        if self.worst().await != Verdict::Undelivered {
            let signal = self.account.signal;
            self.late.0.taken(signal, &self.account.settle());
        }
    }
}
