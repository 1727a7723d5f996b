#!/bin/bash
# check.sh FLAGS_FILE EVERYTHING: the checks of .clang-tidy find nothing in the headers, of which the file EVERYTHING
# includes all. Exit status 77 says "skipped": there is no clang-tidy 14.
set -eu
flags=$1 everything=$2
version=$(clang-tidy --version 2>/dev/null | grep -o 'version [0-9.]*' || true)
if [[ $version != "version 14."* ]]; then
  echo "skipped: the checks are those of clang-tidy 14, and here is ${version:-none}"
  exit 77
fi
root=$(cd "$(dirname "$0")/../.." && pwd)
tidy() { clang-tidy --quiet "--config-file=$root/.clang-tidy" "$1" -- -x c++ $(tr -d '"' <"$flags") 2>&1; }

# A file with one mistake shows that the checks are on.
bad=$(mktemp --suffix=.cpp)
trap 'rm -f "$bad"' EXIT
cat >"$bad" <<'END'
#include <string>
#include <utility>
std::string twice(std::string a) { std::string b = std::move(a); return a + b; }
END
tidy "$bad" | grep -q bugprone-use-after-move || { echo "clang-tidy finds no mistake where there is one"; exit 1; }

tidy "$everything" | grep -v 'warnings generated' && exit 1
echo "clang-tidy has nothing to say about $(grep -c include "$everything") headers"
