#!/bin/bash
# run.sh COMPILER FLAGS_FILE SECONDS [SEED [FORMAT RUN]]: changes files of every format that programs read and has them
# read, under AddressSanitizer and UndefinedBehaviorSanitizer, with a limit of memory. Minutes by hand:
#   bash tests/fuzz/run.sh clang++ build/release/tests/compile_flags.txt 600 $RANDOM
set -eu
here=$(cd "$(dirname "$0")" && pwd)
compiler=$1 flags=$2
stage=$(mktemp -d)
memory=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)  # where the changed files go
trap 'rm -rf "$stage" "$memory"' EXIT
zip=()
if echo '#include <zip.h>' | "$compiler" "@$flags" -x c++ -fsyntax-only - 2>/dev/null; then
  zip=(-DVITRAL_HAS_LIBZIP -lzip)
fi
"$compiler" "@$flags" -O0 -g1 -fsanitize=address,undefined -fno-sanitize=null,object-size \
  -fno-sanitize-recover=undefined "-I$here/../../examples" "$here/fuzz.cpp" -o "$stage/fuzz" -lpng -ljpeg -lwebp -lz \
  "${zip[@]}"
export ASAN_OPTIONS=max_allocation_size_mb=1024:hard_rss_limit_mb=2048:detect_leaks=1
TMPDIR=$memory "$stage/fuzz" "$here" "${@:3}"
