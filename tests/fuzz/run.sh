#!/bin/bash
# run.sh COMPILER FLAGS_FILE SECONDS [SEED]: changes files of every format that programs read and has them read, under
# AddressSanitizer and UndefinedBehaviorSanitizer, with a limit of memory. Minutes by hand:
#   bash tests/fuzz/run.sh clang++ build/release/tests/compile_flags.txt 600 $RANDOM
set -eu
here=$(cd "$(dirname "$0")" && pwd)
compiler=$1 flags=$2 seconds=$3 seed=${4:-1}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
"$compiler" "@$flags" -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=undefined "-I$here/../../examples" \
  "$here/fuzz.cpp" -o "$stage/fuzz" -lpng -ljpeg -lwebp -lz
export ASAN_OPTIONS=max_allocation_size_mb=1024:hard_rss_limit_mb=2048:detect_leaks=1
"$stage/fuzz" "$here" "$seconds" "$seed"
