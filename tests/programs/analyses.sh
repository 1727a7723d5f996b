#!/bin/bash
# `evaluate` analyses features, draws images and puts both into a report that needs no other file.
. "$(dirname "$0")/common.bash"

"$bin/pretrain" $tiny --knn-train 0 --out "$work/run" >"$work/log" 2>&1 || { cat "$work/log"; die "a correct run"; }
checkpoint=$work/run/checkpoint.safetensors
options="--train 500 --test 300 --k 5 --points 90 --batch 8 --against $checkpoint"
"$bin/evaluate" "$checkpoint" $options --tsne-layers 1,2 --out "$work/found" >"$work/log" 2>&1 ||
  { cat "$work/log"; die "a correct evaluation"; }

# Where there is Python, what the numbers must be to each other.
command -v python3 >/dev/null && ! python3 - "$work/found/results.json" <<'END' && die "results.json contradicts itself"
import json, math, sys

a = json.load(open(sys.argv[1]))["analyses"]
assert list(a["tsne_layers"]) == ["1"] and len(a["tsne_layers"]["1"]) == 90, "layer 2 is the last"
assert a["images"] == 90 == len(a["tsne"]) == len(a["pca"]) == len(a["labels"]), "as many points as --points"
assert set(a["labels"]) == set(range(10)) and len(a["classes"]) == 10, "evenly spread images show every class"
for one, other in zip(sum(a["cka"], []), sum(a["cka_against"], [])):
    assert abs(one - other) < 1e-4, "a network is as like itself as its layers are"
assert all(abs(a["cka"][i][i] - 1) < 1e-5 for i in range(2)) and a["cka"][0][1] == a["cka"][1][0] < 1
for layer in a["layers"]:
    # For unit vectors |x - y|^2 = 2 - 2 cos.
    assert abs(layer["alignment"] - 2 * (1 - layer["positive_cosine"])) < 1e-4
    assert layer["positive_cosine"] > layer["negative_cosine"]
    assert 1 > layer["tolerance"] > layer["negative_cosine"], "images of a class are more alike than others"
    assert 1 <= layer["effective_rank"] <= 24 and abs(sum(layer["explained_variance"]) - 1) < 1e-6
    assert len(layer["attention_distance"]) == 2 and all(0 < d < 28 * math.sqrt(2) for d in layer["attention_distance"])
assert len(a["neighbours"]) == 10
for query in a["neighbours"]:
    similarities = [near["similarity"] for near in query["nearest"]]
    assert similarities == sorted(similarities, reverse=True) and len(similarities) == 8
END

report=$work/found/report.html
test "$(grep -c '<svg' "$report")" -eq 16 || die "the report has not sixteen charts, but $(grep -c '<svg' "$report")"
whole_report "$report" "$work/found/results.json"
for name in attention neighbours; do
  grep -o "data:image/png;base64,[A-Za-z0-9+/=]*" "$report" | sed 's/.*,//' | while read -r text; do
    echo "$text" | base64 -d | cmp -s - "$work/found/$name.png" && echo same
  done | grep -q same || die "$name.png is not in the report"
done

# The same numbers and images with any number of threads.
"$bin/evaluate" "$checkpoint" $options --tsne-layers 1,2 --threads 1 --out "$work/again" >"$work/log" 2>&1 ||
  die "one thread"
for name in attention.png neighbours.png; do
  cmp "$work/found/$name" "$work/again/$name" || die "$name depends on the number of threads"
done
for run in found again; do
  sed -n '/"analyses": {/,$p' "$work/$run/results.json" >"$work/$run.analyses"
done
test -s "$work/found.analyses" || die "results.json has no analyses"
cmp "$work/found.analyses" "$work/again.analyses" || die "analyses depend on the number of threads"

# One layer alone, by one classifier, its features in a file: the same numbers of that layer, and no others.
"$bin/evaluate" "$checkpoint" $options --against-branch student --layers 2 --classifiers knn --features-file "$work" \
  --out "$work/second" \
  >"$work/log" 2>&1 || { cat "$work/log"; die "an evaluation of one layer"; }
test "$(grep -o '"layer": [0-9]*' "$work/second/results.json" | sort | uniq -c | xargs)" = "2 layer: 2" ||
  die "other layers than the second: $(grep '"layer"' "$work/second/results.json")"
for key in uniformity effective_rank; do
  test "$(grep "\"$key\"" "$work/found/results.json" | tail -n 1)" = "$(grep "\"$key\"" "$work/second/results.json")" ||
    die "layer 2 alone has another $key"
done

# The other network was the student, the first the teacher, and so other similarities; before, both were the teacher.
grep -q '"against_branch": "student"' "$work/second/results.json" || die "the other network's student is not noted"
grep -q '"against_branch": "teacher"' "$work/found/results.json" || die "the other network's teacher is not noted"
grep -q "its teacher is taken.*--against-branch student" "$work/log" && die "the teacher in spite of --against-branch"
command -v python3 >/dev/null && ! python3 - "$work/found/results.json" "$work/second/results.json" <<'END' &&
import json, sys

found, second = (json.load(open(path))["analyses"]["cka_against"] for path in sys.argv[1:])
assert abs(found[1][1] - 1) < 1e-5 and second[0][1] < found[1][1], (found, second)
END
  die "--against-branch student is not another network"

expect() { refuses evaluate "$@" --out "$work/none"; }
expect "points.*20" "$checkpoint" --points 3
expect "tsne-layers 3: .*checkpoint.safetensors has 2 layers, and all of them are evaluated" "$checkpoint" \
  --tsne-layers 1,3
expect "no-analyses.*against|against.*no-analyses" "$checkpoint" --no-analyses --against "$checkpoint"
expect "against-branch requires.*against" "$checkpoint" --against-branch student
expect "$work/nowhere.safetensors" "$checkpoint" --against "$work/nowhere.safetensors"
