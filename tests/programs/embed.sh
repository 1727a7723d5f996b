#!/bin/bash
# `embed` writes features that NumPy reads and a row for each in a CSV, also of another data set than the network's own.
. "$(dirname "$0")/common.bash"

"$bin/pretrain" $tiny --out "$work/run" >"$work/log" 2>&1 || { cat "$work/log"; die "a correct run"; }
checkpoint=$work/run/checkpoint.safetensors
embed() { "$bin/embed" "$checkpoint" "$@" >"$work/log" 2>&1 || { cat "$work/log"; die "embed $*"; }; }

embed --layer 1 --images 130 --out "$work/first"
# 130 rows of 24 floats after a header whose length is a multiple of 64, which says so.
test "$(head -c 128 "$work/first/features.npy" | tr -d '\0' | grep -aco "'descr': '<f4', 'fortran_order': False, 'shape': (130, 24)")" -eq 1 ||
  die "the header of features.npy"
test "$(stat -c %s "$work/first/features.npy")" -eq $((128 + 130 * 24 * 4)) || die "the size of features.npy"
# Each row has unit length: with od, as NumPy may not be here.
od -An -v -j128 -tf4 -w96 "$work/first/features.npy" | awk '{ s = 0; for (i = 1; i <= 24; ++i) s += $i * $i
  if (s < 0.9999 || s > 1.0001) { print "row " NR ": " s; exit 1 } }' || die "a row is not of unit length"
test "$(sed -n 1,2p "$work/first/images.csv" | tr '\n' ' ')" = "image,label,class 0,9,Ankle boot " || die "images.csv"
test "$(wc -l <"$work/first/images.csv")" -eq 131 || die "images.csv has not a row for each image"

# Features of an image do not depend on how many are asked for, nor on the threads.
embed --layer 1 --images 7 --threads 1 --out "$work/few"
cmp <(tail -c +129 "$work/few/features.npy") <(tail -c +129 "$work/first/features.npy" | head -c $((7 * 24 * 4))) ||
  die "the first seven images have other features alone"

# A folder of pictures of other sizes, in colour: rows are named after the files.
mkdir -p "$work/photos/train/cat" "$work/photos/test/cat" "$work/photos/test/dog, brown"
"$bin/preview" --dataset fashion-mnist --rows 1 --draws 1 --out "$work/photos/train/cat/a.png" >/dev/null || die "a picture"
"$bin/preview" --dataset fashion-mnist --rows 2 --draws 2 --image 40 --out "$work/photos/test/cat/b.png" >/dev/null
mkdir "$work/photos/train/dog, brown"
cp "$work/photos/test/cat/b.png" "$work/photos/train/dog, brown/c.png"
cp "$work/photos/train/cat/a.png" "$work/photos/test/dog, brown/d.png"
embed --dataset folder --data "$work/photos/" --out "$work/folder"
test "$(cat "$work/folder/images.csv")" = 'image,label,class
test/cat/b.png,0,cat
"test/dog, brown/d.png",1,"dog, brown"' || { cat "$work/folder/images.csv"; die "the names of a folder's files"; }

expect() { refuses embed "$@" --out "$work/none"; }
expect "layer 3: $checkpoint has 2 layers; choose 1 to 2" "$checkpoint" --layer 3
expect "dataset folder needs --data" "$checkpoint" --dataset folder
expect "no unlabeled split" "$checkpoint" --split unlabeled
expect "$work/nowhere" "$work/nowhere"
