#!/usr/bin/env bash
# Everything that needs a GPU, in one run of at most 8 minutes; prints one line of JSON.
#
#   benchmarks/gpu.sh                  # on a machine with a GPU and the packages of the project
#   benchmarks/gpu.sh --device cpu --cells 16 --side 4 --sites 8   # the same steps, small, anywhere
#
# Ends with 2 and says so if there is no GPU, with 1 if results differ from those of the CPU, with
# 124 after 8 minutes. The JSON of a real run belongs into docs/performance.md.
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}"
exec timeout 480 "${PYTHON:-python}" benchmarks/gpu.py "$@"
