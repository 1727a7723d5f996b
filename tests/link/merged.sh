#!/bin/bash
# merged.sh OBJECT OBJECT...: the linker keeps one of two functions of one name (weak symbols), whichever compiler made
# it. Fails, and names them, where the first object and the others have such symbols in common that are of Vitral or its
# programs, or made of their types. Those of the libraries that both include, std, nlohmann and CLI, are theirs.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
weak() { nm --defined-only "$@" | awk '$2 ~ /^[VWu]$/ { print $3 }' | sort -u; }

one=$1
shift
weak "$one" >"$folder/one"
weak "$@" >"$folder/others"
for side in one others; do
  test -s "$folder/$side" || { echo "no weak symbols at all in $one or in $*: nothing was compared"; exit 1; }
done
comm -12 "$folder/one" "$folder/others" | grep -v '^DW\.ref\.' >"$folder/common" || true

# Names that stand in no namespace, or begin with their outermost one, but for libraries, words of the language and what
# is the compiler's own (__). Neither a tag, [abi:cxx11], nor a member that a return type calls, `.(f<int>)`, nor what
# decltype of a return type asks for is one.
c++filt <"$folder/common" | sed 's/\[abi:\w*\]//g; s/decltype ([^<>]*)//g' >"$folder/names"
ours=$(grep -P '(?<![\w:~.{])(?<!\.\()(?!__)(?!(std|nlohmann|CLI|for|vtable|typeinfo|name|guard|variable|lambda|auto'\
'|char|char8_t|char16_t|char32_t|wchar_t|unsigned|signed|long|short|int|bool|float|double|void|const|volatile'\
'|true|false|nullptr|decltype|operator|new|delete|enable_if)\b)[A-Za-z_]\w*' "$folder/names" || true)
if [ -n "$ours" ]; then
  echo "$one and the other objects both have:"
  head -n 20 <<<"$ours"
  echo "Put them into namespace vitral { inline namespace VITRAL_ABI (core/config.hpp): each compiler's stay its own."
  exit 1
fi
count() { wc -l <"$folder/$1"; }
echo "$(count one) and $(count others) weak symbols, $(count common) in common, none of them ours"
