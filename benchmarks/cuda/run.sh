#!/bin/bash
# Vitral beside PyTorch on one GPU, in bf16: training steps of SD-MoCo v3 and attention. Prints a table and writes what
# was measured to a file, a line of JSON each.
#   bash benchmarks/cuda/run.sh RESULTS.jsonl [BIN]
# BIN is a folder with the programs step and attention; without it they are compiled. PYTHON names the Python that has
# PyTorch, LIMIT the seconds after which no measurement goes on, MODES the modes of torch.compile. Exit status 77: there
# is no nvcc, GPU or PyTorch.
set -euo pipefail
results=$(realpath "${1:?usage: run.sh RESULTS.jsonl [BIN]}") bin=${2:+$(realpath "$2")}
cd "$(dirname "$0")/../.."
limit=${LIMIT:-460}  # what takes longest and matters least comes last
modes=(${MODES:-default max-autotune-no-cudagraphs})
pytorch="${PYTHON:-python3} benchmarks/cuda/pytorch.py"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

$pytorch product >"$results"  # ends the script with status 77 where there is no PyTorch or no GPU

build() {
  bash cmake/nvcc.sh nvcc usual -O2 --threads 2 -Iinclude "benchmarks/cuda/$1.cu" -o "$stage/$1" -lcublasLt
}
if [ -z "$bin" ]; then
  bin=$stage
  PATH=$PATH:/usr/local/cuda/bin
  command -v nvcc >/dev/null || { echo "There is no nvcc: install the CUDA Toolkit." >&2; exit 77; }
  build attention & building=$!
  build step
  wait $building
fi

# measure COMMAND...: adds its lines to those of the work at hand; fails where memory does not suffice. What else goes
# wrong is told, and left out.
measure() {
  local left=$((limit - SECONDS)) status=0
  test $left -gt 0 || { echo "No time is left for: $*" >&2; return 0; }
  timeout -k 5 $left "$@" >"$stage/out" 2>"$stage/errors" || status=$?
  tee -a "$stage/lines" <"$stage/out"
  test $status -ne 0 || return 0
  ! grep -qi "out of memory" "$stage/errors" || return 1
  echo "Exit status $status of: $*" >&2
  tail -n 3 "$stage/errors" >&2
}

declare -A batch=([ViT-S/16]=128 ["ViT-S/16, heads of 32"]=128 [ViT-B/16]=128 [ViT-Ti/4]=1024)
models=(ViT-S/16 ViT-B/16 ViT-Ti/4 "ViT-S/16, heads of 32")
for model in "${models[@]}"; do
  until : >"$stage/lines"
        measure "$bin/step" "$model" ${batch[$model]} 4 &&
        measure $pytorch step "$model" ${batch[$model]} 4 eager &&
        measure $pytorch step "$model" ${batch[$model]} 4 "${modes[0]}"; do
    batch[$model]=$((${batch[$model]} / 2))
    echo "Out of memory: $model goes on with batch ${batch[$model]}."
  done
  cat "$stage/lines" >>"$results"
done
: >"$stage/lines"
measure "$bin/attention" 32768 10 || true
for backend in flash cuDNN; do measure $pytorch attention $backend 32768 10 || true; done
for mode in "${modes[@]:1}"; do
  for model in "${models[@]}"; do measure $pytorch step "$model" ${batch[$model]} 4 "$mode" || true; done
done
cat "$stage/lines" >>"$results"

${PYTHON:-python3} benchmarks/cuda/table.py "$results"
