#!/bin/bash
# run.sh CLANG FLAGS_FILE TARGET SECONDS [CORPUS_DIR]: fuzzes one parser, under AddressSanitizer and
# UndefinedBehaviorSanitizer, from the seeds beside this script. Findings are left in the current folder. A longer run:
#   bash tests/fuzz/run.sh clang++ build/release/tests/compile_flags.txt image 3600 /tmp/corpus
set -eu
here=$(cd "$(dirname "$0")" && pwd)
clang=$1 flags=$2 target=$3 seconds=$4
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
corpus=${5:-$stage/corpus}
seeds=$here/seeds/$target
test "$target" != image || seeds=$here/../fixtures/pictures
mkdir -p "$corpus"

echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' >"$stage/probe.cpp"
if ! "$clang" -fsanitize=fuzzer "$stage/probe.cpp" -o "$stage/probe" 2>/dev/null; then
  echo "skipped: $clang has no libFuzzer (apt-get install clang libclang-rt-14-dev)"
  exit 77
fi
"$clang" "@$flags" -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined "$here/$target.cpp" \
  -o "$stage/fuzz" -lpng -ljpeg -lwebp -lz
"$stage/fuzz" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
  "$corpus" "$seeds" 2>&1 | grep -v '^#[0-9]*.*\(NEW\|REDUCE\|RELOAD\|pulse\)' | tail -40
exit "${PIPESTATUS[0]}"
