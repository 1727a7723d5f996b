#!/bin/bash
# check.sh refuses each violation and accepts the tree without it.
set -eu
check=$(cd "$(dirname "$0")" && pwd)/check.sh
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/vitral/{core,tensor,backend/cpu,nn,io/cuda,models}
touch "$root"/vitral/{core/shape,nn/linear,io/json}.hpp

try() {  # try ACCEPTED|REFUSED FILE INCLUDE
  printf '#pragma once\n%s\n' "$3" >"$root/vitral/$2"
  if bash "$check" "$root" >"$root/log"; then result=accepted; else result=refused; fi
  rm "$root/vitral/$2"
  test $result = "$1" || { echo "'$3' in $2 was $result:"; cat "$root/log"; exit 1; }
}
try accepted tensor/a.hpp '#include <vitral/core/shape.hpp>'
try accepted backend/cpu/a.hpp '#include <dnnl.h>'
try accepted backend/cpu/a.hpp '#include <Eigen/Dense>'
try accepted io/a.hpp '#include <nlohmann/json.hpp>'
try accepted vitral.hpp '#include <vitral/nn/linear.hpp>'
try accepted io.hpp '#include <vitral/io/json.hpp>'
try accepted io/cuda/a.hpp '  for (int i = 9; i > 0; --i) f("-", --i, "-");'
try refused tensor/a.hpp '#include <vitral/nn/linear.hpp>'
try refused tensor/a.hpp '  #  include <vitral/nn/linear.hpp>  // why'
try refused tensor/a.hpp '#include "linear.hpp"'
try refused tensor/a.hpp '#include <vitral/core/missing.hpp>'
try refused tensor/a.hpp '#include <functional>'
try refused core/a.hpp '#include <iostream>'
try refused core/a.hpp '#include <ranges>'
try refused nn/a.hpp '#include <Eigen/Core>'
try refused nn/a.hpp '#include <oneapi/dnnl/dnnl.h>'
try refused nn/a.hpp '#include <zlib.h>'
try refused backend/cpu/a.hpp '#include <dnnl.hpp>'
try refused vitral.hpp '#include <vitral/io/json.hpp>'
try refused other.hpp '#include <vector>'
try refused io.hpp '#include <string>'
try refused io.hpp '#include <vitral/nn/linear.hpp>'
echo '#include <vitral/io/json.hpp>' >"$root/vitral/models/saved.hpp"
try accepted io.hpp '#include <vitral/io/json.hpp>
#include <vitral/models/saved.hpp>'
try refused io.hpp '#include <vitral/io/json.hpp>'
try refused vitral.hpp '#include <vitral/models/saved.hpp>'
try refused nn.hpp '#include <vitral/nn/linear.hpp>'
try refused io/a.hpp '  fail("use a smaller --batch");'
try refused io/a.hpp '/// The device that --device names.'
try refused core/a.hpp '#pragma omp simd reduction(+ : sum)'
try accepted core/a.hpp 'VITRAL_KERNELS_BEGIN
#pragma omp simd reduction(+ : sum)'
echo "every violation is found"
