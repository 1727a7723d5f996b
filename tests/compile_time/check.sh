#!/bin/bash
# check.sh CXX FLAGS_FILE SOURCE FIGURE_FILE: <vitral/vitral.hpp> alone parses in 1.5 s of processor time, and SOURCE
# compiles and links at -O2 within 4 s; the figures are printed and kept. Processor time, and the best of three runs,
# because other work on the machine is not our cost.
set -eu
cxx=$1 flags=$2 source=$3 figure=$4
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
echo '#include <vitral/vitral.hpp>' >"$stage/header.cpp"
: >"$figure"
failed=0

# within LIMIT WHAT COMMAND...
TIMEFORMAT='%U %S'
within() {
  local limit=$1 what=$2 best=999
  shift 2
  for _ in 1 2 3; do
    { time "$@" 2>&3; } 3>&2 2>"$stage/time"
    best=$(awk -v best=$best '{ t = $1 + $2; printf "%.2f", t < best ? t : best }' "$stage/time")
    if awk -v t="$best" -v limit="$limit" 'BEGIN { exit !(t <= limit) }'; then break; fi
  done
  echo "$what, $(basename "$cxx"): $best s of processor time (limit $limit s)" | tee -a "$figure"
  awk -v t="$best" -v limit="$limit" 'BEGIN { exit !(t <= limit) }' || failed=1
}

within 1.5 "vitral.hpp alone, parsed" "$cxx" "@$flags" -fsyntax-only "$stage/header.cpp"
within 4 "vitral.hpp and a product of two matrices, -O2" "$cxx" "@$flags" -O2 "$source" -o "$stage/program" -ldnnl
exit $failed
