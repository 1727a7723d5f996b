#!/bin/bash
# Inference of ViT-Ti, -S and -B (16-pixel patches, 224-pixel images, fp32) in Vitral, ONNX Runtime and PyTorch, in
# turn, with the same weights and images.
#   bash benchmarks/against_onnxruntime.sh [THREADS]        default 2
# MODELS="tiny", BATCHES="1 8", ROUNDS=5 and RUNS=10 choose another extent; PYTHON names the Python that has PyTorch,
# see pytorch.sh. Node.js and npm must be there: onnxruntime-node is installed into build/onnxruntime.
set -euo pipefail
cd "$(dirname "$0")/.."
. benchmarks/pytorch.sh
threads=${1:-2}
rounds=${ROUNDS:-3}
modules=build/onnxruntime/node_modules

build benchmark_inference
if [ ! -e "$modules/onnxruntime-node" ]; then
  command -v npm >/dev/null || { echo "npm is missing: apt-get install nodejs npm (Debian)." >&2; exit 1; }
  mkdir -p build/onnxruntime
  # The CPU's library is in the package; without the switch, its GPU libraries are fetched as well.
  ONNXRUNTIME_NODE_INSTALL_CUDA=skip npm install --prefix build/onnxruntime --no-audit --no-fund onnxruntime-node
fi

# Every number of two lines of features is the same to a thousandth, small ones to a thousandth of 0.1.
same_features() {
  awk 'function size(x) { return x < 0 ? -x : x }
       { gsub(/[^-+.0-9e ]/, ""); split($0, values)
         if (NF < 5) wrong = 1
         for (i = 1; i <= 5; ++i) {
           if (NR == 1) first[i] = values[i]
           else if (!(size(values[i] - first[i]) <= 1e-3 * (size(first[i]) > 0.1 ? size(first[i]) : 0.1))) wrong = 1
         } }
       END { exit wrong || NR < 2 }' "$@"
}

# milliseconds PROGRAM: the medians of all rounds.
milliseconds() { sed -n 's/.*median \([.0-9]*\) ms.*/\1/p' "$stage/$1"; }
# over_vitral PROGRAM: its time divided by Vitral's, round by round.
over_vitral() { paste <(milliseconds "$1") <(milliseconds vitral) | awk '{ print $1 / $2 }' | median range; }

state=$stage/state.safetensors
table=$stage/table
for model in ${MODELS:-tiny small base}; do
  run_python export_onnx.py "$model" "${stage#"$python_root"}/model.onnx" "${state#"$python_root"}"
  for batch in ${BATCHES:-1 8 32}; do
    rm -f "$stage"/{vitral,onnxruntime,pytorch}
    same="--batch $batch --threads $threads --runs ${RUNS:-20}"
    for ((round = 1; round <= rounds; ++round)); do
      build/release/bin/benchmark_inference --model "$model" --state "$state" $same | tee -a "$stage/vitral"
      NODE_PATH=$modules node benchmarks/onnxruntime.cjs "$model" "$stage/model.onnx" "$state" $same |
        tee -a "$stage/onnxruntime"
      run_python inference_time.py --model "$model" --state "${state#"$python_root"}" $same | tee -a "$stage/pytorch"
    done
    grep -h ^features "$stage"/{vitral,onnxruntime,pytorch} | same_features || {
      echo "ViT $model, batch $batch: the features above differ; the times say nothing." >&2
      exit 1
    }
    echo "| $model | $batch | $(milliseconds vitral | median) | $(milliseconds onnxruntime | median)" \
      "| $(milliseconds pytorch | median) | $(over_vitral onnxruntime) | $(over_vitral pytorch) |" >>"$table"
  done
done
echo
echo "| ViT | batch | Vitral ms | ONNX Runtime ms | PyTorch ms | ONNX Runtime / Vitral | PyTorch / Vitral |"
echo "|---|---|---|---|---|---|---|"
cat "$table"
