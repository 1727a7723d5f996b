#!/bin/bash
# The code that README.md shows stands in examples/tour.cpp, which is compiled: every line of its C++ block.
cd "$(dirname "$0")/../.." || exit 1
sed -n '/^```cpp$/,/^```$/p' README.md | sed '/^```/d; s/^ *//; s/ *$//; /^$/d' >"${TMPDIR:-/tmp}/vitral_readme.$$"
trap 'rm -f "${TMPDIR:-/tmp}/vitral_readme.$$"' EXIT
test -s "${TMPDIR:-/tmp}/vitral_readme.$$" || { echo "README.md shows no C++"; exit 1; }
status=0
while read -r line; do
  grep -qF -- "$line" examples/tour.cpp || { echo "not in examples/tour.cpp: $line"; status=1; }
done <"${TMPDIR:-/tmp}/vitral_readme.$$"
exit $status
