#!/bin/bash
# The C++ that a document shows stands in a file that is compiled, line for line.
cd "$(dirname "$0")/../.." || exit 1
lines=$(mktemp) || exit 1
trap 'rm -f "$lines"' EXIT
status=0
# shown_in DOCUMENT FILE
shown_in() {
  sed -n '/^```cpp$/,/^```$/p' "$1" | sed '/^```/d; s/^ *//; s/ *$//; /^$/d' >"$lines"
  test -s "$lines" || { echo "$1 shows no C++"; status=1; }
  while read -r line; do
    grep -qF -- "$line" "$2" || { echo "not in $2: $line"; status=1; }
  done <"$lines"
}
shown_in README.md examples/tour.cpp
shown_in docs/training.md tests/train/trainer_test.cpp
exit $status
