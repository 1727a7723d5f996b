#!/bin/bash
# check.sh CXX FLAGS_FILE INCLUDE_ROOT: every header compiles alone, and twice included, without a warning. One that
# another header includes before all else has nothing before it there, so it is compiled alone with that one.
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
unguarded=$(grep -L '^#pragma once$' $headers)
test -z "$unguarded" || { echo "without #pragma once:" $unguarded; exit 1; }
included_first=$(for header in $headers; do grep -m 1 '^ *# *include' "$header"; done |
  sed -n 's/^ *# *include *<\(vitral[^>]*\)>.*/\1/p' | sort -u)
left=$(comm -23 <(echo "$headers") <(echo "$included_first"))
echo "$left" | xargs -P 2 -I{} bash -c 'compile_alone {}' || { echo "a header does not compile alone"; exit 1; }
echo "$(echo "$headers" | wc -l) headers compile alone with $cxx, $(echo "$left" | wc -l) of them compiled for it"
