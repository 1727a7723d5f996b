#!/bin/bash
# What each part of self-distillation is worth: a method, its plain form, and the self-distilled form with one thing
# changed at a time, all with the same small budget; then a table of k-NN accuracy of every layer, which says where a
# change turns the order of the plain and the self-distilled form around. What is finished is not repeated and what was
# cut off goes on, so the script can be stopped at any time and started again.
#   bash examples/ablations.sh [EPOCHS] [OUT] [DATA]      DATA as examples/fetch_cifar10.sh leaves it
# The table is OUT/ablations.md. Variables: METHOD, a self-distilled one; SEEDS, over which the table takes the mean;
# LIMIT, the images of an epoch; OPTIONS, further options of pretrain, which win, for example
# OPTIONS="--dataset fashion-mnist"; BIN, where the programs are (they are built otherwise).
set -euo pipefail
cd "$(dirname "$0")/.."
. cmake/packages.sh
epochs=${1:-4}
out=${2:-runs/ablations}
method=${METHOD:-sd-moco-v3}
bin=${BIN:-}

if [ -z "$bin" ]; then
  install_missing $vitral_packages
  cmake --preset release >/dev/null
  cmake --build --preset release --target pretrain
  bin=build/release/bin
fi
command -v python3 >/dev/null || { echo "python3 is needed and not here; install it first" >&2; exit 1; }

settings="--dataset cifar10 --patch 8 --width 96 --depth 6 --heads 3 --hidden 256 --out-dim 64 --batch 128
          --limit ${LIMIT:-10000} --epochs $epochs --lr 1e-3
          --knn-train 10000 --knn-test 5000 ${OPTIONS:-}"
case $settings in
  *"--dataset cifar10 "*--dataset*) data=${3:-} ;;
  *) data=${3:-data/cifar-10-batches-bin}
     test -e "$data/data_batch_1.bin" || bash examples/fetch_cifar10.sh "$data" ;;
esac

# A name and what is changed, a line each; the first two are what the others are held against. SimCLR has no predictors.
changes="plain: --method ${method#sd-}
published:
layers even: --layers-distilled even
layers odd: --layers-distilled odd
layer 1: --layers-distilled 1
up: --up 1
projector shared: --shared-heads projector
projectors wide: --lower-hidden 512
projectors shallow: --lower-depth 1
ratio constant: --ratio-schedule constant
ratio 0.4: --ratio 0.4
patches trained: --patch-embed trained
token of its own: --dis-token"
test "$method" = sd-simclr || changes+="
heads shared: --shared-heads both
no detached term: --detached-term off
student's target: --target student"
test "$method" != sd-byol || changes+="
same layer: --target same"

mkdir -p "$out"
while IFS=: read -r name change; do
  for seed in ${SEEDS:-1}; do
    run="$out/${name//[^a-z0-9]/-}-$seed"
    options="$settings --method $method --seed $seed$change"
    if [ -e "$run/finished" ]; then
      [ "$(cat "$run/finished")" = "$options" ] && continue
      echo "$run was made with other options; name another OUT, or remove it" >&2
      exit 1
    fi
    how=--overwrite  # a run that never came to a checkpoint begins again
    test -e "$run/checkpoint.safetensors" && how=--resume
    echo "$name, seed $seed:$change"
    mkdir -p "$run"
    "$bin/pretrain" $options ${data:+--data "$data"} --out "$run" $how </dev/null >>"$run/log.txt" 2>&1 ||
      { tail -n 20 "$run/log.txt"; echo "$run ended early; start the script again to go on"; exit 1; }
    echo "$options" >"$run/finished"
  done
done <<<"$changes"

CHANGES=$changes SEEDS=${SEEDS:-1} METHOD=$method EPOCHS=$epochs python3 - "$out" <<'END'
import json
import math
import os
import re
import sys

out, seeds = sys.argv[1], os.environ["SEEDS"].split()


def last_line(name, seed):
    run = os.path.join(out, re.sub("[^a-z0-9]", "-", name) + "-" + seed)
    with open(os.path.join(run, "metrics.jsonl")) as lines:
        return json.loads(lines.readlines()[-1])


def accuracies(name):
    """k-NN accuracy of each layer in percent, the mean over the seeds."""
    runs = [last_line(name, seed)["knn_trained"] for seed in seeds]
    return [100 * sum(layer) / len(runs) for layer in zip(*runs)]


with open(os.path.join(out, "plain-" + seeds[0], "log.txt")) as log:
    tested = int(re.findall(r"layer's class token, (\d+) images", log.read())[-1])
changes = [[part.strip() for part in line.split(":", 1)] for line in os.environ["CHANGES"].splitlines()]
table = {name: accuracies(name) for name, _ in changes}


def parts(name):
    """What is compared: the mean of the lower layers, and the final one."""
    return [sum(table[name][:-1]) / len(table[name][:-1]), table[name][-1]]


def order(of, beside):
    """1 above, -1 below, 0 where two standard errors of a difference of two accuracies do not tell."""
    p = min(max((of + beside) / 200, 0.0), 1.0)
    margin = 200 * math.sqrt(2 * p * (1 - p) / (tested * len(seeds)))
    return 0 if abs(of - beside) <= margin else 1 if of > beside else -1


def change(name):
    plain, published, here = parts("plain"), parts("published"), parts(name)
    turned = [part for part, a, b, c in zip(("lower layers", "final layer"), plain, published, here)
              if order(b, a) != order(c, a)]
    return ", ".join(turned) or "no"


depth = len(table["plain"])
lines = [f"k-NN accuracy (%) of each layer of the student after {os.environ['EPOCHS']} epochs of "
         f"{os.environ['METHOD']}, on {tested} images, {len(seeds)} seed{'s' * (len(seeds) > 1)}. The last "
         "column names where the order to the "
         "plain form (above, below, or within two standard errors of a difference) is another than that of the "
         "published form.", "",
         "| change | options | " + " | ".join(map(str, range(1, depth + 1))) +
         " | mean of 1 to " + str(depth - 1) + ", beside plain | final, beside plain | changes the order |",
         "| --- | --- |" + " --- |" * (depth + 3)]
for name, options in changes:
    lower, final = [f"{a - b:+.2f}" for a, b in zip(parts(name), parts("plain"))]
    lines.append(f"| {name} | {'`' + options + '`' if options else ''} | " +
                 " | ".join(f"{a:.2f}" for a in table[name]) + f" | {lower} | {final} | " +
                 ("" if name in ("plain", "published") else change(name)) + " |")
with open(os.path.join(out, "ablations.md"), "w") as page:
    page.write("\n".join(lines) + "\n")
print("\n".join(lines))
END
echo "wrote $out/ablations.md"
