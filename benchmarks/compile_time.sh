#!/bin/bash
# What Vitral costs to compile: vitral.hpp alone, a program that multiplies two matrices, and pretrain, all with the
# compiler that CXX names (default g++). Processor seconds, the best of three for the small ones, and peak memory.
set -euo pipefail
cd "$(dirname "$0")/.."
cxx=${CXX:-g++}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
flags="-std=c++20 -fopenmp -Iinclude -isystem /usr/include/eigen3"
tuned="-O3 -march=native -mprefer-vector-width=512 -fno-math-errno -fno-trapping-math"
echo '#include <vitral/vitral.hpp>' >"$stage/header.cpp"

# best COUNT COMMAND...: "seconds MiB" of the run that took least.
best() {
  local count=$1 i
  shift
  for ((i = 0; i < count; ++i)); do
    /usr/bin/time -f "%U %S %M" -o "$stage/time" "$@"
    awk '{ printf "%.2f %.0f\n", $1 + $2, $3 / 1024 }' "$stage/time"
  done | sort -n | head -1
}
row() { echo "| $1 | $(echo "$2" | awk '{ print $1 " s" }') | $(echo "$2" | awk '{ print $2 " MiB" }') | $3 |"; }

echo "| what ($("$cxx" --version | head -1)) | processor time | peak memory | goal |"
echo "| --- | --- | --- | --- |"
row "\`vitral/vitral.hpp\` alone, parsed" "$(best 3 "$cxx" $flags -fsyntax-only "$stage/header.cpp")" "1.5 s"
row "two matrices multiplied, -O2" \
  "$(best 3 "$cxx" $flags -O2 tests/compile_time/two_matrices.cpp -o "$stage/two" -ldnnl)" "4 s"
for type in fp32 bf16; do
  row "\`pretrain\`, its $type part, -O3" \
    "$(best 1 "$cxx" $flags $tuned -c -Iexamples "examples/pretrain/$type.cpp" -o "$stage/part.o")" "31 s, 1050 MiB"
done
