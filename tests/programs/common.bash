# Shared by the tests that run `pretrain` as a person would: a tiny run on Fashion-MNIST, and what a failure prints.
set -u
bin=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tiny="--dataset fashion-mnist --limit 160 --batch 16 --epochs 2 --warmup-epochs 1 --width 24 --depth 2 --heads 2
      --hidden 32 --out-dim 16 --knn-train 0 --seed 3"

die() {
  echo "FAILED: $*"
  exit 1
}

# no_library_words PROGRAM...: what was printed is in words, not those of a library.
no_library_words() {
  grep -Eq 'json\.exception|std::|sto[il]|bad_alloc|filesystem error|basic_string|vector::|terminate called' \
    "$work/log" && { cat "$work/log"; die "a library's own message: $*"; }
  return 0
}

# refuses PROGRAM REGEX OPTIONS...: the program must fail with a line that matches, in words and not those of a library,
# and write nothing to $work/none*.
refuses() {
  local program=$1 pattern=$2
  shift 2
  "$bin/$program" "$@" >"$work/log" 2>&1 && die "no error: $program $*"
  no_library_words "$program" "$@"
  grep -Eq -e "$pattern" "$work/log" || { cat "$work/log"; die "no message like '$pattern': $program $*"; }
  test -z "$(compgen -G "$work/none*")" || die "a result in spite of the error: $program $*"
}

# whole_report REPORT [RESULTS]: the report is one well-formed page that needs nothing else (report.py).
whole_report() {
  command -v python3 >/dev/null || return 0
  python3 "$here/report.py" "$@" || die "$1 is not what a report should be"
}

# nested N: JSON lists, N deep.
nested() { head -c "$1" /dev/zero | tr '\0' '['; }

# with_header CHECKPOINT SED...: the checkpoint with its JSON header changed by sed.
with_header() {
  local file=$1 length
  shift
  length=$(od -An -tu8 -N8 "$file" | tr -d ' ')
  tail -c +9 "$file" | head -c "$length" | sed "$@" >"$work/header"
  printf "$(printf '\\x%02x' $(($(stat -c %s "$work/header") >> 0 & 255)) $(($(stat -c %s "$work/header") >> 8 & 255)) \
    $(($(stat -c %s "$work/header") >> 16 & 255)) 0 0 0 0 0)"
  cat "$work/header"
  tail -c "+$((9 + length))" "$file"
}
