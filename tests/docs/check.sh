#!/bin/bash
# The C++ that documents show is compiled: each line of it stands in the source file named beside the document.
cd "$(dirname "$0")/../.." || exit 1
status=0
stands_in() {  # stands_in DOCUMENT SOURCE
  local lines line
  lines=$(sed -n '/^```cpp$/,/^```$/p' "$1" | sed '/^```/d; s/^ *//; s/ *$//; /^$/d')
  test -n "$lines" || { echo "$1 shows no C++"; status=1; }
  while read -r line; do
    grep -qF -- "$line" "$2" || { echo "not in $2: $line"; status=1; }
  done <<<"$lines"
}
stands_in README.md examples/tour.cpp
stands_in docs/evaluation.md tests/eval/evaluate_test.cpp
exit $status
