#!/bin/bash
# check.sh CXX FLAGS_FILE INCLUDE_ROOT: every header compiles alone, twice included, without a warning.
set -u -o pipefail
export cxx=$1 flags=$2
cd "$3" || exit 1

compile_alone() {
  printf '#include <%s>\n#include <%s>\n' "$1" "$1" |
    "$cxx" "@$flags" -Wall -Wextra -Wconversion -Werror -fsyntax-only -x c++ - 2>&1 |
    head -n 40 | sed "s|^|[$1] |"
  test "${PIPESTATUS[1]}" -eq 0
}
export -f compile_alone

headers=$(find vitral -name '*.hpp' -not -path '*/cuda/*' | sort)
test -n "$headers" || { echo "no headers under $PWD/vitral"; exit 1; }
echo "$headers" | xargs -P 2 -I{} bash -c 'compile_alone {}' || { echo "a header does not compile alone"; exit 1; }
echo "$(echo "$headers" | wc -l) headers compile alone with $cxx"
