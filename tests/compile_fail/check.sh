#!/bin/bash
# check.sh CXX FLAGS_FILE SOURCE: SOURCE does not compile, and the first lines of the compiler's message match every
# `// expect: REGEX` of it. `// expect: success` asks for the opposite.
set -u
cxx=$1 flags=$2 source=$3
lines=20  # "In file included from" apart, about one screen

mapfile -t patterns < <(sed -n 's|^// expect: ||p' "$source")
test ${#patterns[@]} -gt 0 || { echo "$source has no line '// expect: REGEX'"; exit 1; }

message=$("$cxx" "@$flags" -fsyntax-only -fdiagnostics-color=never "$source" 2>&1)
status=$?
if [ "${patterns[0]}" = success ]; then
  echo "$message" | head -n 40
  exit $status
fi
first=$(echo "$message" | grep -v -E '^(In file included| +from )' | head -n $lines)
echo "$first"
test $status -ne 0 || { echo "--- $source compiles, and must not"; exit 1; }
for pattern in "${patterns[@]}"; do
  grep -q -E -- "$pattern" <<<"$first" || { echo "--- the first $lines lines do not match: $pattern"; exit 1; }
done
