#!/bin/bash
# check.sh ROOT: C++ and CUDA sources have the form that .clang-format describes, and lines of text have at most 120
# characters: in Markdown those of sentences, since tables, code and links cannot be broken.
# Exit status 77 says "skipped": there is no git repository, or no clang-format 14.
set -eu
cd "$1"
git rev-parse --git-dir >/dev/null 2>&1 || { echo "skipped: $1 is no git repository"; exit 77; }
files() { git ls-files --cached --others --exclude-standard -- "$@" | sort -u; }
sources=$(files '*.hpp' '*.h' '*.cpp' '*.cu')
status=0

long() { LC_ALL=C.UTF-8 xargs -r grep -nHE '^.{121,}$' || true; }
texts=('*.cmake' '*.in' '*.txt' '*.sh' '*.bash' '*.py' '*.cjs' '*.json' '*.yml' .clang-format .clang-tidy)
too_long=$({ echo "$sources"; files "${texts[@]}"; } | long)
if [ -n "$too_long" ]; then
  printf 'lines of more than 120 characters:\n%s\n' "$(cut -c 1-200 <<<"$too_long")"
  status=1
fi

version=$(clang-format --version 2>/dev/null || true)
if [[ $version != *"version 14."* ]]; then
  echo "skipped: the form is that of clang-format 14, and here is ${version:-none}"
  exit $((status ? status : 77))
fi
xargs clang-format --dry-run -Werror <<<"$sources" || { echo "clang-format -i mends these"; status=1; }
echo "$(wc -w <<<"$sources") sources and $(files "${texts[@]}" | wc -l) other files looked at"
exit $status
