#!/bin/bash
# No run replaces or disturbs another, --resume alone goes on with one, and what does not fit is said.
. "$(dirname "$0")/common.bash"
images=$(cd "$(dirname "$0")/../fixtures/images" && pwd)
tiny="$tiny --limit 64"  # eight steps

run() { "$bin/pretrain" "$@" >"$work/log" 2>&1 || { cat "$work/log"; die "pretrain $*"; }; }
says() { grep -Eq -e "$1" "$work/log" || { cat "$work/log"; die "no message like '$1'"; }; }
fails() {
  local pattern=$1
  shift
  "$bin/pretrain" "$@" >"$work/log" 2>&1
  local status=$?
  test $status -eq 1 || { cat "$work/log"; die "exit status $status, expected 1: pretrain $*"; }
  no_library_words pretrain "$@"
  says "$pattern"
}
unchanged() {
  cmp "$work/kept" "$1/checkpoint.safetensors" && cmp "$work/log_kept" "$1/metrics.jsonl" || die "a run changed"
}

# A directory that holds a run; its name has any bytes.
out=$work/$'a\n\e[31m b'
run $tiny --out "$out"
says "wrote .*/a.n.x1b.31m b/checkpoint.safetensors, metrics.jsonl"
cp "$out/checkpoint.safetensors" "$work/kept"
cp "$out/metrics.jsonl" "$work/log_kept"
fails "holds a run, with its checkpoint.safetensors. --resume .*--overwrite" $tiny --out "$out"
unchanged "$out"
run --resume --out "$out"
unchanged "$out"
fails "cannot be resumed: there is no such file.*--overwrite" --resume --out "$work/nowhere"
rm "$out/checkpoint.safetensors"
fails "holds a run, with its metrics.jsonl" $tiny --out "$out"
ln -s "$work/elsewhere" "$out/checkpoint.safetensors"
fails "holds a run, with its checkpoint.safetensors" $tiny --out "$out"
run $tiny --out "$out" --overwrite
unchanged "$out"
test ! -e "$work/elsewhere" || die "something was written outside --out"
run $tiny --optimizer adam --out "$work/adam"
! cmp -s "$work/log_kept" "$work/adam/metrics.jsonl" || die "--optimizer adam trains as adamw does"

# --max-epochs ends a run within its schedules; going on to their end gives the run that never stopped.
run $tiny --out "$work/short" --max-epochs 1
test "$(wc -l <"$work/short/metrics.jsonl")" = 4 || die "--max-epochs 1 of 4 steps: $(cat "$work/short/metrics.jsonl")"
run --resume --out "$work/short" --max-epochs 1
test "$(wc -l <"$work/short/metrics.jsonl")" = 4 || die "a run that had ended went on"
run --resume --out "$work/short" --max-epochs 0
cmp "$work/log_kept" "$work/short/metrics.jsonl" || die "a run that was ended early and resumed is another one"
fails "--max-epochs 3 is more than --epochs 2" $tiny --out "$work/none" --max-epochs 3

# k-NN in the course of a run is noted with its step, and leaves the run as it is.
run $tiny --out "$work/watched" --knn-train 60 --knn-test 30 --k 5 --knn-every 1
losses() { grep -o '"loss":[^,]*' "$1/metrics.jsonl"; }
test "$(losses "$work/watched")" = "$(losses "$out")" || die "k-NN changed the losses"
test "$(grep -c '"knn_student":\[.*"knn_teacher":\[' "$work/watched/metrics.jsonl")" = 2 ||
  die "no k-NN after each epoch"
test "$(grep -c '"positive_cosine":\[[^],]*,[^],]*\],"negative_cosine":\[[^],]*,[^],]*\]' \
  "$work/watched/metrics.jsonl")" = 2 || die "no similarity of views of two layers after each epoch"
grep -q '"knn_trained":\[.*"knn_teacher":\[' "$work/watched/metrics.jsonl" || die "no k-NN of the teacher at the end"

# What may change is said and taken, what may not is refused. After a loss that became NaN the advice works.
out=$work/run
run $tiny --optimizer sgd --lr 0.01 --out "$out"
cp "$out/checkpoint.safetensors" "$work/kept"
cp "$out/metrics.jsonl" "$work/log_kept"
fails "--temperature: checkpoint has 0.2, command line has 0.3" --resume --out "$out" --temperature 0.3
fails "has done 8 steps, but --epochs 1 of 4 steps" --resume --out "$out" --epochs 1
unchanged "$out"
fails "the loss became (NaN|infinite) at step .*--lr.*--clip-grad" --resume --out "$out" --epochs 4 --lr 1e30
cmp "$work/kept" "$out/checkpoint.safetensors" || die "a loss that became NaN changed the checkpoint"
run --resume --out "$out" --epochs 4 --lr 1e-3 --clip-grad 1
says "--lr 0.001; until now it was 0.01"
says "--clip-grad 1.0; until now it was 0.0"
test "$(cut -d, -f1 "$out/metrics.jsonl")" = "$(seq -f '{"step":%g' 0 15)" || die "steps: $(cat "$out/metrics.jsonl")"

# Other images, more images, a log that lost a line.
mkdir "$work/other" "$work/folder"
for kind in images-idx3 labels-idx1; do
  cp "/usr/share/datasets/fashion-mnist/t10k-$kind-ubyte.gz" "$work/other"
  cp "/usr/share/datasets/fashion-mnist/t10k-$kind-ubyte.gz" "$work/other/train-$kind-ubyte.gz"
done
fails "had as many images to train on .*, 64, but others: .*--data" --resume --out "$out" --data "$work/other"
cp "$images"/exif_[1-8].jpg "$work/folder"
small="--method byol --image 8 --patch 4 --width 8 --depth 1 --heads 1 --hidden 8 --out-dim 8 --batch 4 --epochs 2"
run $small --dataset images --data "$work/folder" --out "$work/images"
mv "$work/folder" "$work/moved"
sed -i 2d "$work/images/metrics.jsonl"
run --resume --out "$work/images" --data "$work/moved/"
says "metrics.jsonl holds 3 of the checkpoint's 4 steps: lines were lost"
cp "$images/exif_1.jpg" "$work/moved/more.jpg"
fails "had 8 images to train on, and .*/moved has 9; let --data" --resume --out "$work/images" --data "$work/moved"
# A step that cannot be; and a checkpoint of a version that noted neither number nor fingerprint.
patch_header() { LC_ALL=C sed -i "$1" "$work/images/checkpoint.safetensors"; }
rm "$work/moved/more.jpg"
patch_header 's/"step":"4"/"step":"9"/'
fails "has done 9 steps, but --epochs 2 of 2 steps end before" --resume --out "$work/images" --data "$work/moved"
patch_header 's/"step":"9"/"step":"x"/'
fails "its step count is no number: x" --resume --out "$work/images" --data "$work/moved"
patch_header 's/"step":"x"/"step":"4"/; s/"fingerprint":/"fingerprinx":/; s/"images":/"imagex":/'
mv "$work/moved/exif_1.jpg" "$work/moved/renamed.jpg"
run --resume --out "$work/images" --data "$work/moved/"

# A run at work keeps others away; one that was killed does not.
"$bin/pretrain" $tiny --epochs 400 --out "$work/busy" >"$work/busy_log" 2>&1 &
pid=$!
until test -s "$work/busy/metrics.jsonl"; do kill -0 $pid || die "the run ended"; sleep 0.01; done
fails "busy: process $pid on .* works in this directory" $tiny --out "$work/busy" --overwrite
kill -KILL $pid
wait $pid 2>/dev/null
run $tiny --out "$work/busy" --overwrite
echo "no run was replaced or disturbed"
