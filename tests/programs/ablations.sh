#!/bin/bash
# ablations.sh trains each change of a method once and writes the table of them; finished runs are not repeated.
. "$(dirname "$0")/common.bash"

cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$bin")
mkdir "$work/data"
for name in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do
  gzip -dc "/usr/share/datasets/fashion-mnist/$name-ubyte.gz" >"$work/data/$name-ubyte"
done
ablate() { BIN=$bin METHOD=sd-byol OPTIONS="$tiny --epochs 1 --depth 3 --patch 14 --batch 80 \
  --knn-train 100 --knn-test 50 $*" bash examples/ablations.sh 1 "$work/out" "$work/data" >"$work/log" 2>&1; }

ablate || { cat "$work/log"; die "ablations.sh"; }
table=$work/out/ablations.md
runs=$(find "$work/out" -name finished | wc -l)
test "$runs" -eq 17 || die "SD-BYOL has 15 changes beside its plain and its published form, $runs runs were made"
test "$(grep -c '^| ' "$table")" -eq $((runs + 2)) || { cat "$table"; die "$runs runs have other lines"; }

# The table's numbers are those of the run, whose options are those of the line.
run=$work/out/layer-1-1
accuracy=$(tail -n 1 "$run/metrics.jsonl" | sed 's/.*"knn_trained":\[\([^]]*\)\].*/\1/; s/,/ /g' |
  awk '{printf "%.2f | %.2f | %.2f", 100 * $1, 100 * $2, 100 * $3}')
grep -Fq "| layer 1 | \`--layers-distilled 1\` | $accuracy |" "$table" || { cat "$table"; die "layer 1 has $accuracy"; }
grep -aq '\\"layers-distilled\\":\\"1\\"' "$run/checkpoint.safetensors" || die "layer 1: another run"

# A second call trains nothing; other options are refused.
ablate || { cat "$work/log"; die "a second call"; }
grep -q "seed 1:" "$work/log" && die "a finished run was repeated"
ablate --out-dim 8 && die "runs of other options were taken"
grep -q "plain-1 was made with other options" "$work/log" || { cat "$work/log"; die "no word about other options"; }
echo "ablations.sh: a table of $runs runs"
