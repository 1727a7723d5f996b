#!/bin/bash
# `retrieve` judges a small database as one counts by hand, writes what it prints, and explains mistakes.
. "$(dirname "$0")/common.bash"

# npy FILE ROWS WIDTH NUMBERS...: an array of numbers that are -1, 0, 1 or nan, in version 1.0 of the format.
npy() {
  local file=$1 rows=$2 width=$3 number
  shift 3
  printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' \
    "{'descr': '${type:-<f4}', 'fortran_order': False, 'shape': ($rows, $width), }" >"$file"
  for number; do
    case $number in
      0) printf '\0\0\0\0' ;;
      1) printf '\0\0\x80\x3f' ;;
      -1) printf '\0\0\x80\xbf' ;;
      nan) printf '\0\0\xc0\x7f' ;;
    esac
  done >>"$file"
}

# Query 0 ranks the rows 0 1 2 3, query 1 the rows 3 2 1 0 (equals: the earlier first).
npy "$work/database.npy" 4 3  1 0 0  1 1 0  1 1 1  0 0 1
npy "$work/queries.npy" 2 3  1 0 0  0 0 1
cat >"$work/truth.json" <<'END'
{"queries": [{"easy": [0], "hard": [2], "junk": [1]}, {"easy": [], "hard": [2], "junk": []}]}
END
echo '{"matches": [[0], [2]]}' >"$work/copies.json"
arguments=(--database "$work/database.npy" --queries "$work/queries.npy")
"$bin/retrieve" "${arguments[@]}" --truth "$work/truth.json" --out "$work/found" >"$work/log" 2>&1 ||
  { cat "$work/log"; die "a correct run"; }
# Easy: query 0 alone, found first. Hard: query 0 finds row 2 first, query 1 second: (1 + 1/4) / 2.
grep -Eq '^easy +100.00 +100.00' "$work/log" || { cat "$work/log"; die "easy"; }
grep -Eq '^hard +62.50 +50.00' "$work/log" || { cat "$work/log"; die "hard"; }
test "$(tail -n 1 "$work/found/queries.csv")" = "1,,0.25,0.25" || { cat "$work/found/queries.csv"; die "queries.csv"; }
grep -q '"mean_average_precision": 0.625' "$work/found/retrieval.json" || die "retrieval.json"

# Copies. All pairs in one ranking, by similarity: at 1 a right and a wrong one, at 0.71 a wrong one, at 0.58 a right
# and a wrong one: (1/2 + 2/5) / 2.
"$bin/retrieve" "${arguments[@]}" --truth "$work/copies.json" >"$work/log" 2>&1 || { cat "$work/log"; die "copies"; }
grep -Eq '^copies +62.50' "$work/log" || { cat "$work/log"; die "mean average precision of copies"; }
grep -q 'nearest rows: 45.00' "$work/log" || { cat "$work/log"; die "micro average precision"; }

expect() { refuses retrieve "$@" --out "$work/none"; }
expect "$work/none.npy: cannot open" --database "$work/none.npy" --queries "$work/queries.npy" \
  --truth "$work/truth.json"
type='<f8' npy "$work/double.npy" 1 3 0 1 0
expect "double.npy: dtype '<f8', expected '<f4'" --database "$work/double.npy" --queries "$work/queries.npy" \
  --truth "$work/truth.json"
echo '{"matches": [[0]]}' >"$work/short.json"
expect "short.json: the truth about 1 queries, but .*queries.npy has 2" "${arguments[@]}" --truth "$work/short.json"
echo '{"matches": [[0], [4]]}' >"$work/wrong.json"
expect "query 1 names row 4, and the database has the rows 0 to 3" "${arguments[@]}" --truth "$work/wrong.json"
echo '{"queries": [{"easy": [0], "hard": []}]}' >"$work/lists.json"
expect 'lists.json: query 0 has no list "junk"' "${arguments[@]}" --truth "$work/lists.json"
expect "truth is required.*retrieve --help" "${arguments[@]}"
echo '{"queries": [{"easy": [3], "hard": [], "junk": [3]}, {"easy": [], "hard": [], "junk": []}]}' >"$work/twice.json"
expect "twice.json: query 0 names a row twice" "${arguments[@]}" --truth "$work/twice.json"
for row in 4294967297 -1 0.5 18446744073709551616 '"0"' null; do
  echo "{\"matches\": [[$row], [2]]}" >"$work/row.json"
  expect "row.json: query 0 names row .*, expected a whole number from 0 to 2147483647" "${arguments[@]}" \
    --truth "$work/row.json"
done
nested 70000 >"$work/deep.json"
expect "deep.json is JSON nested more than 64 deep" "${arguments[@]}" --truth "$work/deep.json"

# A row of NaN is an error that names it, unless `embed` has flagged it as one that could not be read: then it is passed
# over, whoever asks for it, and counted. What is left of the first database is ranked as before.
npy "$work/flagged.npy" 5 3  1 0 0  nan nan nan  1 1 0  1 1 1  0 0 1
echo '{"queries": [{"easy": [0], "hard": [3], "junk": [2, 1]}, {"easy": [1], "hard": [3], "junk": []}]}' \
  >"$work/five.json"
five=(--database "$work/flagged.npy" --queries "$work/queries.npy" --truth "$work/five.json")
expect "flagged.npy: number 0 of the features of row 1 is nan" "${five[@]}"
printf '\x93NUMPY\x01\x00\x76\x00%-117s\n\0\1\0\0\0' "{'descr': '|u1', 'fortran_order': False, 'shape': (5,), }" \
  >"$work/flagged.flags.npy"
"$bin/retrieve" "${five[@]}" --out "$work/five" >"$work/log" 2>&1 || { cat "$work/log"; die "a flagged row"; }
grep -q "1 of 5 database rows and 0 of 2 queries are flagged as unreadable and passed over" "$work/log" ||
  { cat "$work/log"; die "no count"; }
cmp "$work/found/queries.csv" "$work/five/queries.csv" || die "the flagged row changed the ranking"
grep -q '"database_rows": 1,' "$work/five/retrieval.json" || die "retrieval.json does not count the flagged row"
