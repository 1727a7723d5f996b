#!/bin/bash
# `propagate` follows moving shapes, in videos of its own and in a folder like DAVIS, and explains mistakes.
. "$(dirname "$0")/common.bash"

"$bin/pretrain" $tiny --out "$work/run" >"$work/log" 2>&1 || { cat "$work/log"; die "a correct run"; }
checkpoint=$work/run/checkpoint.safetensors

# follow FOLDER OPTIONS...: a correct run.
follow() {
  local folder=$1
  shift
  "$bin/propagate" "$checkpoint" --size 84 --out "$work/$folder" "$@" >"$work/log" 2>&1 ||
    { cat "$work/log"; die "$*"; }
}
follow drawn --synthetic 1 --threads 1
found=$(awk '/^found/ { print int($2) }' "$work/log")
kept=$(awk '/^first mask kept/ { print int($4) }' "$work/log")
test "$found" -gt 60 -a "$found" -gt $((kept + 30)) || { cat "$work/log"; die "the shapes were lost"; }
test "$(ls "$work/drawn/masks/shapes-0" | wc -l)" -eq 20 || die "not every frame has a mask"
grep -q "\"j_and_f\": 0.$found" "$work/drawn/propagation.json" || die "propagation.json is not what was printed"
follow again --synthetic 1 --threads 2
diff -r "$work/drawn" "$work/again" || die "results depend on the number of threads"
grep -q '"branch": "teacher"' "$work/drawn/propagation.json" || die "the teacher is not in propagation.json"
follow student --synthetic 1 --branch student
grep -q '"branch": "student"' "$work/student/propagation.json" || die "the student is not in propagation.json"
cmp -s <(grep -v branch "$work/drawn/propagation.json") <(grep -v branch "$work/student/propagation.json") &&
  die "student and teacher follow the shapes alike"

# The masks as a folder like DAVIS, as truth and, since a reader looks at an image's content alone, as images.
davis=$work/davis
mkdir -p "$davis/ImageSets/2017" "$davis/JPEGImages/480p/shapes" "$davis/Annotations/480p"
echo shapes >"$davis/ImageSets/2017/val.txt"
cp -r "$work/drawn/masks/shapes-0" "$davis/Annotations/480p/shapes"
for mask in "$davis"/Annotations/480p/shapes/*.png; do
  cp "$mask" "$davis/JPEGImages/480p/shapes/$(basename "$mask" .png).jpg"
done
follow folder --data "$davis" --layer 1
test "$(awk '/^found/ { print int($2) }' "$work/log")" -gt 60 ||
  { cat "$work/log"; die "the folder's objects were lost"; }
test "$(wc -l <"$work/folder/objects.csv")" -eq 4 || die "objects.csv has not three objects"
cmp "$work/folder/masks/shapes/00000.png" "$davis/Annotations/480p/shapes/00000.png" || die "the first mask was changed"

expect() { refuses propagate "$@" --out "$work/none"; }
expect "layer 3: .* has 2 layers; choose 1 to 2" "$checkpoint" --synthetic 1 --layer 3
expect "none/ImageSets/2017/val.txt: cannot open; --data is the folder of DAVIS 2017" "$checkpoint" --data "$work/none"
expect "data DIR or --synthetic N" "$checkpoint"
expect "size 5 leaves no four patches of 7 pixels along a frame of 96 x 160" "$checkpoint" --synthetic 1 --size 5
echo other >>"$davis/ImageSets/2017/val.txt"
expect "480p/other: no such folder, but .*val.txt names the video" "$checkpoint" --data "$davis"

# Names that lead out of --out, whatever stands there: nothing is read or written.
cp -r "$davis/JPEGImages/480p/shapes" "$davis/x"
before=$(find "$davis" -type f -exec cksum {} + | sort)
for name in ../../x "$davis/x" .. . 'a\\b' shapes/ ./shapes; do
  printf '%s\n' "$name" >"$davis/ImageSets/2017/val.txt"
  expect "val.txt names \".*\", expected the name of a file or folder without a path" "$checkpoint" --data "$davis"
done
printf 'shapes\r\nshapes\r\n' >"$davis/ImageSets/2017/val.txt"
expect "names the video shapes twice" "$checkpoint" --data "$davis"
printf 'shapes\nother\n' >"$davis/ImageSets/2017/val.txt"
test "$(find "$davis" -type f -exec cksum {} + | sort)" = "$before" || die "the data set was changed"
expect "size 2000000000 makes" "$checkpoint" --synthetic 1 --size 2000000000
