#!/bin/bash
# docs/operations.md names every public operation of tensor/ and autodiff/ and none that is not there; its C++ stands in
# tests/autodiff/tape_test.cpp, which is compiled.
cd "$(dirname "$0")/../.." || exit 1
headers=(include/vitral/tensor/{operators,expression,evaluate,tensor,layout,reduce,print}.hpp
  include/vitral/autodiff/*.hpp)

function='^\[\[nodiscard\]\] [\w<>:,& ]+? \K\w+(?=\()' object='^inline constexpr detail::\w+ \K\w+(?=\{\};)'
public=$(grep -hoP "$function|$object" "${headers[@]}" | sort -u)
named=$(grep '^| `' docs/operations.md | cut -d '|' -f 2 | grep -oP '\w+(?=[<(])' | sort -u)
test -n "$public" && test -n "$named" || { echo "found no operations"; exit 1; }

status=0
for name in $(comm -23 <(echo "$public") <(echo "$named")); do
  echo "docs/operations.md does not name $name"
  status=1
done
for name in $(comm -13 <(echo "$public") <(echo "$named")); do
  grep -qE "^((void|\[\[nodiscard\]\].*) $name\(|inline constexpr .* $name\{\};)" "${headers[@]}" ||
    { echo "no header has $name"; status=1; }
done
while read -r line; do
  grep -qF -- "$line" tests/autodiff/tape_test.cpp || { echo "not in tests/autodiff/tape_test.cpp: $line"; status=1; }
done < <(sed -n '/^```cpp$/,/^```$/p' docs/operations.md | sed '/^```/d; /^$/d')
exit $status
