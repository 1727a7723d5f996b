#!/bin/bash
# Training steps in Vitral and in PyTorch, in turn, from the same networks and images: time, memory and the share of
# what this machine can do. All arguments go to both programs (benchmark_step --help), --compile to PyTorch alone.
#   bash benchmarks/against_pytorch.sh --batch 64 --dtype bf16
# ROUNDS=5 repeats more often than three times; PYTHON names the Python that has PyTorch, see pytorch.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
. benchmarks/pytorch.sh
rounds=${ROUNDS:-3}
options=("$@") vitral_options=()
for option in "$@"; do
  test "$option" = --compile || vitral_options+=("$option")
done

# option NAME DEFAULT: its value among the arguments.
option() {
  local value
  value=$(printf '%s\n' "${options[@]}" | sed -n "/^$1\$/{n;p}; s/^$1=//p" | tail -1)
  echo "${value:-$2}"
}
dtype=$(option --dtype fp32)
tolerance=1e-4
test "$dtype" = fp32 || tolerance=3e-2

# number BEFORE AFTER FILE: what stands between two texts, from each line that has them.
number() { sed -n "s|.*$1\([-+.0-9e]*\)$2.*|\1|p" "$3"; }

build benchmark_step machine_peak
state=$stage/state.safetensors
run_python step_time.py "$@" --write-state "${state#"$python_root"}"
build/release/bin/machine_peak --threads "$(option --threads 2)" | tee "$stage/peak"
for ((round = 1; round <= rounds; ++round)); do
  echo "round $round"
  build/release/bin/benchmark_step "${vitral_options[@]}" --state "$state" | tee "$stage/line"
  cat "$stage/line" >>"$stage/vitral"
  run_python step_time.py "$@" --state "${state#"$python_root"}" | tee "$stage/line"
  cat "$stage/line" >>"$stage/pytorch"
done

paste <(number "first loss " "" "$stage/vitral") <(number "first loss " "" "$stage/pytorch") |
  awk -v tolerance=$tolerance -v rounds="$rounds" '
    function size(x) { return x < 0 ? -x : x }
    NF == 2 && size($1 - $2) <= tolerance * size($2) { ++equal; next }
    { print "The first losses differ: Vitral has " $1 " and PyTorch " $2 "; the times say nothing." >"/dev/stderr" }
    END { exit equal != rounds }'

# ratio BEFORE AFTER ABOVE BELOW: of one number, round by round.
ratio() {
  paste <(number "$1" "$2" "$stage/$3") <(number "$1" "$2" "$stage/$4") | awk '{ print $1 / $2 }' | median range
}
echo
echo "Time, PyTorch / Vitral: $(ratio "median " " ms" pytorch vitral)"
echo "Peak memory, Vitral / PyTorch: $(ratio "RSS " " MiB" vitral pytorch)"
gflop=$(number "plain method: " " GFLOP" "$stage/vitral" | head -1)
peak_of=$dtype  # bf16 arithmetic is held against fp32's where the processor has none of its own
grep -q "^$dtype" "$stage/peak" || peak_of=fp32
grep "^$peak_of" "$stage/peak" | while IFS=: read -r what rate; do
  for program in vitral pytorch; do
    echo "$gflop $(number "median " " ms" "$stage/$program" | median) ${rate% GFLOP/s}" |
      awk -v program="${program/pytorch/PyTorch}" -v what="$what" '
        { rate = $1 / $2 * 1e3; printf "%s: %.0f GFLOP/s, %.1f %% of %s\n", program, rate, 100 * rate / $3, what }'
  done
done | sed 's/^vitral/Vitral/'
