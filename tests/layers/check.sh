#!/bin/bash
# check.sh INCLUDE_ROOT: a folder includes only from itself and those before it, heavy headers stay where they belong,
# data.hpp, io.hpp, train.hpp and eval.hpp include all of their folders, and no message names a program's option. A
# header of a cheap folder may rely on io/: then io.hpp brings it, and vitral.hpp must not. Loops that ask for SIMD
# stand between VITRAL_KERNELS_BEGIN and VITRAL_KERNELS_END.
set -eu
cd "$1"

# From the ground up. The folders that vitral.hpp may name, those with a header of their own beside it, and those whose
# headers must stay cheap to include.
order="core tensor backend autodiff nn io models optim ssl data train eval"
umbrella="core tensor backend autodiff nn models optim ssl"
whole="data io train eval"
cheap="core tensor backend autodiff nn models optim ssl"

files=$(find vitral -type f \( -name '*.hpp' -o -name '*.cuh' -o -name '*.cu' \) | sort)
test -n "$files" || { echo "no headers under $PWD/vitral"; exit 1; }

# shellcheck disable=SC2086
bare=$(grep -lE '^ *#pragma omp .*simd' $files | xargs -r grep -L '^VITRAL_KERNELS_BEGIN' || true)
test -z "$bare" || { echo "loops outside VITRAL_KERNELS_BEGIN, for which clang warns a user:" $bare; exit 1; }

# shellcheck disable=SC2086
awk -v order="$order" -v umbrella="$umbrella" -v whole="$whole" -v cheap="$cheap" '
  function report(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; ++errors }
  function folder_of(path,  parts) { return split(path, parts, "/") > 2 ? parts[2] : "" }
  BEGIN {
    n = split(order, names, " "); for (i = 1; i <= n; ++i) rank[names[i]] = i
    n = split(umbrella, names, " "); for (i = 1; i <= n; ++i) in_umbrella[names[i]] = 1
    n = split(whole, names, " "); for (i = 1; i <= n; ++i) is_whole[names[i]] = 1
    n = split(cheap, names, " "); for (i = 1; i <= n; ++i) is_cheap[names[i]] = 1
    for (i = 1; i < ARGC; ++i) exists[ARGV[i]] = 1
  }
  FNR == 1 {
    folder = folder_of(FILENAME)
    beside = folder == "" ? substr(FILENAME, 8, length(FILENAME) - 11) : ""  # "io" of vitral/io.hpp
    if (folder == "" && beside != "vitral" && !(beside in is_whole))
      report(beside ".hpp may not stand beside the folders")
    if (folder != "" && !(folder in rank)) report("the folder " folder " has no place in the order")
  }
  /--[a-z]/ {  # in a string or a comment, rather than a decrement
    words = ""
    for (rest = $0; match(rest, /"([^"\\]|\\.)*"/); rest = substr(rest, RSTART + RLENGTH))
      words = words substr(rest, RSTART, RLENGTH)
    if (words ~ /--[a-z]/ || rest ~ /\/\/.*--[a-z]/)
      report("names an option of a program; name the function or the field")
  }
  /^[ \t]*#[ \t]*include/ {
    if (!match($0, /<[^>]+>/)) { report("write includes as <vitral/...> or <name>"); next }
    header = substr($0, RSTART + 1, RLENGTH - 2)
    includes[++count] = FILENAME SUBSEP header SUBSEP FNR
    if (header ~ /^vitral\//) {
      target = folder_of(header)
      included[FILENAME, header] = 1
      if (target == "io" && folder in is_cheap) relies_on_io[FILENAME] = 1
      if (target == "") report("a header of the library includes " header)
      else if (beside == "vitral" && !(target in in_umbrella))
        report("vitral.hpp includes " header ", which may need an optional dependency")
      else if (beside in is_whole && target != beside && !(beside == "io" && target in is_cheap))
        report(beside ".hpp includes " header ", which is not of " beside "/")
      else if (folder != "" && rank[target] > rank[folder])
        report(folder "/ includes " header ", which stands above it")
    }
    if ((folder in is_cheap || folder == "") && header ~ /^(iostream|functional|ranges)$/)
      report("<" header "> is too dear for " folder "/")
    if (header ~ /(^|\/)dnnl(_[a-z]+)?\.hpp$/) report("oneDNN is used through its C header, not <" header ">")
    if ((header ~ /(^|\/)dnnl(_[a-z]+)?\.h$/ || header ~ /(^|\/)Eigen\//) && FILENAME !~ /^vitral\/backend\/cpu\//)
      report("<" header "> belongs into backend/cpu/")
    if ((folder in is_cheap || folder == "") && header ~ /^(nlohmann\/|zlib\.h|png\.h|jpeglib\.h|CLI\/)/)
      report("<" header "> is an optional dependency")
  }
  END {
    for (i = 1; i <= count; ++i) {
      split(includes[i], part, SUBSEP)
      if (part[2] !~ /^vitral\// || part[2] in exists) continue
      printf "%s:%d: %s does not exist\n", part[1], part[3], part[2]
      ++errors
    }
    reached["vitral/vitral.hpp"] = 1
    do {
      grown = 0
      for (i = 1; i <= count; ++i) {
        split(includes[i], part, SUBSEP)
        if (part[1] in reached && part[2] ~ /^vitral\// && !(part[2] in reached)) { reached[part[2]] = 1; grown = 1 }
      }
    } while (grown)
    for (header in exists) {
      if (header in relies_on_io && header in reached) {
        printf "vitral.hpp comes to %s, which relies on io/\n", header; ++errors
      }
      if (("vitral/io.hpp" in exists) && (header in relies_on_io) != (("vitral/io.hpp", header) in included) &&
          folder_of(header) in is_cheap) {
        printf "io.hpp includes what relies on io/, and nothing else of other folders: see %s\n", header; ++errors
      }
      file = "vitral/" folder_of(header) ".hpp"
      if (folder_of(header) in is_whole && file in exists && header !~ /\/cuda\// && !((file, header) in included)) {
        printf "%s: leaves out #include <%s>\n", file, header; ++errors
      }
    }
    if (errors) { print errors " places break the rules"; exit 1 }
    print count " includes keep to the order"
  }' $files
