#!/bin/bash
# Everything that a GPU has to show, from the bundle that pack.sh makes: tests, golden files, compute-sanitizer, steps
# and attention beside PyTorch, the kernels of steps. Within about six minutes on 16 processors and one H200.
#   bash benchmarks/cuda/check.sh OUT
# Leaves in the folder OUT checks.jsonl and results.jsonl, a line of JSON for each check and each measurement, the
# kernels of steps in trace.*.txt, and logs. The exit status says whether all checks passed. PYTHON names the Python
# that has PyTorch.
set -uo pipefail
out=$(realpath -m "${1:?usage: check.sh OUT}")
cd "$(dirname "$0")/../.." || exit
mkdir -p "$out"
rm -f "$out"/*.log "$out"/*.txt "$out"/*.jsonl
python=${PYTHON:-python3}
export PATH=$PATH:/usr/local/cuda/bin
export TORCHINDUCTOR_CACHE_DIR=$out/inductor TORCHINDUCTOR_FX_GRAPH_CACHE=1
export OMP_NUM_THREADS=4

# check NAME SECONDS COMMAND...: notes whether the command passes in time, and keeps what it prints. 77: it was skipped.
check() {
  local name=$1 seconds=$2 start=$SECONDS status=0 result
  local log=$out/${name//[ \/]/-}.log
  timeout -k 5 "$seconds" "${@:3}" >"$log" 2>&1 || status=$?
  case $status in
    0) result=passed ;;
    77) result=skipped ;;
    124 | 137) result="not done in $seconds s" ;;
    *) result="FAILED with status $status" ;;
  esac
  printf '{"check": "%s", "result": "%s", "seconds": %d}\n' "$name" "$result" $((SECONDS - start)) >>"$out/checks.jsonl"
  echo "$name: $result"
  test "${result:0:6}" != FAILED || tail -n 15 "$log"
}

# torch.compile takes a minute or more for each network: that runs beside the tests, and leaves its work in a cache.
background=()
while read -r batch model; do
  timeout -k 5 150 "$python" benchmarks/cuda/pytorch.py step "$model" "$batch" 1 default \
    >"$out/warm-up-${model//[ \/]/-}.log" 2>&1 &
  background+=($!)
done <<'MODELS'
128 ViT-B/16
1024 ViT-Ti/4
128 ViT-S/16
128 ViT-S/16, heads of 32
MODELS

tests=(expressions conformance attention augment lanes products training)
for test in "${tests[@]}"; do check "$test" 60 "bin/${test}_test"; done
for scalar in f64 f32 bf16; do
  check "golden $scalar" 60 bin/check_golden --device cuda --scalar $scalar tests/golden/*.safetensors
done
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck initcheck; do
    for test in "${tests[@]}"; do
      check "$tool $test" 110 compute-sanitizer --tool $tool --error-exitcode 9 "bin/${test}_test" &
      background+=($!)
    done
  done
else
  echo "There is no compute-sanitizer: its checks are left out."
fi
wait "${background[@]}"

# From here on the device does one thing at a time.
LIMIT=$((300 - SECONDS)) MODES=default bash benchmarks/cuda/run.sh "$out/results.jsonl" bin >"$out/run.log" 2>&1
trace() {
  local name=trace.${1//[ \/]/-}
  test $SECONDS -ge 345 ||
    timeout -k 5 25 "$python" benchmarks/cuda/trace.py bin/libstep.so "$@" >"$out/$name.txt" 2>"$out/$name.log"
}
trace ViT-B/16 128
trace ViT-Ti/4 1024
trace ViT-S/16 128

for file in "$out"/trace.*.txt; do sed -n '1p;/^By family/,$p' "$file"; done
cat "$out/run.log"
echo
cat "$out/checks.jsonl"
! grep -qv '"passed"' "$out/checks.jsonl"
