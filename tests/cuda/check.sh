#!/bin/bash
# check.sh NVCC ROOT SOURCE OUTPUT_FOLDER ARCHITECTURES [compile]: SOURCE compiles without a warning as programs do (see
# cmake/nvcc.sh), and the program passes where there is a device, unless it is only to compile. Without a device the
# usual generations are one, sm_80: what only one of them has is compiled with the programs and the test of "all"; and
# code is made the fast way, the host's not at all. Exit status 77 says "skipped": NVCC is "none".
set -eu
nvcc=$1 root=$2 source=$3 folder=$4 architectures=$5
test "$nvcc" != none || { echo "skipped: no nvcc"; exit 77; }
"$nvcc" --version | tail -n 1
if ! nvidia-smi -L >/dev/null 2>&1; then
  test "$architectures" != usual || architectures=80
  fast=()
  ! "$nvcc" --help | grep -q -e --Ofast-compile || fast=(--Ofast-compile=max)
  bash "$root/cmake/nvcc.sh" "$nvcc" "$architectures" -O0 ${fast[@]+"${fast[@]}"} -Xcompiler -fsyntax-only \
    "-I$root/include" -c "$source" -o "$folder/$(basename "$source" .cu).o"
  echo "compiled only, for $architectures generations: there is no device to run it on"
  exit 0
fi
program=$folder/$(basename "$source" .cu)
bash "$root/cmake/nvcc.sh" "$nvcc" "$architectures" -O0 "-I$root/include" "$source" -o "$program" -lcublasLt
echo "compiled for $architectures generations"
test "${6:-}" != compile || exit 0
status=0
"$program" || status=$?
test $status -ne 77 || echo "compiled only: there is no device to run it on"
test $status -eq 0 -o $status -eq 77
