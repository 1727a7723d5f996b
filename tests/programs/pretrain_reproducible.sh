#!/bin/bash
# The same seed gives bit-identical losses with 1 and 2 threads, any number of loader workers, with blocks computed
# again in the backward pass, and after Ctrl-C and --resume.
. "$(dirname "$0")/common.bash"

try() { "$bin/pretrain" "$@" >"$work/log" 2>&1 || { cat "$work/log"; die "pretrain $*"; }; }
run() { try $tiny --overwrite "$@"; }

for method in sd-moco-v3 byol sd-simclr; do
  run --method $method --drop-path 0.1 --threads 2 --workers 2 --out "$work/whole"
  test "$(wc -l <"$work/whole/metrics.jsonl")" -eq 20 ||
    die "$method: 20 steps expected, see: $(cat "$work/whole/metrics.jsonl")"
  run --method $method --drop-path 0.1 --threads 1 --workers 1 --out "$work/one"
  cmp "$work/whole/metrics.jsonl" "$work/one/metrics.jsonl" || die "$method: losses with 1 and 2 threads differ"
  run --method $method --drop-path 0.1 --recompute block --out "$work/again"
  cmp "$work/whole/metrics.jsonl" "$work/again/metrics.jsonl" || die "$method: losses with blocks computed again differ"
  test "$(cut -d, -f3 "$work/whole/metrics.jsonl" | sort -u | wc -l)" -gt 15 || die "$method: the losses do not change"
done

# Ctrl-C in the middle of an epoch, then --resume with other threads and workers.
method="--method sd-moco-v3 --drop-path 0.1 --precision bf16"
run $method --threads 2 --out "$work/whole"
"$bin/pretrain" $tiny $method --threads 2 --workers 2 --out "$work/cut" >"$work/log" 2>&1 &
pid=$!
until test -s "$work/cut/metrics.jsonl"; do
  kill -0 $pid || { cat "$work/log"; die "the run ended before it was interrupted"; }
  sleep 0.01
done
kill -INT $pid
wait $pid
status=$?
test $status -eq 130 || { cat "$work/log"; die "exit status $status after Ctrl-C, expected 130"; }
grep -q -- "--resume" "$work/log" || die "the message after Ctrl-C does not say how to go on"
before=$(wc -l <"$work/cut/metrics.jsonl")
test "$before" -lt 20 || die "the run was not interrupted in time"
try --threads 1 --workers 1 --out "$work/cut" --resume
cmp "$work/whole/metrics.jsonl" "$work/cut/metrics.jsonl" || die "losses after --resume (from step $before) differ"

# A run of ablations goes on with those that it began with, and with no others.
ablated="--method sd-byol --depth 4 --layers-distilled odd --shared-heads both --lower-depth 2 --dis-token"
run $ablated --threads 2 --out "$work/whole"
run $ablated --threads 1 --max-epochs 1 --out "$work/part"
"$bin/pretrain" --out "$work/part" --resume --shared-heads none >"$work/log" 2>&1 && die "resumed with other heads"
grep -q -- '--shared-heads: checkpoint has "both", command line has "none"' "$work/log" ||
  { cat "$work/log"; die "heads"; }
try --threads 1 --max-epochs 2 --out "$work/part" --resume
cmp "$work/whole/metrics.jsonl" "$work/part/metrics.jsonl" || die "losses of ablations after --resume differ"
grep -aq '"vitral.lower_token":"distillation"' "$work/part/checkpoint.safetensors" || die "the token is not described"

# Multi-crop: every method learns, in both precisions, and goes on after a stop with the bits of a whole run.
crops="--views multi-crop --local-views 3 --local-size 14 --drop-path 0.1"
for method in simclr byol sd-moco-v3 sd-simclr; do
  run $crops --method $method --precision bf16 --max-epochs 1 --out "$work/crops"
  test "$(cut -d, -f3 "$work/crops/metrics.jsonl" | sort -u | wc -l)" -eq 10 || die "$method: multi-crop"
done
run $crops --accumulate 2 --threads 2 --workers 2 --out "$work/whole"
run $crops --accumulate 2 --threads 1 --workers 1 --recompute block --max-epochs 1 --out "$work/part"
"$bin/pretrain" --out "$work/part" --resume --local-views 4 >"$work/log" 2>&1 && die "resumed with other views"
grep -q -- '--local-views: checkpoint has 3, command line has 4' "$work/log" || { cat "$work/log"; die "views"; }
try --threads 1 --max-epochs 2 --out "$work/part" --resume
cmp "$work/whole/metrics.jsonl" "$work/part/metrics.jsonl" || die "losses of multi-crop after --resume differ"
run --accumulate 2 --threads 2 --out "$work/two"
cmp -s "$work/whole/metrics.jsonl" "$work/two/metrics.jsonl" && die "the local views change nothing"
echo "bit-identical: threads 1 and 2, workers 1 and 2, resumed after step $before"
