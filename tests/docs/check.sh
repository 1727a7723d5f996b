#!/bin/bash
# The documents say what is: the C++ that they show stands in a file that is compiled; every source, script and page
# that they name exists, and every folder that docs/architecture.md names, as does what scripts take from their own
# folder, $here; lines of sentences have at most 120 characters.
set -eu
cd "$(dirname "$0")/../.."
status=0
complain() { echo "$*"; status=1; }

stands_in() {  # stands_in DOCUMENT SOURCE: each line of the document's C++ stands in the source
  local lines line
  lines=$(sed -n '/^```cpp$/,/^```$/p' "$1" | sed '/^```/d; s/^ *//; s/ *$//; /^$/d')
  test -n "$lines" || complain "$1 shows no C++"
  while read -r line; do
    grep -qF -- "$line" "$2" || complain "$1: not in $2: $line"
  done <<<"$lines"
}
stands_in README.md examples/tour.cpp
stands_in docs/evaluation.md tests/eval/evaluate_test.cpp
stands_in docs/training.md tests/train/trainer_test.cpp

# Names of files end with a file's path in the tree: `nn/linear.hpp` is include/vitral/nn/linear.hpp.
pages=$(ls README.md CONTRIBUTING.md docs/*.md examples/README.md include/vitral/*/README.md)
tree=$(find . -path ./build -prune -o -path ./.git -prune -o -print)
named=0
for page in $pages; do
  text=$(sed '/^```\(diff\|cpp\)/,/^```/d' "$page")
  names=$(grep -oE '[A-Za-z0-9_./-]+\.(hpp|cpp|cu|sh|py|cmake|cjs)\b|\]\([^):#]+\)' <<<"$text" | tr -d ']()' || true)
  test "$page" != docs/architecture.md || names+=" $(grep -oE '`[a-z_/]+/`' "$page" | tr -d '`')"
  for name in $names; do
    named=$((named + 1))
    name=${name%/}
    grep -qE "(^|/)${name//./\\.}$" <<<"$tree" || test -e "$(dirname "$page")/$name" || complain "$page names $name"
  done
done
test "$named" -gt 100 || complain "only $named names were found"

for script in $(grep '\.sh$' <<<"$tree"); do
  for name in $(grep -oE '\$here/[A-Za-z0-9_./-]+' "$script" || true); do
    test -e "$(dirname "$script")/${name#*/}" || complain "$script takes $name, which is not there"
  done
done

for page in $pages CHANGELOG.md; do
  case $page in docs/results.md | docs/performance.md) continue ;; esac  # programs write these
  awk -v page="$page" '/^```/ { code = !code } !code && length($0) > 120 && !/^ *\|/ && / .*[^)]$/ {
    print page ":" NR ": more than 120 characters"; bad = 1 } END { exit bad }' "$page" || status=1
done
echo "$named names of files and folders looked up"
exit $status
