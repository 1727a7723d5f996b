#!/bin/bash
# nvcc.sh NVCC ARCHITECTURES ARGUMENT...: runs nvcc as all CUDA sources of Vitral are compiled: C++20, warnings as
# errors, and code for ARCHITECTURES, in the words of CMAKE_CUDA_ARCHITECTURES: "80" is code for sm_80 and PTX that
# newer devices translate, "90a-real" the code alone. Hopper's own instructions need sm_90a. "usual" stands for the
# usual list, "all" for that and for what this nvcc knows of newer devices.
set -eu
nvcc=$1 architectures=${2//;/ }
shift 2
usual="80 90a-real"
test "$architectures" != usual || architectures=$usual
if [ "$architectures" = all ]; then
  architectures=$usual
  known=$("$nvcc" --list-gpu-code)
  for newer in 100 120; do
    ! grep -qx "sm_$newer" <<<"$known" || architectures="$architectures $newer-real"
  done
fi
flags=()
for architecture in $architectures; do
  number=${architecture%%-*}
  case $architecture in
    *-real) code=sm_$number ;;
    *-virtual) code=compute_$number ;;
    *) code="[sm_$number,compute_$number]" ;;
  esac
  flags+=("-gencode=arch=compute_$number,code=$code")
done
exec "$nvcc" -std=c++20 -Werror all-warnings "${flags[@]}" "$@"
