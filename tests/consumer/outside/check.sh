#!/bin/bash
# check.sh CMAKE PREFIX FOLDER CXX GENERATOR: eight programs, each no longer than its PyTorch twin, are built with the
# package that is installed in PREFIX, and learn what they should. Lines are those that are neither blank nor comment;
# data, between "data" and "end of data", are left out.
set -eu
cmake=$1 prefix=$2 folder=$3 cxx=$4 generator=$5
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$folder"
mkdir -p "$folder"
cp "$here"/*.cpp "$here/CMakeLists.txt" "$folder"  # nothing relative to Vitral's tree can help them
status=0
complain() { echo "$*"; status=1; }

lines() { sed -E '/^ *(\/\/|#) data$/,/^ *(\/\/|#) end of data$/d' "$1" | grep -cvE "^ *($2|$)"; }
for program in "$here"/*.cpp; do
  twin=${program%.cpp}.py
  name=$(basename "$program" .cpp)
  ours=$(lines "$program" //) theirs=$(lines "$twin" '#')
  echo "$name: $ours lines, $theirs in PyTorch"
  test "$ours" -le "$theirs" || complain "$name.cpp is longer than its twin"
  ! grep -nE '.{121}' "$program" "$twin" || complain "$name: a line has more than 120 columns"
done

"$cmake" -S "$folder" -B "$folder/build" -G "$generator" "-DCMAKE_PREFIX_PATH=$prefix" "-DCMAKE_CXX_COMPILER=$cxx"
"$cmake" --build "$folder/build"
cd "$folder/build"
for program in "$here"/*.cpp; do
  name=$(basename "$program" .cpp)
  "./$name" || complain "$name: not as it should be"
done
exit $status
