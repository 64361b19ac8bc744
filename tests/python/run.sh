#!/bin/sh
# Sends traces, metrics and logs with the OpenTelemetry SDK for Python through the real binary.
#
#   tests/python/run.sh [BINARY]        default: target/debug/sluicebox
#
# Needs python3 (3.10 or later) with venv. Its packages are kept under target/python.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
binary=${1:-$root/target/debug/sluicebox}
venv=$root/target/python/venv

if [ ! -x "$binary" ]; then
    echo "run.sh: $binary is not there; build it (cargo build) or name another binary" >&2
    exit 2
fi
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/requirements.txt"
fi
exec "$venv/bin/python" "$here/otlp_sdk.py" "$binary"
