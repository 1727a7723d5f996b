#!/bin/bash
# `truncate` writes a checkpoint that `evaluate` and `embed` take for a network of that depth. Programs read files of
# earlier versions and files of no run, and explain those that contradict themselves.
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
# The student is cut where it is asked for; a cut holds one network alone.
"$bin/truncate" "$whole" --branch student --layers 2 --out "$work/student.safetensors" >"$work/log" 2>&1 ||
  { cat "$work/log"; die "a cut of the student"; }
cmp -s "$work/two.safetensors" "$work/student.safetensors" && die "student and teacher are the same"
expect "holds no teacher: it has no tensor teacher.encoder.cls_token" "$work/two.safetensors" --branch teacher \
  --layers 1 --out "$work/none"
expect "branch: mean not in" "$whole" --branch mean --layers 1 --out "$work/none"
expect "layers 0: .* choose 1 to 3" "$whole" --layers 0 --out "$work/none"
cp "$whole" "$work/copy"
expect "copy exists already" "$work/copy" --layers 2 --out "$work/copy"
cmp "$whole" "$work/copy" || die "the input was changed"
expect "results.json is no safetensors file" "$work/two/results.json" --layers 1 --out "$work/none"
expect "heads 3: .* says that its network has [0-9]*; leave the option out" "$whole" --heads 3 --layers 1 \
  --out "$work/none"

run() { "$bin/$1" "${@:2}" >"$work/log" 2>&1 || { cat "$work/log"; die "$*"; }; }

# Weights of others, of which a line says what was found: --heads says what they do not.
dino=$(dirname "$0")/../fixtures/weights/dino_full.pth
expect "dino_full.pth does not say how many attention heads .* say it .heads" "$dino" --layers 1 --out "$work/none"
run truncate "$dino" --heads 3 --layers 1 --out "$work/dino.safetensors"
grep -q "dino_full.pth: weights as DINO writes them: width 24, .*; left out: head.mlp, module.head" "$work/log" ||
  { cat "$work/log"; die "nothing is said of DINO's weights"; }
of_mnist=(--dataset fashion-mnist --images 50)
run embed "$dino" --heads 3 --layer 1 "${of_mnist[@]}" --out "$work/of_dino"
run embed "$work/dino.safetensors" "${of_mnist[@]}" --out "$work/of_cut_dino"
cmp "$work/of_dino/features.npy" "$work/of_cut_dino/features.npy" || die "DINO's first layer has other features"
run embed "$dino" --heads 3 --branch student --layer 1 "${of_mnist[@]}" --out "$work/of_student"
cmp -s "$work/of_dino/features.npy" "$work/of_student/features.npy" && die "DINO's student is its teacher"

# Files of earlier versions say their network's size in the options of their run.
older=$work/older.safetensors alone=$work/alone.safetensors
with_header "$whole" 's/,"vitral\.[a-z]*":"[^"]*"//g' >"$older"
grep -aq 'vitral\.' "$older" && die "the keys are still there"
run embed "$older" --layer 2 --images 300 --out "$work/of_older"
cmp "$work/whole/features.npy" "$work/of_older/features.npy" || die "an older file has other features"

# A network alone, of no run: the images have to be named.
with_header "$work/two.safetensors" 's/"__metadata__":{.*"vitral.depth"/"__metadata__":{"vitral.depth"/' >"$alone"
for program in evaluate embed finetune; do
  refuses $program "alone.safetensors is from no run of .pretrain.*with --dataset and --data" "$alone" \
    --out "$work/none"
done
run embed "$alone" --dataset fashion-mnist --images 300 --out "$work/of_alone"
cmp "$work/whole/features.npy" "$work/of_alone/features.npy" || die "a network alone has other features"
run truncate "$alone" --layers 1 --out "$work/alone_one"
run evaluate "$alone" --dataset fashion-mnist --train 200 --test 50 --k 5 --sgd-epochs 1 --out "$work/found"
grep -q '<h1>A network on fashion-mnist<' "$work/found/report.html" || die "the report of a network alone"
refuses compare "found/results.json is about a network of which no run of .pretrain. is known" "$work/found" \
  --out "$work/none"
run finetune "$alone" --dataset fashion-mnist --labels 0.01 --test 50 --epochs 1 --frozen --out "$work/taught"
run propagate "$work/taught/checkpoint.safetensors" --synthetic 1 --size 28 --out "$work/followed"

# Checkpoints that contradict themselves: what is wrong is said before a network is made.
changed=$work/changed.safetensors
contradicts() {  # contradicts FROM REGEX SED...
  local from=$1 message=$2
  shift 2
  with_header "$from" "$@" >"$changed"
  cmp -s "$from" "$changed" && die "unchanged by $*"
  expect "$message" "$changed" --layers 1 --out "$work/none"
}
# describes KEY VALUE REGEX: a network described so is refused, by the library's keys and by an older file's options.
describes() {
  contradicts "$whole" "$3" "s/\"vitral.$1\":\"[0-9]*\"/\"vitral.$1\":\"$2\"/"
  contradicts "$older" "$3" "s/\\\\\"$1\\\\\":[0-9]*/\\\\\"$1\\\\\":$2/"
}
describes depth 2 "says depth 2, but its tensors are of a network with more blocks"
describes width 48 "cls_token has shape \[1, 1, 24\], but .*width 48.* needs \[1, 1, 48\]"
describes image 56 "pos_embed has shape \[1, 17, 24\], but .*image 56.* needs \[1, 65, 24\]"
describes patch 14 "pos_embed has shape \[1, 17, 24\], but .* needs \[1, 5, 24\]"
describes heads 5 "a width of 24 cannot be divided among 5 heads"
describes depth 4294967299 "depth.* must be a whole number from 1 to 2147483647, not 4294967299"
contradicts "$whole" "a network of the kind resnet" 's/"vitral.model":"vit"/"vitral.model":"resnet"/'
contradicts "$whole" "no tensor teacher.encoder.blocks.0.norm1.bias; the nearest names are teacher.encoder.Olocks" \
  's/"teacher.encoder.blocks.0.norm1.bias"/"teacher.encoder.Olocks.0.norm1.bias"/'
contradicts "$whole" "no tensor teacher.encoder.norm.bias" 's/"teacher.encoder.norm.bias"/"teacher.encoder.blocks.x"/'
{ printf '%s' 's/\\"lr\\":[0-9.e-]*/\\"lr\\":'; nested 70000; echo /; } >"$work/deep"
contradicts "$whole" "\"options\" is JSON nested more than 64 deep" -f "$work/deep"
{ printf '%s' 's/"dtype":"F32"/"dtype":'; nested 70000; echo /; } >"$work/deep"
contradicts "$whole" "header.* is JSON nested more than 64 deep" -f "$work/deep"

# Every program that reads checkpoints refuses one that asks for a network without end, and one that diverged.
everywhere() {  # everywhere REGEX
  for program in evaluate embed finetune; do refuses $program "$1" "$changed" --out "$work/none"; done
  refuses propagate "$1" "$changed" --synthetic 1 --out "$work/none"
  expect "$1" "$changed" --layers 1 --out "$work/none"
}
describes depth 1000000000 "no tensor teacher.encoder.blocks.3.attn.qkv.weight"
everywhere "no tensor (student|teacher).encoder.blocks.3.attn.qkv.weight"
at=$(grep -ao '"teacher.encoder.norm.bias":{[^}]*"data_offsets":\[[0-9]*' "$whole" | grep -o '[0-9]*$')
cp "$whole" "$changed"
printf '\0\0\xc0\x7f' |
  dd of="$changed" bs=1 conv=notrunc seek=$((8 + $(od -An -tu8 -N8 "$whole") + at)) 2>"$work/log" || die "dd"
everywhere "number 0 of tensor teacher.encoder.norm.bias is nan: the training that wrote the file has diverged"
