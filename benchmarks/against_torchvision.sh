#!/bin/bash
# MoCo v3's two views in Vitral and in torchvision on PIL images, in turn, on one core: of 500 x 375 JPEG files at 224
# pixels, cut from the photographs of Debian's mate-backgrounds, and of CIFAR-10 at 32 pixels.
#   bash benchmarks/against_torchvision.sh [CIFAR10_DIR]      default data/cifar-10-batches-bin; left out if missing
# ROUNDS=5 and SECONDS_EACH=10 choose another extent; PHOTOS another folder of photographs; PYTHON names the Python that
# has torchvision, see pytorch.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
. benchmarks/pytorch.sh
cifar=${1:-data/cifar-10-batches-bin}
photos=${PHOTOS:-/usr/share/backgrounds/mate/nature}
$PYTHON -c 'import torchvision, PIL' || {
  echo "$PYTHON has no torchvision: apt-get install python3-torchvision (Debian), or set PYTHON." >&2
  exit 1
}
test -d "$photos" || { echo "$photos: no photographs: apt-get install mate-backgrounds (Debian)." >&2; exit 1; }

build benchmark_views
mkdir -p "$stage/photos"
cp "$photos"/*.jpg "$stage/photos"
run_python make_photos.py "${stage#"$python_root"}/photos" "${stage#"$python_root"}/pieces" 60
echo "$(ls "$stage/pieces" | wc -l) files of $(du -sk "$stage/pieces" | cut -f1) KiB in all"

# compare DATASET FOLDER IMAGE: the two in turn, and the ratio of their rates.
compare() {
  local same="--dataset $1 --image $3 --seconds ${SECONDS_EACH:-5}" round
  rm -f "$stage"/{vitral,torchvision}
  for ((round = 1; round <= ${ROUNDS:-3}; ++round)); do
    taskset -c 0 build/release/bin/benchmark_views $same --data "$2" | tee -a "$stage/vitral"
    taskset -c 0 $PYTHON "${stage#"$python_root"}/benchmarks/views_time.py" $same --data "${2#"$python_root"}" |
      tee -a "$stage/torchvision"
  done
  echo "$1 at $3 px, images/s, Vitral / torchvision: $(paste <(rates vitral) <(rates torchvision) |
    awk '{ print $1 / $2 }' | median range)"
}
rates() { sed -n 's/.* px: \([.0-9]*\) images.*/\1/p' "$stage/$1"; }

compare images "$stage/pieces" 224
if [ -e "$cifar/data_batch_1.bin" ]; then
  mkdir -p "$stage/cifar"
  cp "$cifar"/*.bin "$stage/cifar"
  compare cifar10 "$stage/cifar" 32
else
  echo "$cifar has no CIFAR-10: left out (bash examples/fetch_cifar10.sh $cifar gets it)."
fi
