//! Which of several endpoints is next: a pure choice among those that can be used now.
//!
//! Each lane has its own, so that nothing is shared; what a choice costs is one pass over the endpoints a batch.

use crate::config::spec::Balance;

/// Chooses endpoints, by index.
#[derive(Debug)]
pub struct Balancer {
    balance: Balance,
    weights: Vec<u32>,
    /// Where the next turn begins.
    turn: usize,
    /// Smooth weighted round robin: what each endpoint has saved up.
    credit: Vec<i64>,
}

impl Balancer {
    /// For endpoints of these weights, at least 1 each. `start` is where the turns begin, so that lanes do not go in
    /// step.
    pub fn new(balance: Balance, weights: Vec<u32>, start: usize) -> Balancer {
        let turn = start % weights.len().max(1);
        let credit = vec![0; weights.len()];
        Balancer { balance, weights, turn, credit }
    }

    /// The next endpoint of those that are `usable`; `load` tells how many requests are under way to one.
    pub fn next(&mut self, usable: impl Fn(usize) -> bool, load: impl Fn(usize) -> usize) -> Option<usize> {
        match self.balance {
            Balance::Failover => (0..self.weights.len()).find(|&index| usable(index)),
            Balance::RoundRobin => self.in_turn().find(|&index| usable(index)).inspect(|&index| self.turn = index + 1),
            Balance::LeastLoaded => {
                let chosen = self.least_loaded(usable, load)?;
                self.turn = chosen + 1;
                Some(chosen)
            }
            Balance::Weighted => self.weighted(usable),
        }
    }

    /// All of them, from the turn on.
    fn in_turn(&self) -> impl Iterator<Item = usize> + use<> {
        let (count, turn) = (self.weights.len(), self.turn);
        (0..count).map(move |step| (turn + step) % count)
    }

    /// Loads are compared as fractions of the weights, without dividing.
    fn least_loaded(&self, usable: impl Fn(usize) -> bool, load: impl Fn(usize) -> usize) -> Option<usize> {
        let candidates = self.in_turn().filter(|&index| usable(index));
        let with_load = candidates.map(|index| (index, load(index) as u128, u128::from(self.weight(index))));
        let least = with_load.reduce(|a, b| if b.1 * a.2 < a.1 * b.2 { b } else { a });
        least.map(|(index, _, _)| index)
    }

    /// Each usable one saves up its weight; the richest is next and pays for all. What cannot be used saves nothing,
    /// so that it is not flooded when it is back.
    fn weighted(&mut self, usable: impl Fn(usize) -> bool) -> Option<usize> {
        let mut total = 0;
        let mut richest: Option<(usize, i64)> = None;
        for (index, (credit, weight)) in self.credit.iter_mut().zip(&self.weights).enumerate() {
            if !usable(index) {
                continue;
            }
            *credit += i64::from(*weight);
            total += i64::from(*weight);
            if richest.is_none_or(|(_, most)| *credit > most) {
                richest = Some((index, *credit));
            }
        }
        let (chosen, _) = richest?;
        if let Some(credit) = self.credit.get_mut(chosen) {
            *credit -= total;
        }
        Some(chosen)
    }

    fn weight(&self, index: usize) -> u32 {
        self.weights.get(index).copied().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn idle(_: usize) -> usize {
        0
    }

    fn shares(balancer: &mut Balancer, rounds: usize, usable: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut shares = vec![0; balancer.weights.len()];
        for _ in 0..rounds {
            shares[balancer.next(&usable, idle).unwrap()] += 1;
        }
        shares
    }

    #[test]
    fn round_robin_takes_each_in_turn_and_leaves_out_what_cannot_be_used() {
        let mut balancer = Balancer::new(Balance::RoundRobin, vec![1; 3], 4);
        let turns: Vec<_> = (0..5).map(|_| balancer.next(|_| true, idle).unwrap()).collect();
        assert_eq!(turns, [1, 2, 0, 1, 2]);
        assert_eq!(shares(&mut balancer, 10, |index| index != 1), [5, 0, 5]);
    }

    #[test]
    fn weighted_keeps_to_the_weights_and_spreads_them_smoothly() {
        let mut balancer = Balancer::new(Balance::Weighted, vec![5, 1, 1], 0);
        let turns: Vec<_> = (0..7).map(|_| balancer.next(|_| true, idle).unwrap()).collect();
        assert_eq!(turns, [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn failover_goes_back_to_the_first_that_works() {
        let mut balancer = Balancer::new(Balance::Failover, vec![1; 3], 2);
        assert_eq!(balancer.next(|_| true, idle), Some(0));
        assert_eq!(balancer.next(|index| index > 0, idle), Some(1));
        assert_eq!(balancer.next(|_| true, idle), Some(0));
    }

    #[test]
    fn least_loaded_looks_at_load_and_weight_and_takes_equals_in_turn() {
        let mut balancer = Balancer::new(Balance::LeastLoaded, vec![1, 3], 0);
        assert_eq!(balancer.next(|_| true, |index| [1, 2][index]), Some(1));
        assert_eq!(balancer.next(|_| true, |index| [0, 2][index]), Some(0));
        let mut balancer = Balancer::new(Balance::LeastLoaded, vec![1; 3], 0);
        assert_eq!(shares(&mut balancer, 9, |_| true), [3, 3, 3]);
    }

    fn strategies() -> impl Strategy<Value = Balance> {
        let all = [Balance::RoundRobin, Balance::Weighted, Balance::LeastLoaded, Balance::Failover];
        proptest::sample::select(all.to_vec())
    }

    proptest! {
        #[test]
        fn what_is_chosen_can_be_used_and_something_is_if_anything_can(
            balance in strategies(),
            ends in prop::collection::vec((1u32..100, any::<bool>(), 0usize..1000), 0..8),
            start in any::<usize>(),
        ) {
            let mut balancer = Balancer::new(balance, ends.iter().map(|end| end.0).collect(), start);
            for _ in 0..20 {
                let chosen = balancer.next(|index| ends[index].1, |index| ends[index].2);
                prop_assert_eq!(chosen.is_some(), ends.iter().any(|end| end.1));
                prop_assert!(chosen.is_none_or(|index| ends[index].1));
            }
        }

        #[test]
        fn over_whole_rounds_shares_are_exactly_the_weights(weights in prop::collection::vec(1u32..20, 1..8)) {
            let total: u32 = weights.iter().sum();
            let mut balancer = Balancer::new(Balance::Weighted, weights.clone(), 0);
            let expected: Vec<usize> = weights.iter().map(|&weight| weight as usize * 3).collect();
            prop_assert_eq!(shares(&mut balancer, total as usize * 3, |_| true), expected);
        }

        #[test]
        fn an_endpoint_that_comes_back_gets_no_more_than_its_share(weights in prop::collection::vec(1u32..20, 2..8)) {
            let total: u32 = weights.iter().sum();
            let mut balancer = Balancer::new(Balance::Weighted, weights.clone(), 0);
            shares(&mut balancer, 100, |index| index != 0);
            let first = shares(&mut balancer, total as usize, |_| true)[0];
            prop_assert!(first <= weights[0] as usize + 1, "{first} of {total}");
        }
    }
}
