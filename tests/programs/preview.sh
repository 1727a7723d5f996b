#!/bin/bash
# `preview` writes a PNG of the size that its options say, and explains mistakes.
. "$(dirname "$0")/common.bash"

"$bin/preview" --dataset fashion-mnist --rows 3 --draws 2 --out "$work/sheet.png" >"$work/log" 2>&1 ||
  { cat "$work/log"; die "a correct run"; }
# Width and height stand in bytes 16 to 23, big-endian: 4 + 5 * (28 + 4) and 4 + 3 * (28 + 4).
size=$(od -An -tu1 -j16 -N8 "$work/sheet.png" | tr -s ' ')
test "$size" = " 0 0 0 164 0 0 0 100" || die "the image's extents are$size"
cp "$work/sheet.png" "$work/kept.png"
"$bin/preview" --dataset fashion-mnist --rows 3 --draws 2 --out "$work/sheet.png" >/dev/null
cmp "$work/kept.png" "$work/sheet.png" || die "the same options gave another image"

expect() { refuses preview "$@" --out "$work/none.png"; }
expect "augmentation: dinov2 not in" --augmentation dinov2
expect "dataset folder needs --data" --dataset folder
expect "no such folder" --dataset images --data "$work/nowhere"
expect 'unknown data set "cifar" \(did you mean cifar10\? known: fashion-mnist, .*, tar\)' --dataset cifar --data .
expect "no unlabeled split" --dataset fashion-mnist --split unlabeled
expect "first 70000: fashion-mnist has 60000" --dataset fashion-mnist --first 70000
expect "pixels is too large" --dataset fashion-mnist --image 4000 --rows 8
