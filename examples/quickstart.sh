#!/bin/bash
# Pretrains a small vision transformer without labels on Fashion-MNIST: SD-MoCo v3, a few minutes on two cores.
# Installs the missing Debian packages and builds build/release/bin/pretrain first. Outputs are in runs/quickstart;
# further options go to pretrain, for example: bash examples/quickstart.sh --epochs 20. A second time it wants
# --overwrite, or --resume after Ctrl-C.
set -euo pipefail
cd "$(dirname "$0")/.."
. cmake/packages.sh
out=runs/quickstart

settings="--method sd-moco-v3 --dataset fashion-mnist --patch 7 --width 96 --depth 6 --heads 3 --hidden 256 --out-dim 64
          --limit 20000 --epochs 3 --warmup-epochs 0 --lr 2e-3 --crop-min 0.2"
case "$*" in
  *--method*) ;;  # one that may have no teacher, and no ratio
  *) settings+=" --momentum 0.99 --ratio-schedule constant" ;;
esac

install_missing $vitral_packages
cmake --preset release >/dev/null
cmake --build --preset release --target pretrain
build/release/bin/pretrain $settings --out "$out" "$@"

echo
echo "Outputs in $out:"
ls -1sh "$out"
