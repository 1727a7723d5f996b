#!/bin/bash
# check.sh refuses a long line in each kind of file and a source of another form, and accepts the tree without them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
git -C "$root" init -q
cp "$here/../../.clang-format" "$root"
printf 'int f();\n' >"$root/good.hpp"
long=$(printf '%.0sx' {1..118})

try() {  # try ACCEPTED|REFUSED FILE TEXT
  printf '%s\n' "$3" >"$root/$2"
  bash "$here/check.sh" "$root" >"$root/log" 2>&1 && result=accepted || result=refused
  rm "$root/$2"
  test $result = "$1" || { echo "'$3' in $2 was $result:"; cat "$root/log"; exit 1; }
}
clang-format --version 2>/dev/null | grep -q "version 14\." || { echo "skipped: no clang-format 14"; exit 77; }
try accepted a.hpp "//$long"
try refused a.hpp "///$long"
try refused a.cpp "int  f();"
try refused a.cu "int f(){}"
try refused a.sh "# $long-"
try refused a.txt "ä $long-"
try accepted a.txt "ä $long"
echo "every violation is found"
