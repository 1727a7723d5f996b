#!/bin/bash
# `truncate` writes a checkpoint that `evaluate` and `embed` take for a network of that depth, and explains mistakes.
. "$(dirname "$0")/common.bash"

"$bin/pretrain" $tiny --method sd-byol --depth 3 --out "$work/run" >"$work/log" 2>&1 ||
  { cat "$work/log"; die "a correct run"; }
whole=$work/run/checkpoint.safetensors
"$bin/truncate" "$whole" --layers 2 --out "$work/two.safetensors" >"$work/log" 2>&1 ||
  { cat "$work/log"; die "a correct cut"; }

# Its last layer is the whole network's second, bit for bit.
"$bin/embed" "$whole" --layer 2 --images 300 --out "$work/whole" >"$work/log" 2>&1 ||
  { cat "$work/log"; die "embed the whole"; }
"$bin/embed" "$work/two.safetensors" --images 300 --out "$work/two" >"$work/log" 2>&1 ||
  { cat "$work/log"; die "embed a part"; }
cmp "$work/whole/features.npy" "$work/two/features.npy" || die "the features of layer 2 differ"
"$bin/embed" "$whole" --layer 1 --images 300 --out "$work/one" >"$work/log" 2>&1
cmp -s "$work/one/features.npy" "$work/two/features.npy" && die "layers 1 and 2 have the same features"

# Parts, even the first layer alone of a self-distilled network, have the accuracies of the whole's first layers.
"$bin/truncate" "$work/two.safetensors" --layers 1 --out "$work/one.safetensors" >"$work/log" 2>&1 ||
  { cat "$work/log"; die "a cut of a cut"; }
for file in "$whole" "$work/two.safetensors" "$work/one.safetensors"; do
  name=$(basename "$file" .safetensors)
  "$bin/evaluate" "$file" --train 500 --test 200 --k 20 --no-analyses --out "$work/$name" >"$work/log" 2>&1 ||
    { cat "$work/log"; die "evaluate $name"; }
  cut -d, -f1-5 "$work/$name/layers.csv" >"$work/$name.csv"  # the layer; k-NN and logistic regression, top 1 and 5
done
head -n 3 "$work/checkpoint.csv" | cmp - "$work/two.csv" || die "two layers are not the whole's first two"
head -n 2 "$work/checkpoint.csv" | cmp - "$work/one.csv" || die "one layer is not the whole's first"

expect() { refuses truncate "$@"; }
expect "layers 4: $whole has 3 layers; choose 1 to 3" "$whole" --layers 4 --out "$work/none"
expect "layers 0: .* choose 1 to 3" "$whole" --layers 0 --out "$work/none"
cp "$whole" "$work/copy"
expect "copy exists already" "$work/copy" --layers 2 --out "$work/copy"
cmp "$whole" "$work/copy" || die "the input was changed"
expect "results.json is no safetensors file" "$work/two/results.json" --layers 1 --out "$work/none"
expect "evaluation.safetensors: its metadata \"options\" is missing.*pretrain" \
  "$(dirname "$0")/../fixtures/evaluation.safetensors" --layers 1 --out "$work/none"
