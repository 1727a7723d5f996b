#!/bin/bash
# check.sh NVCC INCLUDE_ROOT SOURCE OUTPUT_FOLDER [compile]: SOURCE compiles with nvcc for sm_80 and sm_90 without a warning,
# and the program passes where there is a device, unless it is only to compile. Exit status 77 says "skipped": no nvcc.
set -eu
nvcc=$1 include=$2 source=$3 folder=$4
test -n "$nvcc" || { echo "skipped: no nvcc"; exit 77; }
"$nvcc" --version | tail -n 1
program=$folder/$(basename "$source" .cu)
"$nvcc" -std=c++20 -O0 -Werror all-warnings '-gencode=arch=compute_80,code=[sm_80,sm_90]' \
  "-I$include" "$source" -o "$program" -lcublasLt
echo "compiled for sm_80 and sm_90"
test "${5:-}" != compile || exit 0
status=0
"$program" || status=$?
test $status -ne 77 || echo "compiled only: there is no device to run it on"
test $status -eq 0 -o $status -eq 77
