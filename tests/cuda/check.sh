#!/bin/bash
# check.sh NVCC ARCHITECTURE INCLUDE_ROOT SOURCE OUTPUT_FOLDER: SOURCE compiles with nvcc; exit 77 says "skipped".
set -eu
nvcc=$1 architecture=$2 include=$3 source=$4 folder=$5
test -n "$nvcc" || { echo "skipped: no nvcc"; exit 77; }
"$nvcc" --version | tail -n 1
"$nvcc" -std=c++20 -Werror all-warnings "-arch=$architecture" -c "-I$include" "$source" \
  -o "$folder/compile_test.$architecture.o"
echo "compiled for $architecture"
