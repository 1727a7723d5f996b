#!/bin/bash
# SimCLR, BYOL and MoCo v3 with and without self-distillation on CIFAR-10, by the published recipe and with the same
# budget for all: pretrained, evaluated, compared; then docs/results.md and its charts. Each runs at a base rate that
# suits so few epochs ("tuned") and at the published one. What is finished is not repeated and what was cut off goes on,
# so the script can be stopped at any time and started again.
#   bash examples/experiment_cifar10.sh [DATA] [OUT]      DATA as examples/fetch_cifar10.sh leaves it
# Variables: METHODS, SEEDS and RATES; JOBS, runs side by side with a thread each; OPTIONS, further ones of pretrain,
# for example OPTIONS="--epochs 100 --warmup-epochs 13"; EVALUATE, further ones of evaluate; DOCS, where the page goes;
# BIN, where the programs are (they are built otherwise).
set -euo pipefail
cd "$(dirname "$0")/.."
. cmake/packages.sh
data=${1:-data/cifar-10-batches-bin}
out=${2:-runs/cifar10}
bin=${BIN:-}

if [ -z "$bin" ]; then
  install_missing $vitral_packages
  cmake --preset release >/dev/null
  cmake --build --preset release --target pretrain evaluate compare
  bin=build/release/bin
fi
test -e "$data/data_batch_1.bin" || bash examples/fetch_cifar10.sh "$data"

for program in python3 gnuplot flock; do
  command -v $program >/dev/null || { echo "$program is needed and not here; install it first" >&2; exit 1; }
done

mkdir -p "$out" "${DOCS:-docs}"
exec 9>"$out/lock"  # the runs hold it as well: they may outlive a script that was killed
flock -n 9 || { echo "$out: runs of an earlier call still work there; wait for them, or end them" >&2; exit 1; }
export OMP_WAIT_POLICY=passive  # the runs share the machine: none spins while it waits
# Warm-up is the published share of the epochs, 40 of 300.
settings="--dataset cifar10 --patch 8 --width 128 --depth 6 --heads 4 --hidden 512 --batch 256 --epochs 12
          --warmup-epochs 2 --precision bf16 --knn-train 50000 --knn-test 10000 --threads 1 --workers 1 ${OPTIONS:-}"

base_rate() {  # RATE METHOD
  case $1-$2 in
    tuned-*) echo 1e-3 ;;
    published-*simclr) echo 1.3e-4 ;;
    published-*) echo 1.5e-4 ;;
    *) echo "RATES: \"$1\" is neither tuned nor published" >&2; return 1 ;;
  esac
}

# finished FILE SETTINGS: whether an earlier call with the same settings wrote the file; other settings end the script.
finished() {
  mkdir -p "$(dirname "$1")"
  local noted
  noted=$(dirname "$1")/settings.txt
  if [ -e "$noted" ] && [ "$(cat "$noted")" != "$2" ]; then
    echo "$noted: this was begun with other settings; name another OUT, or remove $(dirname "$1")" >&2
    exit 1
  fi
  echo "$2" >"$noted"
  test -e "$1"
}

pretrain() {  # RUN OPTIONS...
  local run=$1 how=--overwrite  # a run that never came to a checkpoint begins again
  shift
  test -e "$run/checkpoint.safetensors" && how=--resume
  echo "part begins" >>"$run/log.txt"  # one that is killed leaves no time
  { time "$bin/pretrain" --data "$data" $settings "$@" --out "$run" $how; } >>"$run/log.txt" 2>&1 ||
    { tail -n 20 "$run/log.txt"; echo "$run ended early; start the script again to go on"; return 1; }
  touch "$run/finished"
}

running=0 failed=0 runs=() rates=${RATES:-tuned published}
for seed in ${SEEDS:-1 2}; do
  for rate in $rates; do
    for method in ${METHODS:-moco-v3 sd-moco-v3 simclr sd-simclr byol sd-byol}; do
      run=$out/$rate/$method-$seed
      lr=$(base_rate "$rate" "$method")
      runs+=("$run")
      finished "$run/finished" "$settings --lr $lr" && continue
      if [ $running -ge "${JOBS:-$(nproc)}" ]; then wait -n || failed=1; else running=$((running + 1)); fi
      echo "pretraining $run"
      pretrain "$run" --method "$method" --seed "$seed" --lr "$lr" &
    done
  done
done
while [ $running -gt 0 ]; do wait -n || failed=1; running=$((running - 1)); done
[ $failed = 0 ] || exit 1

for run in "${runs[@]}"; do  # one at a time, as it measures times
  finished "$run/evaluation/finished" "${EVALUATE:-}" || {
    "$bin/evaluate" "$run/checkpoint.safetensors" --data "$data" --out "$run/evaluation" ${EVALUATE:-}
    touch "$run/evaluation/finished"
  }
done
for rate in $rates; do
  evaluations=()
  for run in "${runs[@]}"; do case $run in "$out/$rate"/*) evaluations+=("$run/evaluation") ;; esac; done
  "$bin/compare" "${evaluations[@]}" --out "$out/$rate/comparison"
done
python3 docs/make_results.py "$out" "${DOCS:-docs}"
