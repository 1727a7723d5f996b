#!/bin/bash
# Installs what is missing, builds everything and runs every test: the unit tests under AddressSanitizer and
# UndefinedBehaviorSanitizer, those of kernels and programs in the release build as well. `tests/run.sh quick` has the
# release build alone, and leaves out the slow tests.
# One CTest run at the end covers both builds; the exit status is that of the builds and the tests.
set -u
cd "$(dirname "$0")/.."
. cmake/packages.sh
jobs=$(nproc)
mode=${1:-all}
status=0

say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }

say "packages"
install_missing $vitral_packages $vitral_test_packages || exit 1

# A test whose program did not build is reported by CTest as failed; the build goes on so that the others run.
build() {
  say "build $1"
  cmake --preset "$@" -DVITRAL_WERROR=ON && cmake --build --preset "$1" -j "$jobs" -- -k 0 || status=1
}
builds="release"
folders="core;tensor;backend"
test "$mode" != quick || folders="all"
# Programs are built fast: their kernels are those of the unit tests, which have -O3. Without a device, they are built
# for the newest generation alone (tests/cuda are compiled for the oldest, one of them for all), and the golden files
# for none.
generations=usual golden=ON
nvidia-smi -L >/dev/null 2>&1 || generations=90a-real golden=OFF
# The programs' GPU parts are compiled wherever they can be.
cuda=OFF
! PATH=$PATH:/usr/local/cuda/bin command -v nvcc >/dev/null || cuda=ON
build release -DVITRAL_BUILD_TESTS=ON -DVITRAL_BUILD_EXAMPLES=ON "-DVITRAL_UNIT_TESTS=$folders" \
  "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG" -DVITRAL_CUDA=$cuda "-DVITRAL_CUDA_ARCHITECTURES=$generations" \
  -DVITRAL_CUDA_HOST_LEVEL=-O0 -DVITRAL_CUDA_GOLDEN=$golden
if [ "$mode" != quick ]; then
  builds="$builds asan-ubsan"
  # The other compiler, and twice as fast at this. Stacks name functions; the preset alone adds their lines (-g1).
  build asan-ubsan -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_CXX_FLAGS_DEBUG=-O0 \
    "-DVITRAL_UNIT_TESTS_TOGETHER=autodiff;core;data;eval;io;models;nn;optim;tensor;train"
fi

mkdir -p build/all-tests
for name in $builds; do echo "subdirs(\"$PWD/build/$name\")"; done >build/all-tests/CTestTestfile.cmake
say "tests"
selection=()
test "$mode" != quick || selection=(-LE slow)
rm -f build/release/compile_time.*.txt
ctest --test-dir build/all-tests -j "$jobs" --output-on-failure --no-tests=error "${selection[@]}" |
  tee build/all-tests/ctest.log | sed -u '/^[0-9]*% tests passed/,$d'
test "${PIPESTATUS[0]}" -eq 0 || status=1

# The figures, then CTest's summary as the last word.
say "figures"
cat build/release/compile_time.*.txt 2>/dev/null
echo
sed -n '/^[0-9]*% tests passed/,$p' build/all-tests/ctest.log
exit $status
