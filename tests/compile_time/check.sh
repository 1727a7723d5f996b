#!/bin/bash
# check.sh CXX FLAGS_FILE SOURCE FIGURE_FILE: <vitral/vitral.hpp> alone parses within 1.8 times, and SOURCE compiles and
# links at -O2 within 4 times what all headers of the standard library take; the figures are printed and kept. Processor
# time, beside a yardstick, and the best of three runs, because a slow or busy machine is not our cost.
set -eu
cxx=$1 flags=$2 source=$3 figure=$4
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
echo '#include <vitral/vitral.hpp>' >"$stage/header.cpp"
: >"$figure"
failed=0

TIMEFORMAT='%U %S'
best_of_three() {
  for _ in 1 2 3; do
    { time "$@" 2>&3; } 3>&2 2>>"$stage/times"
  done
  awk '{ t = $1 + $2; if (NR == 1 || t < best) best = t } END { printf "%.2f", best }' "$stage/times"
  rm "$stage/times"
}
echo '#include <bits/stdc++.h>' >"$stage/standard.cpp"
yardstick=$(best_of_three "$cxx" "@$flags" -fsyntax-only "$stage/standard.cpp")

# within TIMES WHAT COMMAND...
within() {
  local times=$1 what=$2 best
  shift 2
  best=$(best_of_three "$@")
  echo "$what, $(basename "$cxx"): $best s of processor time (limit $times x $yardstick s)" | tee -a "$figure"
  awk -v t="$best" -v limit="$times" -v y="$yardstick" 'BEGIN { exit !(t <= limit * y) }' || failed=1
}

within 1.8 "vitral.hpp alone, parsed" "$cxx" "@$flags" -fsyntax-only "$stage/header.cpp"
within 4 "vitral.hpp and a product of two matrices, -O2" "$cxx" "@$flags" -O2 "$source" -o "$stage/program" -ldnnl
exit $failed
