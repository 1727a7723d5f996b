#!/bin/bash
# Training steps alone and beside one other process that computes all the time, by how OpenMP's threads wait for each
# other: as libgomp has it, and as the programs have it (examples/common/polite.hpp). Both in turn; medians of
# the rounds. Arguments go to benchmark_step.
#   bash benchmarks/busy_machine.sh --batch 64
# ROUNDS=5 repeats more often than three times. The machine has to be quiet otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."
. benchmarks/common.sh
rounds=${ROUNDS:-3}
unset OMP_WAIT_POLICY GOMP_SPINCOUNT
polite=$(sed -n 's/.*spins = "\([0-9]*\)".*/\1/p' examples/common/polite.hpp)
test -n "$polite" || { echo "examples/common/polite.hpp names no number of spins" >&2; exit 1; }
declare -A setting=([libgomp]="" [polite]="GOMP_SPINCOUNT=$polite")

build benchmark_step
stage=$(mktemp -d)
other=
trap '[ -z "$other" ] || kill "$other"; rm -rf "$stage"' EXIT

step() {
  env ${setting[$1]} build/release/bin/benchmark_step --threads "$(nproc)" "${@:2}" |
    sed -n 's/.*median \([0-9.]*\) ms.*/\1/p'
}
for ((round = 1; round <= rounds; ++round)); do
  for waiting in libgomp polite; do
    step $waiting "$@" >>"$stage/$waiting.alone"
    bash -c 'while :; do :; done' &
    other=$!
    step $waiting "$@" >>"$stage/$waiting.busy"
    kill $other
    wait $other 2>/dev/null || true
    other=
  done
done

printf '%-8s %12s %16s %8s %18s\n' waiting "alone, ms" "beside one, ms" ratio "alone / libgomp's"
for waiting in libgomp polite; do
  alone=$(median <"$stage/$waiting.alone") busy=$(median <"$stage/$waiting.busy")
  usual=$(median <"$stage/libgomp.alone")
  awk -v w=$waiting -v a="$alone" -v b="$busy" -v u="$usual" \
    'BEGIN { printf "%-8s %12.1f %16.1f %8.2f %18.3f\n", w, a, b, b / a, a / u }'
done
