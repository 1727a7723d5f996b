#!/bin/bash
# reference.sh DOXYFILE: Doxygen writes the reference without a warning, and every type and function of namespace vitral
# has a comment. (What a struct's own comment says its members need not say again; how operands are lowered, the traits
# is_*, and deduction guides are not asked for.) Exit status 77 says "skipped": there is no Doxygen 1.9.
set -eu
version=$(doxygen --version 2>/dev/null || true)
[[ $version == 1.9.* ]] || { echo "skipped: Doxygen 1.9 is asked for, and here is ${version:-none}"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{ cat "$1"; echo "OUTPUT_DIRECTORY = $work"; echo "WARN_IF_UNDOCUMENTED = YES"; } >"$work/Doxyfile"
doxygen "$work/Doxyfile" >"$work/log" 2>&1
may_lack="Member .* of (struct|class|concept) |of namespace vitral::(op|math) |Compound vitral::(op|math)::"
may_lack+='|Member (lower|value_at|is_[a-z_]+|lane_count)[(< ]|Compound vitral::([A-Za-z]*Plan|.*::result<)'
may_lack+='|\) -> [A-Za-z0-9]+< '
! grep -E 'warning|error' "$work/log" | grep -vE "($may_lack).*is not documented" || exit 1
test "$(find "$work/html" -name '*.html' | wc -l)" -gt 100 || { echo "hardly any page was written"; exit 1; }
echo "every public type and function has a comment"
