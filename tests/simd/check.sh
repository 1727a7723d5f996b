#!/bin/bash
# check.sh GCC FLAGS_FILE SOURCE HEADER COUNT: g++ makes SIMD of COUNT loops of HEADER, or more, where SOURCE
# instantiates it: at -O2, where it is the least willing. A loop that it gives up runs ten times as long and changes no
# value.
set -eu -o pipefail
notes=$("$1" "@$2" -O2 -march=x86-64-v3 -fno-math-errno -fno-trapping-math -fopt-info-vec-optimized \
  -c "$3" -o /dev/null 2>&1)
count=$(grep -c "$4:[0-9:]* optimized: loop vectorized" <<<"$notes" || true)
echo "$count loops of $4 are SIMD, expected $5 or more"
test "$count" -ge "$5"
