#!/bin/bash
# pretrain_interrupted.sh BIN [SECONDS [SEED]]: a run that is killed at random moments (KILL, TERM, INT, HUP) and goes
# on each time ends with the bits of an uninterrupted one, in its checkpoint and its metrics. Give it minutes by hand.
. "$(dirname "$0")/common.bash"
bin=$(cd "$bin" && pwd) seconds=${2:-5} seed=${3:-1}
RANDOM=$seed
options="$tiny --method sd-moco-v3 --drop-path 0.1 --epochs 6 --limit 96 --threads 1 --out run"
now() { date +%s%3N; }

mkdir "$work/whole" "$work/cut"  # both runs call their directory `run`, so that their checkpoints are equal
begin=$(now)
(cd "$work/whole" && "$bin/pretrain" $options) >"$work/log" 2>&1 || { cat "$work/log"; die "a correct run"; }
length=$(($(now) - begin))

cd "$work/cut" || exit 1
runs=0 kills=0 end=$((SECONDS + seconds))
until [ $runs -gt 0 ] && [ $SECONDS -ge $end ]; do
  rm -rf run
  for ((cuts = 0; ; ++cuts)); do
    if [ -e run/checkpoint.safetensors ]; then how="--resume --out run"; else how="$options --overwrite"; fi
    "$bin/pretrain" $how >"$work/log" 2>&1 &
    pid=$!
    signal=KILL
    if [ $cuts -lt 6 ]; then  # then it may come to its end
      signals=(KILL KILL TERM INT HUP)
      signal=${signals[RANDOM % 5]}
      pause=$((RANDOM % length))
      sleep "$((pause / 1000)).$(printf %03d $((pause % 1000)))"
      kill -$signal $pid 2>/dev/null && kills=$((kills + 1))
    fi
    wait $pid 2>/dev/null
    status=$?
    [ $status -eq 0 ] && break
    case $signal:$status in
    KILL:137 | TERM:143 | INT:130 | HUP:129) ;;
    *) cat "$work/log"; die "seed $seed: exit status $status after $signal: pretrain $how" ;;
    esac
  done
  for file in checkpoint.safetensors metrics.jsonl; do
    cmp "$work/whole/run/$file" run/$file ||
      { cat "$work/log"; die "seed $seed, run $runs: $file differs after $cuts cuts"; }
  done
  test -z "$(compgen -G 'run/*.partial*')" || die "seed $seed, run $runs: $(ls run)"
  runs=$((runs + 1))
done
test $kills -gt 0 || die "no run was interrupted"
echo "seed $seed: $runs runs, interrupted $kills times, all with the bits of an uninterrupted one"
