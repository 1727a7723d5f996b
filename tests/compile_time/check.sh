#!/bin/bash
# check.sh CXX FLAGS_FILE SOURCE FIGURE_FILE: SOURCE compiles and links at -O2 within 5 s of processor time; the figure is
# printed and kept. Processor time, and the best of three runs, because other work on the machine is not our cost.
set -eu
cxx=$1 flags=$2 source=$3 figure=$4
program=$(mktemp)
trap 'rm -f "$program" "$program.time"' EXIT
limit=5.0 best=999

TIMEFORMAT='%U %S'
for _ in 1 2 3; do
  { time "$cxx" "@$flags" -O2 "$source" -o "$program" -ldnnl 2>&3; } 3>&2 2>"$program.time"
  best=$(awk -v best=$best '{ t = $1 + $2; printf "%.2f", t < best ? t : best }' "$program.time")
  if awk -v t="$best" -v limit=$limit 'BEGIN { exit !(t <= limit) }'; then break; fi
done

echo "vitral.hpp and a product of two matrices, -O2, $(basename "$cxx"): $best s of processor time (limit $limit s)" | tee "$figure"
awk -v t="$best" -v limit=$limit 'BEGIN { exit !(t <= limit) }'
