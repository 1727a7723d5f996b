#!/bin/bash
# Every mistake that a user will make ends with exit status 1 and a sentence that says what is wrong.
. "$(dirname "$0")/common.bash"

# expect REGEX OPTIONS...: pretrain must fail, and a line of what it prints must match.
expect() {
  local pattern=$1
  shift
  "$bin/pretrain" $tiny --out "$work/out" "$@" >"$work/log" 2>&1
  local status=$?
  test $status -eq 1 || { cat "$work/log"; die "exit status $status, expected 1: pretrain $*"; }
  no_library_words pretrain "$@"
  grep -Eq -e "$pattern" "$work/log" || { cat "$work/log"; die "no message like '$pattern': pretrain $*"; }
}

expect "no multiple of --patch 5" --patch 5
expect "no multiple of --heads 5" --heads 5
expect "width 30 .* no multiple of 4" --width 30 --heads 2
expect "widht.*--width" --widht 24
expect "--method cannot be \"dino\".*simclr" --method dino
expect "$work/none.*train-images-idx3-ubyte.*dataset-fashion-mnist" --data "$work/none"
expect "$work/none.*fetch_cifar10" --dataset cifar10 --data "$work/none" --image 32 --patch 8
expect "--local-size 9 is no multiple of --patch 7" --views multi-crop --local-size 9
expect "--local-views must be at least 1 .* not 0" --views multi-crop --local-views 0
expect "--local-size 14 is for --views multi-crop" --local-size 14
expect "--limit 160 .*--batch 200" --batch 200
expect "70000.*60000.*--batch" --limit 0 --batch 70000

# Truncated data.
mkdir "$work/data"
for name in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do
  gzip -dc "/usr/share/datasets/fashion-mnist/$name-ubyte.gz" >"$work/data/$name-ubyte"
done
truncate -s 1000000 "$work/data/train-images-idx3-ubyte"
expect "train-images-idx3-ubyte" --data "$work/data"

# An output directory that cannot be written (root may write anywhere, so a file stands in its way).
touch "$work/file"
expect "--out $work/file/runs.*cannot make the directory" --out "$work/file/runs"

# Checkpoints: none, another architecture, damaged; the old one stays as it is.
expect "$work/out/checkpoint.safetensors cannot be resumed: there is no such file" --resume
"$bin/pretrain" $tiny --out "$work/good" >"$work/log" 2>&1 || { cat "$work/log"; die "a correct run"; }
cp "$work/good/checkpoint.safetensors" "$work/kept"
expect "--width: checkpoint has 24, command line has 48" --out "$work/good" --resume --width 48
cmp "$work/kept" "$work/good/checkpoint.safetensors" || die "the checkpoint changed"
with_header "$work/kept" 's/"vitral.heads":"2"/"vitral.heads":"4"/' >"$work/good/checkpoint.safetensors"
expect '"vitral.heads" in its metadata is 4, but its "options" make that 2: they are of two networks' \
  --out "$work/good" --resume
truncate -s 5000 "$work/good/checkpoint.safetensors"
expect "checkpoint.safetensors.*cut short" --out "$work/good" --resume

# A loss that becomes NaN stops training.
expect "the loss became .*--lr" --out "$work/nan" --optimizer sgd --lr 1e30 --method byol --epochs 4 --warmup-epochs 0
test ! -e "$work/nan/checkpoint.safetensors" || die "a checkpoint in spite of a loss that became NaN"

"$bin/pretrain" --help | grep -q -- "--temperature" || die "--help does not explain --temperature"
echo "every mistake was explained"
