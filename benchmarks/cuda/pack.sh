#!/bin/bash
# Bundles what a GPU machine without packages needs to run check.sh: tests, benchmarks and programs with the libraries
# they load, golden files, and the scripts. Such a machine has the CUDA Toolkit, in /usr/local/cuda, and PyTorch.
#   bash benchmarks/cuda/pack.sh [ARCHITECTURES]     writes build/bundle.tar.xz; the default is 90a-real (cmake/nvcc.sh)
# There:
#   python3 -c 'import tarfile; tarfile.open("bundle.tar.xz").extractall("bundle")'
#   bash bundle/benchmarks/cuda/check.sh OUT
set -euo pipefail
architectures=${1:-90a-real}
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/local/cuda/bin
nvcc=$(command -v nvcc) || { echo "There is no nvcc: install the CUDA Toolkit." >&2; exit 1; }
out=build/bundle
rm -rf $out
mkdir -p $out/bin $out/lib $out/benchmarks/cuda $out/tests/{golden,fixtures}

# Programs look for libraries in lib/ beside bin/, so that nothing has to be said to PyTorch's processes.
rpath='$ORIGIN/../lib:/usr/local/cuda/lib64'

# compile SOURCE PROGRAM FLAG...: as many at once as there are processors.
compiling=()
compile() {
  echo "Compiling $1"
  bash cmake/nvcc.sh "$nvcc" "$architectures" -Iinclude "$1" -o "$out/bin/$2" "${@:3}" -lcublasLt \
    -Xlinker --disable-new-dtags -Xlinker "-rpath=$rpath" &
  compiling+=($!)
  test ${#compiling[@]} -lt "$(nproc)" || { wait "${compiling[0]}"; compiling=("${compiling[@]:1}"); }
}
compile benchmarks/cuda/step.cu step -O2
compile benchmarks/cuda/attention.cu attention -O2
compile benchmarks/cuda/step_library.cu libstep.so -O2 -shared -Xcompiler -fPIC
for source in tests/cuda/*_test.cu; do compile "$source" "$(basename "$source" .cu)" -O1; done
for job in "${compiling[@]}"; do wait "$job"; done

cmake -S . -B build/bundle-programs -DCMAKE_BUILD_TYPE=Release -DVITRAL_UNIT_TESTS=none -DVITRAL_BUILD_BENCHMARKS=OFF \
  -DVITRAL_CUDA=ON "-DVITRAL_CUDA_ARCHITECTURES=$architectures" -DVITRAL_NATIVE=OFF -DCMAKE_CXX_FLAGS=-march=x86-64-v3 \
  -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON "-DCMAKE_INSTALL_RPATH=${rpath/:/;}" \
  -DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags
cmake --build build/bundle-programs -j "$(nproc)" --target check_golden pretrain evaluate embed propagate finetune
cp build/bundle-programs/bin/{check_golden,pretrain,evaluate,embed,propagate,finetune} $out/bin/
strip $out/bin/*

# The libraries of the compiler and of the CUDA Toolkit are there.
ldd $out/bin/{pretrain,evaluate,check_golden} |
  awk '/=> \// && !/\/(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|libcu[^\/]*)\.so/ {print $3}' | sort -u |
  xargs -I{} cp -L {} $out/lib/
cp benchmarks/cuda/{pytorch.py,trace.py,table.py,run.sh,check.sh} $out/benchmarks/cuda/
cp tests/golden/{*.safetensors,sdssl_reference.py} $out/tests/golden/
cp tests/fixtures/{probe,sources}.safetensors $out/tests/fixtures/
tar -C $out -c . | xz -T0 -4 >build/bundle.tar.xz
ls -l build/bundle.tar.xz
