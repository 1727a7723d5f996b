# The Python that has PyTorch, and copies of our Python files where it can see them. Sourced by bash scripts, in the
# repository's root. PYTHON names it; the default is the system's. PYTHON="chroot DIR python3" works too.

# Where these are set, they keep PyTorch's matrix products from the kernels made for this processor.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE

if [ -z "${PYTHON:-}" ]; then
  PYTHON=python3
  test ! -x /usr/bin/python3 || PYTHON=/usr/bin/python3
fi
python_root=""
case "$PYTHON" in "chroot "*) read -r _ python_root _ <<<"$PYTHON" ;; esac

# run_python FILE OPTION...: one of benchmarks/*.py.
run_python() { $PYTHON "${stage#"$python_root"}/benchmarks/$1" "${@:2}"; }

$PYTHON -c 'import torch' || {
  echo "$PYTHON has no PyTorch: apt-get install python3-torch libopenblas0-openmp (Debian), or set PYTHON." >&2
  exit 1
}
stage=$(mktemp -d "$python_root/tmp/vitral.XXXXXX")  # files that both sides read are put here as well
trap 'rm -rf "$stage"' EXIT
cp --parents benchmarks/*.py tests/golden/*.py "$stage"

# build TARGET...
build() {
  cmake --preset release >/dev/null
  cmake --build --preset release --target "$@" | tail -1
}

# Median of the numbers on standard input, one a line; with "range", the smallest and largest as well.
median() {
  sort -g | awk -v range="${1:-}" '{ v[NR] = $1 }
    END { printf "%.2f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
          if (range) printf " (%.2f to %.2f)", v[1], v[NR] }'
}
