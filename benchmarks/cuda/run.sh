#!/bin/bash
# Vitral beside PyTorch on one GPU, in bf16: training steps of SD-MoCo v3 and attention. Prints a table and writes what
# was measured to a file, a line of JSON each.
#   bash benchmarks/cuda/run.sh RESULTS.jsonl
# PYTHON names the Python that has PyTorch; the default is python3. Exit status 77: there is no nvcc, GPU or PyTorch.
set -euo pipefail
results=$(realpath "${1:?usage: run.sh RESULTS.jsonl}")
cd "$(dirname "$0")/../.."
limit=460  # seconds after which no measurement goes on; what takes longest and matters least comes last
pytorch="${PYTHON:-python3} benchmarks/cuda/pytorch.py"
PATH=$PATH:/usr/local/cuda/bin
command -v nvcc >/dev/null || { echo "There is no nvcc: install the CUDA Toolkit." >&2; exit 77; }
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

$pytorch product >"$results"  # ends the script with status 77 where there is no PyTorch or no GPU

build() {
  bash cmake/nvcc.sh nvcc "" -O2 --threads 2 -Iinclude "benchmarks/cuda/$1.cu" -o "$stage/$1" -lcublasLt
}
build attention & building=$!
build step
wait $building

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
        measure "$stage/step" "$model" ${batch[$model]} 4 &&
        measure $pytorch step "$model" ${batch[$model]} 4 eager &&
        measure $pytorch step "$model" ${batch[$model]} 4 default; do
    batch[$model]=$((${batch[$model]} / 2))
    echo "Out of memory: $model goes on with batch ${batch[$model]}."
  done
  cat "$stage/lines" >>"$results"
done
: >"$stage/lines"
measure "$stage/attention" 32768 10 || true
for backend in flash cuDNN; do measure $pytorch attention $backend 32768 10 || true; done
for model in "${models[@]}"; do
  measure $pytorch step "$model" ${batch[$model]} 4 max-autotune-no-cudagraphs || true
done
cat "$stage/lines" >>"$results"

${PYTHON:-python3} - "$results" <<'TABLE'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
product = rows.pop(0)
rate = product["tflop"] / product["ms"]
tflop = {row["work"]: row["tflop"] for row in rows if "tflop" in row}
vitral = {row["work"]: row["ms"] for row in rows if row["program"] == "Vitral"}
print(f"\n{product['card']}, PyTorch {product['version']}; bf16 products of 8192 x 8192: {rate * 1e3:.0f} TFLOP/s\n")
print("| work | program | ms | share of that rate | peak MiB | time / Vitral's |\n|---|---|---|---|---|---|")
for work in dict.fromkeys(row["work"] for row in rows):
    for row in (row for row in rows if row["work"] == work):
        share = f"{tflop[work] / row['ms'] / rate:.1%}" if work in tflop else ""
        ratio = f"{row['ms'] / vitral[work]:.2f}" if work in vitral else ""
        print(f"| {work} | {row['program']} | {row['ms']:.3f} | {share} | {row.get('mib', '')} | {ratio} |")
TABLE
