#!/bin/bash
# Measures and writes docs/performance.md. PYTHON names the Python that has PyTorch (see pytorch.sh); COMMITS the
# commits of the table of changes. Takes about half an hour on two cores; run it on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
. benchmarks/common.sh
commits=${COMMITS:-"71d48c3 25b5475 HEAD"}
page=$(mktemp)
trap 'rm -f "$page"' EXIT

say() { printf '%s\n' "$@" >>"$page"; }
# listing COMMAND...: what it prints, as it is.
listing() {
  say '```'
  echo "\$ $*" >>"$page"
  "$@" 2>&1 | grep -v '^ninja\|^\[' | tee -a "$page"
  say '```' ''
}
# ending COMMAND...: its summary.
ending() {
  say '```'
  echo "\$ $*" >>"$page"
  "$@" 2>&1 | sed -n '/^Time, /,$p' | tee -a "$page"
  say '```' ''
}

say '# Performance' '' 'Written by `benchmarks/performance.sh`; every number is measured by the command above it.' '' \
  "Machine: $(nproc) cores of $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)," \
  "$(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)." \
  'The machine is shared: ratios count, and the ranges show how far they moved.' ''
say '## A step of SD-MoCo v3 beside PyTorch' '' \
  'Same networks, images and threads, in turn; the first losses agree, or the script stops. PyTorch runs the plain' \
  'reference (eager mode). Share of the peak: only the arithmetic that the plain method needs is counted.' ''
for dtype in fp32 bf16; do listing bash benchmarks/against_pytorch.sh --dtype $dtype --steps 3; done
say 'The other methods, and ViT-S/16 at 224 pixels (the last lines alone):' ''
vit_s='--width 384 --heads 6 --image 224 --patch 16 --batch 16 --hidden 4096'
for work in '--method simclr' '--method byol' "$vit_s"; do
  for dtype in fp32 bf16; do ending bash benchmarks/against_pytorch.sh $work --dtype $dtype --steps 2; done
done
say '## Inference beside ONNX Runtime' '' \
  'ViT-Ti, -S and -B with 16-pixel patches at 224 pixels, fp32, class token out; the' \
  'features agree to a thousandth, or the script stops.' ''
say '`RUNS=6 bash benchmarks/against_onnxruntime.sh`:' ''
RUNS=6 bash benchmarks/against_onnxruntime.sh | grep '^|' | tee -a "$page"
say ''
say '## Images beside torchvision' ''
listing bash benchmarks/against_torchvision.sh
say '## k-NN and t-SNE beside scikit-learn' '' \
  'The 20 nearest of 50,000 features for 10,000 of width 384; 5,000 images of' \
  "CIFAR-10, averaged to 192 numbers, as points of a plane, their divergences without Barnes and Hut's approximation:" \
  ''
listing env ROUNDS=2 bash benchmarks/against_sklearn.sh
say '## Memory against time' '' 'Blocks that keep their input alone and run again in the backward pass:' ''
for dtype in fp32 bf16; do
  for recompute in nothing block; do
    listing build/release/bin/benchmark_step --dtype $dtype --steps 3 --recompute $recompute
  done
done
say '## What the changes brought' '' 'Medians over rounds in which the commits take turns (`benchmarks/history.sh`):' ''
ROUNDS=2 bash benchmarks/history.sh $commits | tee -a "$page"
say '' '## Threads' ''
for threads in 1 2; do listing build/release/bin/benchmark_step --steps 3 --threads $threads; done
say '## Compile time' ''
bash benchmarks/compile_time.sh | tee -a "$page"
cp "$page" docs/performance.md
