#!/bin/bash
# `compare` averages runs over their seeds, says what self-distillation gains, and refuses what does not compare.
. "$(dirname "$0")/common.bash"

# evaluated NAME METHOD SEED KNN1 KNN2 [DEPTH TRAIN EPOCHS]: what `evaluate` would write of a network of two layers, or
# of more, all of which are like the second.
evaluated() {
  mkdir -p "$work/$1"
  local layers="" layer accuracy=$4
  for layer in $(seq "${6:-2}"); do
    layers+="${layers:+,}{\"layer\": $layer, \"knn\": {\"20\": {\"top1\": $accuracy, \"top5\": 1}},
      \"logistic\": {\"top1\": 0.5, \"top5\": 1}, \"sgd\": {\"top1\": 0.6, \"top5\": 1, \"rate\": 1, \"rates\": []},
      \"multiply_adds\": ${layer}e6, \"milliseconds\": 1, \"images_per_second\": 2000}"
    accuracy=$5
  done
  cat >"$work/$1/results.json" <<END
{"run": {"method": "$2", "seed": $3, "depth": ${6:-2}, "epochs": ${8:-300}, "augmentation": "moco-v3"},
 "dataset": "images", "train_images": ${7:-1000}, "test_images": 100, "classes": 10, "temperature": 0.07,
 "logistic_c": 1, "sgd_epochs": 90, "speed_batch": 64, "threads": 2, "layers": [$layers],
 "adaptive_exit": [{"confidence": 0.5, "accuracy": 0.5, "multiply_adds": 1e6, "layers": 1.5}]}
END
}
evaluated a1 byol 1 0.300 0.400
evaluated a2 byol 2 0.310 0.404
evaluated b1 sd-byol 1 0.350 0.402
evaluated b2 sd-byol 2 0.360 0.406
compare() { "$bin/compare" "$@" >"$work/log" 2>&1 || { cat "$work/log"; die "compare $*"; }; }
cd "$work" || exit 1
compare a1 b1 a2 b2 --out seeds
! grep -q 'differ in more' seeds/comparison.md || die "a published ratio is called a difference"

# Means and spreads by hand: (30.0 + 31.0) / 2, and so on.
test "$(grep -F 'k-NN, k = 20' seeds/layers.csv | tr -d '"' | tr '\n' ' ')" = "byol,2,k-NN, k = 20,1,30.50,30.00,31.00 \
byol,2,k-NN, k = 20,2,40.20,40.00,40.40 sd-byol,2,k-NN, k = 20,1,35.50,35.00,36.00 \
sd-byol,2,k-NN, k = 20,2,40.40,40.20,40.60 " || { cat seeds/layers.csv; die "means over seeds"; }
grep -Fq '| 1 | 30.50 (30.00 to 31.00) | 35.50 (35.00 to 36.00) |' seeds/comparison.md || die "the Markdown table"
grep -Eq '^\| sd-byol \| k-NN, k = 20 \| 2 of 2 \| \+5.00 \| \+0.20 \| \+0.20 \| shows \|' \
  seeds/comparison.md || die "what self-distillation gains"
# What leaving after layer 1 loses: 40.0 - 30.0 and 40.4 - 31.0.
grep -Fq '| 1 | 9.70 (9.40 to 10.00) | 4.90 (4.60 to 5.20) |' seeds/comparison.md || die "the loss of an early exit"
test "$(grep -c '<svg' seeds/report.html)" -eq 7 || die "the report has not seven charts"
for chart in $(grep -o '([a-z_]*\.svg)' seeds/comparison.md | tr -d '()'); do
  test -s "seeds/$chart" || die "comparison.md shows $chart, which is not there"
done
whole_report seeds/report.html
# The summary's numbers are those of the tables.
for tile in "Best by k-NN, k = 20|40.40 %| sd-byol, after layer 2 of 2" \
  "sd-byol over byol|+5.00 points| in the lower half of the layers, +0.20 in the upper, +0.20 after the last, by k-NN" \
  "byol ended after half of its layers|-9.70 points| after layer 1 against the last, by k-NN, k = 20"; do
  IFS='|' read -r name value note <<<"$tile"
  grep -Fq "<dt>$name</dt><dd><strong>$value</strong>$note" seeds/report.html || die "the summary: $tile"
done

# Where all results have the mean over classes, it is the measure; where one has not, top-1 is.
evaluated by_class byol 1 0.3 0.4
evaluated by_class_sd sd-byol 1 0.3 0.4
sed -i 's/"top5": 1}/"top5": 1, "mean_per_class": 0.25}/' by_class/results.json by_class_sd/results.json
compare by_class by_class_sd --out means
grep -Fq 'Best by k-NN, k = 20, mean per class</dt><dd><strong>25.00 %' means/report.html ||
  die "not the mean per class"
compare by_class b1 --out mixed
grep -Fq 'Best by k-NN, k = 20</dt><dd><strong>40.20 %' mixed/report.html || die "means beside top-1"

# One seed, other depths: the names say so, and the shorter network's column ends early.
evaluated deeper byol 1 0.3 0.4 12
compare a1 deeper --out depths
grep -Fq '| layer | byol, depth 2 | byol, depth 12 |' depths/comparison.md ||
  die "names of networks that differ in depth"
grep -q 'differ in more than method and seed' depths/comparison.md || die "no warning of other depths"
! grep -q 'What self-distillation gains' depths/comparison.md || die "a gain without a self-distilled network"

# What a method without self-distillation does not have tells nothing apart from it: each ratio has its gain, and one
# that is not the method's own is named.
evaluated half sd-byol 1 0.34 0.40
sed -i 's/"seed"/"ratio": 0.5, "seed"/' half/results.json
compare a1 b1 half --out ratios
test "$(grep -c '^| sd-byol\(, ratio 0.5\)\? | k-NN, k = 20 |' ratios/comparison.md)" -eq 2 || die "not two gains"

# The paper's ordering is looked for by its recipe alone, and after enough epochs.
grep -q '^| sd-byol, ratio 0.5 | k-NN.*| not judged: ratio 0.5 |' ratios/comparison.md || die "another recipe is judged"
evaluated few byol 1 0.3 0.4 2 1000 99
evaluated few_sd sd-byol 1 0.4 0.4 2 1000 99
compare few few_sd --out few_epochs
grep -q '^| sd-byol | k-NN.*| not judged: 99 epochs |' few_epochs/comparison.md || die "few epochs are judged"
# with JUDGEMENT OPTIONS [MORE]: what is said of byol with these options, in JSON, and sd-byol with MORE beside them.
with() {
  evaluated plain byol 1 0.3 0.4
  evaluated distilled sd-byol 1 0.4 0.4
  sed -i "s/\"seed\"/$2 \"seed\"/" plain/results.json
  sed -i "s/\"seed\"/$2 ${3:-} \"seed\"/" distilled/results.json
  compare plain distilled --out judged
  grep -q "^| sd-byol.* | k-NN.*| $1 |" judged/comparison.md ||
    { cat judged/comparison.md; die "not '$1' of $2 ${3:-}"; }
}
with "not judged: 5 epochs" '"max-epochs": 5,'
with "shows" '"max-epochs": 100, "warmup-epochs": 40, "lr": 0.001, "batch": 64, "limit": 999, "width": 48,'
with "shows" '"image": 32, "patch": 4, "dataset": "cifar10", "data": "x",'
with 'not judged: optimizer "lars"' '"optimizer": "lars",'
with 'not judged: weight-decay 0.05' '"weight-decay": 0.05,'
with 'not judged: patch-embed "trained"' '"patch-embed": "trained",'
with 'not judged: hue 0.2' '"hue": 0.2,'
with 'not judged: views "multi-crop"' '"views": "multi-crop",'
with 'not judged: up 1' "" '"up": 1,'
with 'not judged: lower-depth 2' "" '"lower-depth": 2,'
with 'not judged: dis-token true' "" '"dis-token": true,'

# What was cut or fine-tuned since is another network.
evaluated cut byol 1 0.3 0.4
sed -i 's/"dataset"/"truncated": "from 12", "dataset"/' cut/results.json
compare a1 cut --out cuts
grep -Fq '| layer | byol | byol, truncated from 12 |' cuts/comparison.md || die "a cut network is not told apart"

evaluated fewer byol 3 0.3 0.4 2 500
expect() { refuses compare "$@" --out "$work/none"; }
expect "a1 and fewer were evaluated differently.*train_images is 1000 and 500" a1 fewer
# Students do not stand beside teachers, though a method of one network stands beside both.
evaluated one simclr 1 0.3 0.4
for branch in student teacher; do
  evaluated "${branch}_run" byol 1 0.3 0.4
  sed -i "s/\"dataset\"/\"branch\": \"$branch\", \"dataset\"/" "${branch}_run/results.json"
  compare one "${branch}_run" --out "with_$branch"
done
expect "student_run and teacher_run were evaluated differently.*branch is \"?student\"? and \"?teacher\"?;" one \
  student_run teacher_run
expect "a1 and a1 are the same run, byol with seed 1" a1 b1 a1
expect "nowhere/results.json cannot be read; expected the --out directory of .evaluate" a1 nowhere
mkdir other && echo '{"layers": []}' >other/results.json
expect "other/results.json is no results.json of .evaluate" other

# Results that contradict themselves, and names of any bytes.
wrong() {  # wrong REGEX SED
  evaluated wrong byol 9 0.3 0.4
  sed -i "$2" wrong/results.json
  expect "$1" a1 wrong
}
wrong "wrong/results.json has results of 2 layers, but its network has 3" 's/"depth": 2/"depth": 3/'
wrong "wrong/results.json lacks one of k-NN, logistic regression and SGD; .*--classifiers" 's/"logistic":/"other":/g'
wrong 'no number "top1" from 0 to 1 of k-NN of layer 1' 's/0.3,/"0.3",/'
wrong 'no number "top1" from 0 to 1 of logistic regression of layer 1' 's/"top1": 0.5/"top1": 50/'
wrong '"../../x" is no number of neighbours of layer 1' 's/"20"/"..\/..\/x"/'
wrong "adaptive exits at other confidences" 's/"confidence": 0.5/"confidence": 0.25/'
wrong 'no number "accuracy" from 0 to 1 of an adaptive exit' 's/"accuracy": 0.5/"accuracy": null/'
wrong '"train_images" is no number of images' 's/"train_images": 1000/"train_images": 18446744073709551616/'
wrong "seed must be an integer" 's/"seed": 9/"seed": 9223372036854775808/'
wrong 'holds the key "seed" twice' 's/"seed": 9/"seed": 9, "seed": 1/'
nested 70000 >wrong/results.json
expect "wrong/results.json is JSON nested more than 64 deep" a1 wrong
for run in 1 2; do
  evaluated named_$run byol $run 0.3 0.4
  sed -i 's/"images"/"=<b>|_x_\\u001b[2J"/' named_$run/results.json
done
compare named_1 named_2 --out named
! grep -q $'\x1b\|<b>' named/report.html named/comparison.md || die "a name was taken for markup"
expect "RUNS.*compare --help"
