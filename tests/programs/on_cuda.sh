#!/bin/bash
# `embed`, `propagate` and `evaluate` find with --device cuda what they find on the CPU, and `finetune` learns the same:
# on the device of fibres, and where a GPU is at hand there, too.
. "$(dirname "$0")/common.bash"

"$bin/pretrain" $tiny --dis-token --out "$work/run" >"$work/log" 2>&1 || { cat "$work/log"; die "a correct run"; }
checkpoint=$work/run/checkpoint.safetensors

# runs FOLDER PROGRAM OPTIONS...: a correct run of the program in that folder.
runs() {
  local program=$1/$2
  shift 2
  "$program" "$checkpoint" "$@" >"$work/log" 2>&1 || { cat "$work/log"; die "$program $*"; }
}

# Without a device it is said before images are looked for; built without CUDA, too.
without="there is no CUDA device; use --device cpu|device cuda: this program was built without CUDA: .*use --device cpu"
for folder in on_host/ ""; do
  for program in embed evaluate propagate finetune; do
    CUDA_VISIBLE_DEVICES= refuses $folder$program "$without" "$checkpoint" --device cuda --data "$work/nowhere" \
      --out "$work/none"
  done
done

devices=$bin/on_host
if "$bin/embed" "$checkpoint" --images 1 --device cuda --out "$work/one" >"$work/log" 2>&1; then
  devices="$devices $bin"
else
  grep -q "there is no CUDA device\|built without CUDA" "$work/log" || { cat "$work/log"; die "embed on the GPU"; }
fi

# Every number of every feature within 1e-5 of the CPU's, where rows have unit length or the norm's size, about 3. That
# they are no copies of the CPU's shows in their last bits.
numbers() { od -An -v -j128 -tf4 -w4 "$1/features.npy"; }
while read -r mode; do
  runs "$bin" embed --images 12 $mode --out "$work/cpu"
  for device in $devices; do
    runs "$device" embed --images 12 $mode --device cuda --out "$work/cuda"
    cmp <(head -c 128 "$work/cpu/features.npy") <(head -c 128 "$work/cuda/features.npy") || die "other rows: $mode"
    cmp -s "$work/cpu/features.npy" "$work/cuda/features.npy" && die "the CPU computed what the device was to: $mode"
    paste <(numbers "$work/cpu") <(numbers "$work/cuda") | awk -v mode="$mode" '
      { d = $1 - $2; if (d < 0) d = -d; if (d > most) most = d }
      /nan|inf/ { most = 1 }
      END { print "embed " mode ": within " most; exit !(NR > 200 && most < 1e-5) }' || die "$device: embed $mode"
  done
done <<'END'
--layer 2
--layer 1
--layer 1 --branch student
--whole --size 40
--whole --size 35 --resize squash --interpolation bicubic --gem
--whole --layer 1 --scales 1,0.7071 --gem
END

# Objects are followed as well: J and F within 0.002.
runs "$bin" propagate --synthetic 1 --size 56 --layer 1 --out "$work/cpu"
for device in $devices; do
  runs "$device" propagate --synthetic 1 --size 56 --layer 1 --device cuda --out "$work/cuda"
  score() { grep -m 1 -o '"j_and_f": [0-9.e-]*' "$1/propagation.json" | cut -d' ' -f2; }
  awk -v a="$(score "$work/cpu")" -v b="$(score "$work/cuda")" 'BEGIN { d = a - b; exit !(a > 0.3 && d * d < 4e-6) }' ||
    die "$device: J and F are $(score "$work/cuda"), on the CPU $(score "$work/cpu")"
done

# Classifiers are right as often, but for two of 60 images, whether features lie in memory or in a file.
evaluated="--train 120 --test 60 --k 5 --sgd-epochs 2 --no-analyses"
runs "$bin" evaluate $evaluated --out "$work/cpu"
for device in $devices; do for file in "" "--features-file $work --feature-type f16"; do
  runs "$device" evaluate $evaluated $file --device cuda --out "$work/cuda"
  paste -d, <(cut -d, -f2-7 "$work/cpu/layers.csv") <(cut -d, -f2-7 "$work/cuda/layers.csv") | awk -F, '
    NR > 1 { for (i = 1; i <= 6; ++i) { d = $i - $(i + 6); if (d * d > 3.4 * 3.4 || !($i > 0)) exit 1 } }
    END { if (NR != 3) exit 1 }' || { cat "$work"/{cpu,cuda}/layers.csv; die "$device: other accuracies"; }
done; done

# Networks and classifiers learn the same: the loss of each epoch is within 1e-4 of the CPU's, the top-1 accuracy within
# one of 60 images. The rates let each loss fall.
few="--labels 0.002 --batch 32 --test 60 --crop-min 0.5 --epochs 3"
epochs() { sed 's/.*"loss":\([^,]*\),.*"top1":\([^,]*\),.*/\1 \2/' "$1/metrics.jsonl"; }
while read -r mode; do
  runs "$bin" finetune $few $mode --out "$work/cpu"
  for device in $devices; do
    runs "$device" finetune $few $mode --device cuda --out "$work/cuda"
    cmp -s "$work/cpu/checkpoint.safetensors" "$work/cuda/checkpoint.safetensors" && die "the CPU learned: $mode"
    paste <(epochs "$work/cpu") <(epochs "$work/cuda") | awk -v mode="$mode" '
      { d = $1 / $3 - 1; if (d < 0) d = -d; if (!(d <= most)) most = d
        e = $2 - $4; if (e < 0) e = -e; if (!(e <= off + 0)) off = e; last = $3; if (NR == 1) first = $3 }
      END { print "finetune " mode ": loss " first " to " last ", within " most ", top-1 within " off + 0
            exit !(NR == 3 && most < 1e-4 && off < 0.017 && last < first) }' || die "$device: finetune $mode"
  done
done <<'END'
--lr 0.01
--recipe deit --warmup-epochs 1 --lr 0.01 --image 35
--frozen --lr 1
--frozen --protocol dino --average-pool yes
END
