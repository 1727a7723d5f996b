#!/bin/bash
# SD-MoCo v3 beside MoCo v3 on CIFAR-10: same seed, same budget, one thread each; then docs/results.md from the two runs.
#   bash examples/compare_cifar10.sh [DATA] [OUT]      DATA as examples/fetch_cifar10.sh leaves it
# Further options of pretrain can be given in OPTIONS, for example OPTIONS="--epochs 100".
set -euo pipefail
cd "$(dirname "$0")/.."
. cmake/packages.sh
data=${1:-data/cifar-10-batches-bin}
out=${2:-runs/cifar10}

install_missing $vitral_packages
test -e "$data/data_batch_1.bin" || bash examples/fetch_cifar10.sh "$data"
cmake --preset release >/dev/null
cmake --build --preset release --target pretrain

export OMP_WAIT_POLICY=passive  # the two runs share the machine: none spins while it waits
settings="--dataset cifar10 --data $data --patch 8 --width 128 --depth 6 --heads 4 --hidden 512 --batch 256 --epochs 8
          --warmup-epochs 1 --lr 1e-3 --momentum 0.99 --crop-min 0.2 --ratio-schedule constant
          --knn-train 50000 --knn-test 10000 --seed 1 --threads 1 --workers 1"
for method in sd-moco-v3 moco-v3; do
  mkdir -p "$out/$method"
  { time build/release/bin/pretrain --method $method $settings ${OPTIONS:-} --out "$out/$method"; } >"$out/$method/log.txt" 2>&1 &
done
wait
python3 docs/make_results.py "$out/moco-v3" "$out/sd-moco-v3" >docs/results.md
cat docs/results.md
