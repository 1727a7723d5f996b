#!/bin/bash
# `truncate` writes a checkpoint that `evaluate` and `embed` take for a network of that depth, and explains mistakes.
. "$(dirname "$0")/common.bash"

"$bin/pretrain" $tiny --method sd-byol --depth 3 --out "$work/run" >"$work/log" 2>&1 || { cat "$work/log"; die "a correct run"; }
whole=$work/run/checkpoint.safetensors
"$bin/truncate" "$whole" --layers 2 --out "$work/two.safetensors" >"$work/log" 2>&1 || { cat "$work/log"; die "a correct cut"; }

# Its last layer is the whole network's second, bit for bit.
"$bin/embed" "$whole" --layer 2 --images 300 --out "$work/whole" >"$work/log" 2>&1 || { cat "$work/log"; die "embed the whole"; }
"$bin/embed" "$work/two.safetensors" --images 300 --out "$work/two" >"$work/log" 2>&1 || { cat "$work/log"; die "embed a part"; }
cmp "$work/whole/features.npy" "$work/two/features.npy" || die "the features of layer 2 differ"
"$bin/embed" "$whole" --layer 1 --images 300 --out "$work/one" >"$work/log" 2>&1
cmp -s "$work/one/features.npy" "$work/two/features.npy" && die "layers 1 and 2 have the same features"

# Even the first layer alone, of a self-distilled network, is evaluated; the accuracies are those of the whole's.
"$bin/truncate" "$work/two.safetensors" --layers 1 --out "$work/first.safetensors" >"$work/log" 2>&1 || die "a cut of a cut"
for part in first two; do
  "$bin/evaluate" "$work/$part.safetensors" --train 500 --test 200 --k 20 --no-analyses --out "$work/evaluated_$part" >"$work/log" 2>&1 ||
    { cat "$work/log"; die "evaluate $part"; }
done
test "$(wc -l <"$work/evaluated_first/layers.csv")" -eq 2 || die "the first layer alone has other than one row"
test "$(sed -n 2p "$work/evaluated_first/layers.csv" | cut -d, -f1-6)" = \
     "$(sed -n 2p "$work/evaluated_two/layers.csv" | cut -d, -f1-6)" || die "layer 1 is another network alone"

expect() { refuses truncate "$@"; }
expect "layers 4: $whole has 3 layers; choose 1 to 3" "$whole" --layers 4 --out "$work/none"
expect "layers 0: .* choose 1 to 3" "$whole" --layers 0 --out "$work/none"
cp "$whole" "$work/copy"
expect "copy exists already" "$work/copy" --layers 2 --out "$work/copy"
cmp "$whole" "$work/copy" || die "the input was changed"
expect "results.json is no safetensors file" "$work/evaluated_two/results.json" --layers 1 --out "$work/none"
expect "evaluation.safetensors: its metadata \"options\" is missing.*pretrain" \
  "$(dirname "$0")/../fixtures/evaluation.safetensors" --layers 1 --out "$work/none"
