#!/bin/bash
# Writes docs/preview.png: views of CIFAR-10, which is fetched when it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
data=data/cifar-10-batches-bin
test -e "$data/data_batch_1.bin" || bash examples/fetch_cifar10.sh "$data"
cmake --preset release >/dev/null
cmake --build --preset release --target preview
build/release/bin/preview --data "$data" --rows 8 --draws 5 --out docs/preview.png
