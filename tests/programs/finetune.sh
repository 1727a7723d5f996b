#!/bin/bash
# `finetune` learns from a share of the labels, whatever the number of threads; --frozen leaves the network as it is;
# and what it writes is a checkpoint that `evaluate` reads. Mistakes are explained.
. "$(dirname "$0")/common.bash"

run() { "$bin/$1" "${@:2}" >"$work/log" 2>&1 || { cat "$work/log"; die "$*"; }; }

run pretrain $tiny --out "$work/run"
checkpoint=$work/run/checkpoint.safetensors
few="--labels 0.02 --batch 64 --test 500 --seed 1 --crop-min 0.5"
run finetune "$checkpoint" $few --epochs 4 --lr 0.01 --threads 2 --workers 2 --out "$work/fine"
grep -q "1200 of 60000 images" "$work/log" || { cat "$work/log"; die "two labels in a hundred are not 1200 images"; }
run finetune "$checkpoint" $few --epochs 4 --lr 0.01 --threads 1 --workers 1 --out "$work/one"
for name in metrics.jsonl checkpoint.safetensors finetune.json; do
  cmp "$work/fine/$name" "$work/one/$name" || die "$name differs with 1 and 2 threads"
done
test "$(wc -l <"$work/fine/metrics.jsonl")" -eq 4 || die "not one line an epoch: $(cat "$work/fine/metrics.jsonl")"
last=$(tail -n 1 "$work/fine/metrics.jsonl" | grep -o '"top1":[0-9.]*' | cut -d: -f2)
grep -q "\"top1\": $last," "$work/fine/finetune.json" || die "finetune.json has not the last epoch's top-1 of $last"
awk "BEGIN { exit !($last > 0.25) }" || die "a top-1 accuracy of $last after four epochs"

# A published recipe sets what is not named beside it: DeiT's main.py has --mixup 0.8, --cutmix 1.0, --reprob 0.25,
# --min-lr 1e-5, --warmup-epochs 5 and no decay by layer.
run finetune "$checkpoint" $few --recipe deit --epochs 2 --warmup-epochs 1 --erase 0.5 --image 35 --out "$work/deit"
for setting in '"branch": "teacher"' '"recipe": "deit"' '"layer-decay": 1.0' '"weight-decay": 0.05' '"drop-path": 0.1' \
  '"mixup": 0.8' '"cutmix": 1.0' '"label-smoothing": 0.1' '"warmup-epochs": 1' '"min-lr": 1e-05' '"erase": 0.5' \
  '"interpolation": "bicubic"' '"lr": 0.00025' '"batch": 64' '"rand-augment": 9.0' '"image": 35'; do
  grep -q -e "$setting" "$work/deit/finetune.json" || { cat "$work/deit/finetune.json"; die "no $setting"; }
done
grep -aq '"vitral.image":"35"' "$work/deit/checkpoint.safetensors" || die "the network is not one for 35 pixels"

# The class token and the positions are not decayed, as with DeiT and MAE. At this rate weight decay alone changes
# numbers, but for zeros, which become as small as the rate.
run finetune "$checkpoint" $few --epochs 1 --warmup-epochs 0 --lr 1e-20 --min-lr 0 --weight-decay 1e20 --layer-decay 1 \
  --out "$work/decay"
numbers_of() { # CHECKPOINT TENSOR: a number a line
  local length begin end
  length=$(od -An -tu8 -N8 "$1" | tr -d ' ')
  read -r begin end < <(tail -c +9 "$1" | head -c "$length" | grep -ao "\"$2\":{[^}]*}" |
    sed 's/.*offsets":\[\([0-9]*\),\([0-9]*\)\].*/\1 \2/')
  tail -c +$((9 + length + begin)) "$1" | head -c $((end - begin)) | od -An -v -w4 -tf4 |
    awk '{ print ($1 * $1 < 1e-30 ? 0 : $1) }'
}
for name in cls_token pos_embed patch_embed.proj.weight; do
  numbers_of "$checkpoint" "teacher.encoder.$name" >"$work/before"
  numbers_of "$work/decay/checkpoint.safetensors" "student.encoder.$name" >"$work/after"
  test -s "$work/before" || die "no numbers of $name"
  if test "$name" = patch_embed.proj.weight; then
    cmp -s "$work/before" "$work/after" && die "$name is not decayed"
  else
    cmp "$work/before" "$work/after" || die "$name is decayed"
  fi
done

# evaluate sees the same features where the network was frozen, and others where it was trained.
run finetune "$checkpoint" $few --epochs 2 --frozen --out "$work/frozen"
for name in run frozen fine; do
  run evaluate "$work/$name/checkpoint.safetensors" --train 500 --test 200 --k 5 --sgd-epochs 2 --out "$work/of_$name"
  cut -d, -f1-7 "$work/of_$name/layers.csv" >"$work/$name.csv"
done
cmp "$work/run.csv" "$work/frozen.csv" || die "--frozen changed the network"
cmp -s "$work/run.csv" "$work/fine.csv" && die "fine-tuning left the network as it was"

# The published protocols: another features' width, rates and test images; the network stays as it is.
run finetune "$checkpoint" $few --epochs 2 --frozen --protocol moco-v3 --out "$work/moco"
grep -q '"test-interpolation": "bilinear"' "$work/moco/finetune.json" || die "moco-v3 is not bilinear"
test "$(grep -c '"rate": 3' "$work/moco/finetune.json")" -eq 2 || die "moco-v3 has not the rate 3 alone"
run finetune "$checkpoint" $few --epochs 2 --frozen --protocol dino --threads 1 --out "$work/dino"
grep -q '"test-interpolation": "bicubic"' "$work/dino/finetune.json" || die "dino is not bicubic"
grep -aq '"head.weight":{"dtype":"F32","shape":\[10,48\]' "$work/dino/checkpoint.safetensors" ||
  die "the classifier does not see the class tokens of both blocks"
grep -q '"rate":' "$work/dino/metrics.jsonl" || die "the best rate is not in metrics.jsonl"
run evaluate "$work/dino/checkpoint.safetensors" --train 500 --test 200 --k 5 --sgd-epochs 2 --out "$work/of_dino"
cmp "$work/run.csv" <(cut -d, -f1-7 "$work/of_dino/layers.csv") || die "--protocol changed the network"
refuses finetune "protocol.*requires.*frozen" "$checkpoint" --protocol dino --out "$work/none"

# --n_last_blocks and --avgpool_patchtokens of DINO's eval_linear.py: the classifier has 24 inputs for each part.
head_of() { # SHAPE NAME OPTION...: of the classifier that these options make
  run finetune "$checkpoint" $few --epochs 1 --frozen --lr 0.1 --out "$work/$2" --protocol "${@:3}"
  grep -aq "\"head.weight\":{\"dtype\":\"F32\",\"shape\":\[10,$1\]" "$work/$2/checkpoint.safetensors" ||
    die "${*:3}: not $1 inputs"
}
head_of 24 one_block dino --last-blocks 1 --branch student
grep -q '"last_blocks": 1' "$work/one_block/finetune.json" || die "finetune.json has not the one block"
grep -q '"branch": "student"' "$work/one_block/finetune.json" || die "finetune.json does not say that it is the student"
grep -q '"branch": "teacher"' "$work/dino/finetune.json" || die "finetune.json does not say that it is the teacher"
# The network that was kept frozen is the student where it is asked for, and otherwise the teacher, as in the published
# code (validation_step of pl_train_byol.py).
embed() { run embed "$work/$1/checkpoint.safetensors" --images 20 --out "$work/of_$2" "${@:3}"; }
embed run student --branch student
embed run teacher
embed one_block one_block
embed dino by_default
cmp "$work/of_student/features.npy" "$work/of_one_block/features.npy" || die "--branch student is another network"
cmp "$work/of_teacher/features.npy" "$work/of_by_default/features.npy" || die "the teacher is another network"
cmp -s "$work/of_student/features.npy" "$work/of_teacher/features.npy" && die "student and teacher are the same"
head_of 72 two_and_mean moco-v3 --last-blocks 2 --average-pool yes
for network in student:one_block teacher:dino; do
  grep -aq "\"branch\":\"${network%:*}\"" "$work/${network#*:}/checkpoint.safetensors" ||
    die "the checkpoint does not say that it was the ${network%:*}"
done
refuses finetune "last-blocks 3: $checkpoint has 2 blocks" "$checkpoint" --frozen --protocol dino --last-blocks 3 \
  --out "$work/none"
refuses finetune "last-blocks.*requires.*protocol" "$checkpoint" --frozen --last-blocks 1 --out "$work/none"

# A folder that is not split is learnt from and tested on in two parts.
for class in 0 1; do
  mkdir -p "$work/one/class$class"
  for i in 0 1 2 3 4; do
    "$bin/preview" --dataset fashion-mnist --rows 1 --draws 1 --first $((class * 10 + i)) \
      --out "$work/one/class$class/$i.png" \
      >/dev/null || die "an image"
  done
done
run finetune "$checkpoint" --dataset folder --data "$work/one" --holdout 0.4 --frozen --epochs 1 --out "$work/held"
grep -q "4 of its 10 images are held out" "$work/log" || { cat "$work/log"; die "what is held out is not said"; }
grep -q '"test_images": 4' "$work/held/finetune.json" || die "not four images are tested on"

# The benchmark of Pets is the mean over the classes: of three images of one breed and one of another.
mkdir -p "$work/pets/images" "$work/pets/annotations"
for class in 0 1; do
  for i in 0 1 2 3 4; do cp "$work/one/class$class/$i.png" "$work/pets/images/breed_of_${class}_$i.jpg"; done
done
printf 'breed_of_0_0 1 1 1\nbreed_of_1_0 2 1 2\nbreed_of_1_1 2 1 2\n' >"$work/pets/annotations/trainval.txt"
printf 'breed_of_0_%d 1 1 1\n' 1 2 3 >"$work/pets/annotations/test.txt"
printf 'breed_of_1_2 2 1 2\n' >>"$work/pets/annotations/test.txt"
run finetune "$checkpoint" --dataset pets --data "$work/pets" --frozen --epochs 1 --out "$work/breeds"
grep -q "mean per class [0-9.]* %" "$work/log" || { cat "$work/log"; die "no mean over the classes"; }
grep -q '"mean_per_class"' "$work/breeds/metrics.jsonl" || die "metrics.jsonl has no mean over the classes"
grep -q '"mean_per_class"' "$work/breeds/finetune.json" || die "finetune.json has no mean over the classes"
grep -q '"mean_per_class"' "$work/fine/finetune.json" && die "the benchmark of Fashion-MNIST is no mean over classes"
run evaluate "$checkpoint" --dataset pets --data "$work/pets" --k 1 --sgd-epochs 1 --no-analyses --out "$work/of_pets"
test "$(grep -c '"mean_per_class"' "$work/of_pets/results.json")" -ge 6 || die "evaluate tells no mean over the classes"
grep -q "k-NN 1 mean per class %" "$work/of_pets/layers.csv" || die "layers.csv has no mean over the classes"
grep -q "Best layer by k-NN, k = 1, mean per class" "$work/of_pets/report.html" ||
  die "the report shows another measure"
rm "$work/pets/images/breed_of_1_2.jpg"
refuses finetune "test.txt: line 4 names the image .*breed_of_1_2.jpg, which is not there" "$checkpoint" \
  --dataset pets --data "$work/pets" --out "$work/none"

refuses finetune "out $work/run would overwrite $checkpoint" "$checkpoint" $few --out "$work/run"
mkdir "$work/other" && cp "$checkpoint" "$work/other"
refuses finetune "out $work/other holds the checkpoint of a pretraining run" "$checkpoint" $few --out "$work/other"
cmp "$checkpoint" "$work/other/checkpoint.safetensors" || die "a pretraining run was overwritten"
expect() { refuses finetune "$@" --out "$work/none"; }
expect "$work/nowhere.safetensors" "$work/nowhere.safetensors"
expect "labels.*0 to 1|labels.*0 - 1|labels.*range" "$checkpoint" --labels 1.5
expect "labels 0 leaves no image" "$checkpoint" --labels 0
expect "frozen.*excludes.*layer-decay|layer-decay.*excludes.*frozen" "$checkpoint" --frozen --layer-decay 0.5
expect "warmup-epochs 2 leaves nothing of --epochs 2" "$checkpoint" --epochs 2 --warmup-epochs 2
expect "frozen.*excludes.*recipe|recipe.*excludes.*frozen" "$checkpoint" --frozen --recipe mae
expect "warmup-epochs 5 leaves nothing of --epochs 3" "$checkpoint" --recipe deit --epochs 3
expect "image size of 30 is not a multiple of the patch size 7" "$checkpoint" --image 30
expect "dataset folder needs --data" "$checkpoint" --dataset folder
refuses finetune "the loss became .*--lr" "$checkpoint" $few --epochs 2 --frozen --lr 1e38 --out "$work/diverged"
