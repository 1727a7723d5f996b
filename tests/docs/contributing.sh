#!/bin/bash
# contributing.sh CXX FLAGS_FILE: the diffs of CONTRIBUTING.md apply to the headers, one after the other, and the C++
# below them compiles.
set -eu
cxx=$1 flags=$2
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r include "$work"

sed -n '/^```diff$/,/^```$/p' CONTRIBUTING.md | grep -v '^```' >"$work/all.diff"
patch -d "$work" -p1 --no-backup-if-mismatch --forward <"$work/all.diff" >"$work/log" || { cat "$work/log"; exit 1; }
new=$(grep -c '^--- /dev/null' "$work/all.diff")
test "$new" -ge 4 || { echo "CONTRIBUTING.md adds $new headers, expected 4 or more"; exit 1; }

# Its includes first, then a function for each block.
awk '/^```cpp$/ { ++n; print "void example_" n "() {"; inside = 1; next }
     /^```$/ { if (inside) print "}"; inside = 0 }
     inside && !/^#include/' CONTRIBUTING.md >"$work/body"
test "$(grep -c '^void' "$work/body")" -eq 5 || { echo "CONTRIBUTING.md has not five examples"; exit 1; }
{ grep '^#include' CONTRIBUTING.md; echo 'using namespace vitral;'; cat "$work/body"; } >"$work/use.cpp"
"$cxx" "-I$work/include" "@$flags" -Wall -Wextra -Wconversion -Werror -fsyntax-only "$work/use.cpp"
echo "$(grep -c '^+++' "$work/all.diff") changes apply, and what uses them compiles"
