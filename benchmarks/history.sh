#!/bin/bash
# What each change brought: builds benchmark_step at the commits named and runs them in turn.
#   bash benchmarks/history.sh COMMIT...        ROUNDS=3, STEPS=3
# One line a commit: the median step in fp32 and bf16, the peak memory of each, and the commit's subject.
set -euo pipefail
cd "$(dirname "$0")/.."
. benchmarks/common.sh
rounds=${ROUNDS:-3} steps=${STEPS:-3}
folder=$PWD/build/history
mkdir -p "$folder"
set -- $(for commit in "$@"; do git rev-parse --short "$commit"; done)
for commit in "$@"; do
  tree=$folder/$commit
  if [ ! -x "$tree/build/release/bin/benchmark_step" ]; then
    mkdir -p "$tree"
    git archive "$commit" | tar -x -C "$tree"
    (
      cd "$tree" && cmake --preset release -DVITRAL_BUILD_TESTS=OFF &&
        cmake --build --preset release --target benchmark_step
    ) >"$folder/$commit.log" 2>&1
  fi
  rm -f "$folder/$commit".{fp32,bf16}
done
for ((round = 0; round < rounds; ++round)); do
  for commit in "$@"; do
    for dtype in fp32 bf16; do
      "$folder/$commit/build/release/bin/benchmark_step" --dtype $dtype --steps "$steps" | head -1 \
        >>"$folder/$commit.$dtype"
    done
  done
done
echo "| fp32 ms/step | bf16 ms/step | fp32 MiB | bf16 MiB | after |"
echo "| --- | --- | --- | --- | --- |"
number() { sed -n "s/.*$1 \([.0-9]*\) $2.*/\1/p" "$3" | median; }
for commit in "$@"; do
  f=$folder/$commit.fp32 b=$folder/$commit.bf16
  echo "| $(number median ms "$f") | $(number median ms "$b") | $(number RSS MiB "$f") | $(number RSS MiB "$b")" \
    "| $(git log -1 --format=%s "$commit") |"
done
