#!/bin/bash
# lessons.sh CXX FLAGS_FILE: each lesson (examples/*.cpp) has at most 100 lines, includes <vitral/...> and the standard
# library alone, compiles without a warning, and is named in examples/README.md. The examples in the comments of headers
# compile, too: lines of a `///` comment that are indented by three spaces or more, behind an empty one.
set -eu
cxx=$1 flags=$2
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../../examples"
status=0
complain() { echo "$*"; status=1; }
for lesson in *.cpp; do
  lines=$(wc -l <"$lesson")
  test "$lines" -le 100 || complain "$lesson has $lines lines"
  others=$(grep '^ *# *include' "$lesson" | grep -vE '<(vitral/[a-z0-9_/]+\.hpp|[a-z_]+)>' || true)
  test -z "$others" || complain "$lesson: $others"
  grep -qF "\`$lesson\`" README.md || complain "README.md does not name $lesson"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Each example becomes a function, or a namespace where it defines something.
headers=$(find "$here/../../include/vitral" -name '*.hpp' -not -path '*/cuda/*')
awk 'function close_example() { if (inside) print "}"; inside = blank = 0 }
     FNR == 1 { close_example() }
     /^ *\/\/\/$/ && !inside { blank = 1; next }
     /^ *\/\/\/$/ && inside { next }
     (blank || inside) && /^ *\/\/\/   / {
       line = $0
       sub(/^ *\/\/\/   /, "", line)
       if (!inside) printf (line ~ /^struct/ ? "namespace example_%d {\n" : "void example_%d() {\n"), ++n
       if (!inside) printf "#line %d \"%s\"\n", FNR, FILENAME
       inside = 1
       print line
       next
     }
     { close_example() }
     END { close_example() }' $headers >"$work/examples.hpp"
examples=$(grep -c ' example_' "$work/examples.hpp")
test "$examples" -ge 46 || complain "only $examples examples were found in the headers' comments"

# All of them as one source file, each lesson in a namespace of its own, behind all that they include.
{
  grep -h '^#include' *.cpp | sort -u
  echo '#define main lesson'
  for lesson in *.cpp; do printf 'namespace %s {\n#include "%s"\n}\n' "${lesson%.cpp}" "$PWD/$lesson"; done
  printf 'namespace examples {\n#include "%s"\n#include "%s"\n}\n' "$here/examples.hpp" "$work/examples.hpp"
} | "$cxx" "@$flags" -Wall -Wextra -Wconversion -Wno-return-type -Wno-unused -Werror -fsyntax-only -x c++ - || status=1
echo "compiled with $examples examples of the headers"
exit $status
