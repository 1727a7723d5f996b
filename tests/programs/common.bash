# Shared by the tests that run `pretrain` as a person would: a tiny run on Fashion-MNIST, and what a failure prints.
set -u
bin=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tiny="--dataset fashion-mnist --limit 160 --batch 16 --epochs 2 --warmup-epochs 1 --width 24 --depth 2 --heads 2 --hidden 32
      --out-dim 16 --knn-train 0 --seed 3"

die() {
  echo "FAILED: $*"
  exit 1
}

# refuses PROGRAM REGEX OPTIONS...: the program must fail with a line that matches, and write nothing to $work/none*.
refuses() {
  local program=$1 pattern=$2
  shift 2
  "$bin/$program" "$@" >"$work/log" 2>&1 && die "no error: $program $*"
  grep -Eq -e "$pattern" "$work/log" || { cat "$work/log"; die "no message like '$pattern': $program $*"; }
  test -z "$(compgen -G "$work/none*")" || die "a result in spite of the error: $program $*"
}
