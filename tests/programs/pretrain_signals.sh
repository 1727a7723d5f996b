#!/bin/bash
# A signal ends a run with a checkpoint, the second Ctrl-C at once; a standard stream that is closed or full is noticed.
. "$(dirname "$0")/common.bash"
ended="interrupted after step [0-9]*; .* is written, go on with --resume"

# start OPTIONS...: begins a run in $out, in the background, with the process number in $pid.
start() {
  rm -rf "$out"
  "$bin/pretrain" $tiny --out "$out" "$@" >"$work/log" 2>&1 &
  pid=$!
}
trains() {
  until test -s "$out/metrics.jsonl"; do
    kill -0 $pid || { cat "$work/log"; die "it ended"; }
    sleep 0.01
  done
}
# ends_with STATUS: the run ends with it, within seconds.
ends_with() {
  local begin=$SECONDS
  wait $pid 2>/dev/null
  local status=$?
  test $status -eq "$1" || { cat "$work/log"; die "exit status $status, expected $1"; }
  test $((SECONDS - begin)) -lt 20 || die "it took $((SECONDS - begin)) s to end"
}
# interrupts: Ctrl-C until it is caught (until then a process in the background ignores it).
interrupts() {
  until grep -q "once more ends it at once" "$work/log"; do
    kill -INT $pid || { cat "$work/log"; die "it ended"; }
    sleep 0.05
  done
}
out=$work/run

for signal in TERM:143 HUP:129 INT:130; do
  start --epochs 400
  trains
  kill -${signal%:*} $pid $pid  # twice at once, as `timeout` does, which must not lose the run
  ends_with ${signal#*:}
  grep -q "$ended" "$work/log" || { cat "$work/log"; die "no message after ${signal%:*}"; }
  test -e "$out/checkpoint.safetensors" || die "${signal%:*} left no checkpoint"
done

# Where HUP is ignored, as under nohup, it stays so.
rm -rf "$out"
(trap '' HUP; exec "$bin/pretrain" $tiny --epochs 40 --out "$out") >"$work/log" 2>&1 &
pid=$!
trains
kill -HUP $pid || die "it ended before HUP came"
ends_with 0

# The second Ctrl-C: in k-NN, and while a file gives no data.
start --knn-train 60000 --knn-test 10000 --depth 12
until grep -q "images" "$work/log"; do kill -0 $pid || die "it ended"; sleep 0.01; done
interrupts
sleep 0.3
kill -INT $pid || { cat "$work/log"; die "the first Ctrl-C ended it, or k-NN took no time"; }
ends_with 130
test ! -e "$out/metrics.jsonl" || die "k-NN was over before"
mkdir "$work/data"
cp /usr/share/datasets/fashion-mnist/* "$work/data"
rm "$work/data"/train-images*
mkfifo "$work/data/train-images-idx3-ubyte"
start --data "$work/data"
interrupts
sleep 0.3
kill -INT $pid
ends_with 130

# Standard streams. The files are the same whatever becomes of what is printed.
tiny="$tiny --epochs 1 --warmup-epochs 0 --limit 32"
"$bin/pretrain" $tiny --out "$work/good" >"$work/log" 2>&1 || { cat "$work/log"; die "a correct run"; }
lost() {  # STATUS WHAT: a run of which something got lost
  test "$1" -ne 0 || die "$2: exit status 0"
  cmp "$work/good/metrics.jsonl" "$out/metrics.jsonl" || die "$2: other metrics"
  test -s "$out/checkpoint.safetensors" || die "$2: no checkpoint"
  rm -rf "$out"
}
rm -rf "$out"
"$bin/pretrain" $tiny --out "$out" >/dev/full 2>"$work/log"
lost $? ">/dev/full"
grep -q "some output could not be written" "$work/log" || die "nothing is said about /dev/full"
"$bin/pretrain" $tiny --out "$out" >"$work/log" 2>/dev/full
lost $? "2>/dev/full"
"$bin/pretrain" $tiny --out "$out" >&- 2>"$work/log"
lost $? ">&-"
"$bin/pretrain" $tiny --out "$out" >&- 2>&- <&-
lost $? "all closed"
"$bin/pretrain" $tiny --out "$out" 2>&1 | true
lost "${PIPESTATUS[0]}" "| true"
"$bin/pretrain" --help >/dev/full 2>&1 && die "--help >/dev/full: exit status 0"
echo "signals end a run as they should, and what is not printed is noticed"
