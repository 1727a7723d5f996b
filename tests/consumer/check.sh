#!/bin/bash
# check.sh CMAKE WAY SOURCE BUILD FOLDER CXX GENERATOR: configures, builds and runs the consumer project, which gets
# Vitral by find_package (from an installation made here), add_subdirectory or fetch_content.
set -eu
cmake=$1 way=$2 source=$3 build=$4 folder=$5/$2 cxx=$6 generator=$7
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$folder"
mkdir -p "$folder"
cp "$here/CMakeLists.txt" "$here/main.cpp" "$folder"  # nothing relative to Vitral's tree can help it

arguments=("-DVITRAL_SOURCE=$source")
if [ "$way" = find_package ]; then
  "$cmake" --install "$build" --prefix "$folder/prefix" >"$folder/install.log"
  arguments=("-DCMAKE_PREFIX_PATH=$folder/prefix")
fi
"$cmake" -S "$folder" -B "$folder/build" -G "$generator" "-DVITRAL_WAY=$way" "-DCMAKE_CXX_COMPILER=$cxx" \
  "${arguments[@]}"
"$cmake" --build "$folder/build"
if [ "$way" = find_package ] && grep -r -l -F "$source/include" "$folder/build" "$folder/prefix" --include='*.ninja' \
  --include='*.cmake' --include='*.make'; then
  echo "the installed package still points into the source tree"
  exit 1
fi
"$folder/build/consumer"
