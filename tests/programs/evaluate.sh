#!/bin/bash
# `evaluate` finds what `pretrain` has found, writes the same numbers to all of its files, and explains mistakes.
. "$(dirname "$0")/common.bash"

"$bin/pretrain" $tiny --knn-train 1000 --knn-test 300 --out "$work/run" >"$work/pretrain.log" 2>&1 ||
  { cat "$work/pretrain.log"; die "a correct run"; }
checkpoint=$work/run/checkpoint.safetensors
of() { "$bin/evaluate" "$checkpoint" --train 1000 --test 300 --k 20,5 --no-analyses "$@" >"$work/log" 2>&1 ||
  { cat "$work/log"; die "a correct evaluation: $*"; }; }
of --branch student --out "$work/found"
grep -q "its teacher is taken" "$work/log" && die "the teacher in spite of --branch student"

# The accuracy of k-NN with 20 neighbours stands in pretrain's table (the third column from the left) and in the CSV.
for layer in 1 2; do
  expected=$(awk -v layer=$layer '$1 == layer && $3 == "%" { print $4 }' "$work/pretrain.log")
  found=$(awk -F, -v layer=$layer '$1 == layer { print $4 }' "$work/found/layers.csv")
  test -n "$expected" -a "$expected" = "$found" || die "k-NN of layer $layer is $found, and pretrain says $expected"
done
# The teacher unless the student is asked for, as in the published code: another network, which is said and noted.
of --sgd-epochs 1 --out "$work/teacher"
grep -q "checkpoint.safetensors: its teacher is taken, .*--branch student" "$work/log" || die "the teacher is not said"
grep -q '"branch": "teacher"' "$work/teacher/results.json" || die "the teacher is not in results.json"
grep -q '"branch": "student"' "$work/found/results.json" || die "the student is not in results.json"
grep -q "checkpoint.safetensors, its teacher, pretrained on" "$work/teacher/report.html" ||
  die "the teacher is not in the report's header"
cmp -s <(cut -d, -f1-7 "$work/found/layers.csv") <(cut -d, -f1-7 "$work/teacher/layers.csv") &&
  die "student and teacher have the same accuracies"
# validation_step of the published code takes the teacher of BYOL (pl_train_byol.py), and of SimCLR the one network that
# there is (pl_train_simclr.py).
for method in byol simclr; do
  "$bin/pretrain" $tiny --method $method --limit 32 --epochs 1 --out "$work/$method" >"$work/log" 2>&1 ||
    { cat "$work/log"; die "a run of $method"; }
  "$bin/evaluate" "$work/$method/checkpoint.safetensors" --train 100 --test 20 --k 1 --classifiers knn --no-analyses \
    --out "$work/of_$method" >"$work/log" 2>&1 || { cat "$work/log"; die "an evaluation of $method"; }
  grep "its teacher is taken\|\"branch\"" "$work/log" "$work/of_$method/results.json" >"$work/said_of_$method"
done
grep -q '"branch": "teacher"' "$work/said_of_byol" || die "of BYOL the teacher is not taken"
test ! -s "$work/said_of_simclr" || { cat "$work/said_of_simclr"; die "SimCLR has no teacher"; }
refuses evaluate "holds no teacher" "$work/simclr/checkpoint.safetensors" --branch teacher --out "$work/none"
for number in $(sed 1d "$work/found/layers.csv" | tr ',' ' '); do
  grep -q "[>( ]$number[<) ]" "$work/found/report.html" || die "$number is not in the report"
done
awk -F, \
  'NR == 1 { for (i = 1; i <= NF; ++i) if ($i == "SGD top-1 %") column = i } NR > 1 && !($column > 30) { exit 1 }' \
  "$work/found/layers.csv" || die "a linear classifier by SGD is right on less than 30 % of the images, or missing"
test "$(grep -c '<svg' "$work/found/report.html")" -eq 4 || die "the report has not four charts"
grep -q '"knn_of_run": {' "$work/found/results.json" || die "what the run's own k-NN found is not in results.json"
whole_report "$work/found/report.html" "$work/found/results.json"
! grep -q '"analyses"' "$work/found/results.json" || die "analyses in spite of --no-analyses"
test "$(wc -l <"$work/found/adaptive_exit.csv")" -eq 22 || die "the curve of adaptive exits has not 21 points"

# Chosen layers and classifiers have the same accuracy as among all, and nothing else is written.
of --branch student --layers 2 --classifiers sgd,knn --out "$work/some"
test "$(cut -d, -f1-5,8,9 "$work/found/layers.csv" | sed 2d)" = "$(cut -d, -f1-7 "$work/some/layers.csv")" ||
  { cat "$work/found/layers.csv" "$work/some/layers.csv"; die "layer 2 alone differs from layer 2 of all"; }
! grep -q '"logistic":' "$work/some/results.json" || die "logistic regression was not asked for"
test "$(wc -l <"$work/some/adaptive_exit.csv")" -eq 1 || die "adaptive exits without logistic regression"

# Features in a file give the same numbers, and leave nothing behind; f16 is taken, too.
mkdir "$work/scratch"
of --branch student --features-file "$work/scratch" --out "$work/mapped"
cmp <(cut -d, -f1-9 "$work/found/layers.csv") <(cut -d, -f1-9 "$work/mapped/layers.csv") ||
  die "features in a file have other accuracies"
of --branch student --features-file "$work/scratch" --feature-type f16 --classifiers knn --out "$work/halves"
test -z "$(ls -A "$work/scratch")" || die "features were left in $work/scratch"
refuses evaluate "nowhere: cannot make a temporary file there \\(No such file or directory\\)" "$checkpoint" \
  --train 1000 --test 300 --k 5 --features-file "$work/nowhere" --out "$work/none"
refuses evaluate "feature-type requires.*features-file" "$checkpoint" --feature-type f16 --out "$work/none"

# The network for gray images of 28 pixels on colour ones of 32: CIFAR-10's layout, each class a colour of its own.
mkdir "$work/colours"
record() { printf "\\$(printf %o $1)"; for plane in $2 $3 $4; do head -c 1024 /dev/zero | tr '\0' "\\$plane"; done; }
for i in 1 2 3 4 5 6 7 8; do record 0 300 040 040; record 3 040 300 040; record 9 040 040 300; done >"$work/batch"
for name in data_batch_1 data_batch_2 data_batch_3 data_batch_4 data_batch_5 test_batch; do
  cp "$work/batch" "$work/colours/$name.bin"
done
"$bin/evaluate" "$checkpoint" --dataset cifar10 --data "$work/colours" --k 20 --out "$work/transfer" \
  >"$work/log" 2>&1 ||
  { cat "$work/log"; die "an evaluation on other images"; }
test "$(cut -d, -f2 "$work/transfer/layers.csv" | sed 1d | sort -u)" = 100.00 || die "three colours are not told apart"
grep -q 'pretrained on fashion-mnist' "$work/transfer/report.html" || die "the report does not say what was learned on"

# A folder that is not split: a part of each class is held out, said aloud, drawn by the seed; classes in order do no
# harm.
for class in 0 1 2; do
  mkdir -p "$work/one/class$class"
  for i in 0 1 2 3 4 5 6 7 8 9; do
    "$bin/preview" --dataset fashion-mnist --rows 1 --draws 1 --first $((class * 40 + i)) \
      --out "$work/one/class$class/$i.png" \
      >/dev/null || die "an image"
  done
done
mkdir -p "$work/one/__MACOSX" "$work/one/.cache" && cp "$work/one/class0/0.png" "$work/one/__MACOSX"
held() { "$bin/evaluate" "$checkpoint" --k 1 --sgd-epochs 1 --no-analyses "$@" --out "$work/held" >"$work/log" 2>&1 ||
  { cat "$work/log"; die "a data set that is not split: $*"; }; }
held --dataset folder --data "$work/one"
grep -q "one is not split .*: 3 of its 30 images are held out to test on, 0.1 of each class, drawn by seed 0" \
  "$work/log" ||
  { cat "$work/log"; die "what is held out is not said"; }
grep -q '"test_images": 3,' "$work/held/results.json" || die "not three images are tested on"
held --dataset folder --data "$work/one" --holdout 0.4 --seed 7 --train 12 --test 6
grep -q "12 of its 30 images .*seed 7" "$work/log" || { cat "$work/log"; die "--holdout 0.4"; }
grep -q '"train_images": 12,' "$work/held/results.json" || die "--train 12"
refuses evaluate "holdout 0.2: .* has images of its own to test on" "$checkpoint" --holdout 0.2 --out "$work/none"
mkdir "$work/one/empty"
refuses evaluate "one/empty: a class to learn, but no file" "$checkpoint" --dataset folder --data "$work/one" --k 1 \
  --out "$work/none"
rmdir "$work/one/empty"
for file in "$work"/one/class2/*; do echo damaged >"$file"; done
refuses evaluate "none of the 9 images of the class class2 can be read" "$checkpoint" --dataset folder \
  --data "$work/one" --k 1 \
  --out "$work/none"

# Archives: a class that is only tested on is named, and of several images in a sample one has to be chosen.
mkdir -p "$work/tars/train" "$work/tars/val" "$work/in"
for i in 0 1 2 3 4 5 6 7; do
  cp "$work/one/class0/$i.png" "$work/in/$i.png" && cp "$work/one/class1/$i.png" "$work/in/$i.mask.png"
  echo $((i / 4)) >"$work/in/$i.cls"
done
tar -C "$work/in" -cf "$work/tars/train/a.tar" 0.png 0.cls 1.png 1.cls
tar -C "$work/in" -cf "$work/tars/val/a.tar" 4.png 4.cls
refuses evaluate "the class 1 has 1 images to test on, but none to learn from" "$checkpoint" --dataset tar \
  --data "$work/tars" --k 1 --out "$work/none"
tar -C "$work/in" --sort=name -cf "$work/masks.tar" .
refuses evaluate "masks.tar: ./0.png and ./0.mask.png have one key.*--tar-image mask.png or png" "$checkpoint" \
  --dataset tar --data "$work/masks.tar" --k 1 --out "$work/none"
held --dataset tar --data "$work/masks.tar" --tar-image png --holdout 0.25

expect() { refuses evaluate "$@" --out "$work/none"; }
expect "$work/nowhere.safetensors" "$work/nowhere.safetensors"
expect "k 2000 is more than the 1000 images" "$checkpoint" --train 1000 --k 2000
expect "layer 3 was asked for, and the network has layers 1 to 2" "$checkpoint" --layers 1,3
expect "unknown classifier \"svm\" .*known: knn, logistic, sgd" "$checkpoint" --classifiers svm
expect "unknown data set \"photos\" .*known: fashion-mnist" "$checkpoint" --dataset photos
expect "dataset folder needs --data" "$checkpoint" --dataset folder
expect "$work/none" "$checkpoint" --data "$work/none"
expect "CHECKPOINT.*evaluate --help"
