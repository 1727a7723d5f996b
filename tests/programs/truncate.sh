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

# Checkpoints that contradict themselves: what is wrong is said before a network is made.
changed=$work/changed.safetensors
contradicts() {  # contradicts REGEX SED...
  local message=$1
  shift
  with_header "$whole" "$@" >"$changed"
  cmp -s "$whole" "$changed" && die "unchanged by $*"
  expect "$message" "$changed" --layers 1 --out "$work/none"
}
contradicts "its options say depth 2, and its network has more blocks" 's/\\"depth\\":3/\\"depth\\":2/'
contradicts "cls_token has shape \[1,1,24\], but .* it has \[1,1,48\]" 's/\\"width\\":24/\\"width\\":48/'
contradicts "pos_embed has shape \[1,17,24\], but .* it has \[1,65,24\]" 's/\\"image\\":28/\\"image\\":56/'
contradicts "patch_embed.proj.weight has shape \[24,3,7,7\]" \
  's/\\"patch\\":7/\\"patch\\":1000000/; s/\\"image\\":28/\\"image\\":4000000/'
contradicts "width 24 is no multiple of --heads 5" 's/\\"heads\\":2/\\"heads\\":5/'
contradicts "\"options\".*depth must be an integer, not 4294967299" 's/\\"depth\\":3/\\"depth\\":4294967299/'
contradicts "no tensor student.encoder.blocks.0.norm1.bias; the nearest names are student.encoder.Olocks" \
  's/"student.encoder.blocks.0.norm1.bias"/"student.encoder.Olocks.0.norm1.bias"/'
contradicts "no tensor student.encoder.norm.bias" 's/"student.encoder.norm.bias"/"student.encoder.blocks.x"/'
{ printf '%s' 's/\\"lr\\":[0-9.e-]*/\\"lr\\":'; nested 70000; echo /; } >"$work/deep"
contradicts "\"options\" is JSON nested more than 64 deep" -f "$work/deep"
{ printf '%s' 's/"dtype":"F32"/"dtype":'; nested 70000; echo /; } >"$work/deep"
contradicts "header.* is JSON nested more than 64 deep" -f "$work/deep"

# Every program that reads checkpoints refuses one that asks for a network without end, and one that diverged.
everywhere() {  # everywhere REGEX
  for program in evaluate embed finetune; do refuses $program "$1" "$changed" --out "$work/none"; done
  refuses propagate "$1" "$changed" --synthetic 1 --out "$work/none"
  expect "$1" "$changed" --layers 1 --out "$work/none"
}
contradicts "no tensor student.encoder.blocks.3.attn.qkv.weight" 's/\\"depth\\":3/\\"depth\\":1000000000/'
everywhere "no tensor student.encoder.blocks.3.attn.qkv.weight"
at=$(grep -ao '"student.encoder.norm.bias":{[^}]*"data_offsets":\[[0-9]*' "$whole" | grep -o '[0-9]*$')
cp "$whole" "$changed"
printf '\0\0\xc0\x7f' |
  dd of="$changed" bs=1 conv=notrunc seek=$((8 + $(od -An -tu8 -N8 "$whole") + at)) 2>"$work/log" || die "dd"
everywhere "number 0 of tensor student.encoder.norm.bias is nan: the training that wrote the file has diverged"
