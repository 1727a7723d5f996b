#!/bin/bash
# lessons.sh CXX FLAGS_FILE: each lesson (examples/*.cpp) has at most 100 lines, includes <vitral/...> and the standard
# library alone, compiles without a warning, and is named in examples/README.md.
set -eu
cxx=$1 flags=$2
cd "$(dirname "$0")/../../examples"
status=0
complain() { echo "$*"; status=1; }
for lesson in *.cpp; do
  lines=$(wc -l <"$lesson")
  test "$lines" -le 100 || complain "$lesson has $lines lines"
  others=$(grep '^ *# *include' "$lesson" | grep -vE '<(vitral/[a-z0-9_/]+\.hpp|[a-z_]+)>' || true)
  test -z "$others" || complain "$lesson: $others"
  grep -qF "\`$lesson\`" README.md || complain "README.md does not name $lesson"
done

# All of them as one source file, each in a namespace of its own, behind all that they include.
{
  grep -h '^#include' *.cpp | sort -u
  echo '#define main lesson'
  for lesson in *.cpp; do printf 'namespace %s {\n#include "%s"\n}\n' "${lesson%.cpp}" "$PWD/$lesson"; done
} | "$cxx" "@$flags" -Wall -Wextra -Wconversion -Wno-return-type -Werror -fsyntax-only -x c++ - || status=1
exit $status
