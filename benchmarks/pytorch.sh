# The Python that has PyTorch, and copies of our Python files where it can see them. Sourced by bash scripts, in the
# repository's root. PYTHON names it; the default is the system's. PYTHON="chroot DIR python3" works too.

. benchmarks/common.sh

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
