#!/bin/bash
# `embed` writes features that NumPy reads and a row for each in a CSV, also of another data set than the network's own.
. "$(dirname "$0")/common.bash"

"$bin/pretrain" $tiny --out "$work/run" >"$work/log" 2>&1 || { cat "$work/log"; die "a correct run"; }
checkpoint=$work/run/checkpoint.safetensors
embed() { "$bin/embed" "$checkpoint" "$@" >"$work/log" 2>&1 || { cat "$work/log"; die "embed $*"; }; }

embed --layer 1 --images 130 --out "$work/first"
# 130 rows of 24 floats after a header whose length is a multiple of 64, which says so.
test "$(head -c 128 "$work/first/features.npy" | tr -d '\0' |
  grep -aco "'descr': '<f4', 'fortran_order': False, 'shape': (130, 24)")" -eq 1 ||
  die "the header of features.npy"
test "$(stat -c %s "$work/first/features.npy")" -eq $((128 + 130 * 24 * 4)) || die "the size of features.npy"
# Each row has unit length: with od, as NumPy may not be here.
od -An -v -j128 -tf4 -w96 "$work/first/features.npy" | awk '{ s = 0; for (i = 1; i <= 24; ++i) s += $i * $i
  if (s < 0.9999 || s > 1.0001) { print "row " NR ": " s; exit 1 } }' || die "a row is not of unit length"
# The images are spread over the whole split, thirteen of each class.
test "$(wc -l <"$work/first/images.csv")" -eq 131 || die "images.csv has not a row for each image"
test "$(sed 1d "$work/first/images.csv" | cut -d, -f2 | sort | uniq -c | awk '{ print $1 }' | sort -u)" = 13 ||
  die "not as many images of each class"
sed 1d "$work/first/images.csv" | cut -d, -f1 | sort -nuc || die "images.csv is not in order"
test "$(tail -n 1 "$work/first/images.csv" | cut -d, -f1)" -gt 9000 ||
  die "the last images of the split are never taken"

# Features of an image do not depend on how many are asked for, nor on the threads; the seven are among the 130.
embed --layer 1 --images 7 --threads 1 --out "$work/few"
feature() { tail -c +129 "$1/features.npy" | tail -c "+$(($2 * 96 + 1))" | head -c 96; }
row=0
for image in $(sed 1d "$work/few/images.csv" | cut -d, -f1); do
  place=$(sed 1d "$work/first/images.csv" | cut -d, -f1 | grep -nx "$image" | cut -d: -f1)
  cmp <(feature "$work/few" $row) <(feature "$work/first" $((place - 1))) ||
    die "image $image has other features in a smaller set"
  row=$((row + 1))
done
test $row -eq 7 || die "$row images instead of 7"

# A folder of images of other sizes, in colour: rows are named after the files.
mkdir -p "$work/photos/train/cat" "$work/photos/test/cat" "$work/photos/test/dog, brown"
"$bin/preview" --dataset fashion-mnist --rows 1 --draws 1 --out "$work/photos/train/cat/a.png" >/dev/null ||
  die "an image"
"$bin/preview" --dataset fashion-mnist --rows 2 --draws 2 --image 40 --out "$work/photos/test/cat/b.png" >/dev/null
mkdir "$work/photos/train/dog, brown"
cp "$work/photos/test/cat/b.png" "$work/photos/train/dog, brown/c.png"
cp "$work/photos/train/cat/a.png" "$work/photos/test/dog, brown/d.png"
embed --dataset folder --data "$work/photos/" --out "$work/folder"
test "$(cat "$work/folder/images.csv")" = 'image,label,class
test/cat/b.png,0,cat
"test/dog, brown/d.png",1,"dog, brown"' || { cat "$work/folder/images.csv"; die "the names of a folder's files"; }

for way in "--interpolation bicubic" "--interpolation bicubic --resize squash"; do
  embed --dataset folder --data "$work/photos/" $way --out "$work/other"
  cmp -s "$work/folder/features.npy" "$work/other/features.npy" && die "$way changes nothing"
  cmp -s "$work/before/features.npy" "$work/other/features.npy" && die "$way changes nothing beside bicubic alone"
  cp -r "$work/other" "$work/before"
done

# Images that cannot be read have a row of NaN and a flag, however many follow each other; retrieve passes them over.
mkdir "$work/damaged"
for name in a b c d e f; do cp "$work/photos/test/cat/b.png" "$work/damaged/$name.png"; done
cp "$work/photos/train/cat/a.png" "$work/damaged/e.png"
for name in b c; do head -c 60 "$work/photos/test/cat/b.png" >"$work/damaged/$name.png"; done
ln -sf nowhere.png "$work/damaged/d.png"
embed --dataset images --data "$work/damaged" --out "$work/gaps"
grep -q "3 images could not be read" "$work/log" || { cat "$work/log"; die "damaged images are not counted"; }
test "$(tail -c 6 "$work/gaps/features.flags.npy" | od -An -tu1 | tr -d ' \n')" = 011100 || die "the flags"
od -An -v -j128 -tf4 -w96 "$work/gaps/features.npy" |
  awk '{ nan = $1 ~ /nan/; if (nan != (NR >= 2 && NR <= 4)) exit 1 }' ||
  die "the rows of damaged images are not NaN, or others are"
echo '{"matches": [[5], [0], [1], [], [1, 4], [0]]}' >"$work/truth.json"
"$bin/retrieve" --database "$work/gaps/features.npy" --queries "$work/gaps/features.npy" --truth "$work/truth.json" \
  --out "$work/retrieval" >"$work/log" 2>&1 || { cat "$work/log"; die "retrieval among flagged rows"; }
grep -q "3 of 6 database rows and 3 of 6 queries are flagged as unreadable" "$work/log" ||
  { cat "$work/log"; die "flags are not counted"; }
test "$(sed 1d "$work/retrieval/queries.csv" | cut -d, -f1 | tr '\n' ' ')" = "0 4 5 " ||
  die "other queries than those that were read"
test "$(sed -n 3p "$work/retrieval/queries.csv")" = "4,1" ||
  { cat "$work/retrieval/queries.csv"; die "query 4 finds itself first"; }
mv "$work/gaps/features.flags.npy" "$work/flags"
refuses retrieve "features.npy: number 0 of the features of row 1 is nan" --database "$work/gaps/features.npy" \
  --queries "$work/gaps/features.npy" --truth "$work/truth.json" --out "$work/none"

# Whole images, as DINO has them for Oxford and Paris, and for Copydays: class token and pooled patches, 48 numbers.
embed --dataset folder --data "$work/photos" --whole --scales 1,0.7071 --out "$work/shaped"
embed --dataset folder --data "$work/photos" --whole --resize squash --interpolation bicubic --size 32 --gem \
  --out "$work/square"
head -c 128 "$work/square/features.npy" | grep -aq "'shape': (2, 48)" || die "pooled patches stand beside the token"
"$bin/retrieve" --database "$work/square/features.npy" --queries "$work/square/features.npy" --truth <(
  echo '{"matches": [[0], [1]]}') --whitening "$work/square/features.npy" --out "$work/white" >"$work/log" 2>&1 ||
  { cat "$work/log"; die "retrieval by whitened features"; }
grep -q '"whitening": ".*square/features.npy"' "$work/white/retrieval.json" || die "retrieval.json names no whitening"

expect() { refuses embed "$@" --out "$work/none"; }
expect "size requires --whole" "$checkpoint" --size 32
expect "size 2 at the smallest of --scales is 2 pixels, less than a patch of" "$checkpoint" --whole --size 2
expect "layer 3: $checkpoint has 2 layers; choose 1 to 2" "$checkpoint" --layer 3
expect "dataset folder needs --data" "$checkpoint" --dataset folder
expect "no unlabeled split" "$checkpoint" --split unlabeled
expect "$work/nowhere" "$work/nowhere"
