#!/usr/bin/env bash
# The kill loop (F41) for a night: KILL_ROUNDS (default 10000) rounds of start, load, `kill -9` and restart on one
# durable queue. Prints the ledger every 100 rounds; fails if an acknowledged span is lost. KILL_SEED repeats a run.
set -euo pipefail
cd "$(dirname "$0")/../.."

export KILL_ROUNDS="${KILL_ROUNDS:-10000}" KILL_SEED="${KILL_SEED:-$RANDOM}"
echo "$KILL_ROUNDS rounds, seed $KILL_SEED"
exec cargo test --locked -p sluicebox --test e2e kill::f41 -- --nocapture
