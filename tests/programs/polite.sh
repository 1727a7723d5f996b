#!/bin/bash
# Programs have OpenMP's threads wait politely: they start themselves anew, once, unless the user has said how to wait.
. "$(dirname "$0")/common.bash"
unset OMP_WAIT_POLICY GOMP_SPINCOUNT KMP_BLOCKTIME
export OMP_DISPLAY_ENV=verbose  # the runtime library prints its settings each time that it starts
ldd "$bin/retrieve" | grep -q libgomp || { echo "skipped: another OpenMP than libgomp"; exit 77; }

# starts SPINS...: the settings with which `retrieve` starts, one after the other; what is set stands before it.
starts() {
  local expected="$*" found
  found=$("${setting[@]}" "$bin/retrieve" --help 2>&1 >"$work/help" | sed -n "s/.*GOMP_SPINCOUNT = '\(.*\)'.*/\1/p" |
    xargs)
  test "$found" = "$expected" || die "${setting[*]}: started with GOMP_SPINCOUNT $found instead of $expected"
  grep -q -e --database "$work/help" || die "${setting[*]}: the help is missing"
}
setting=(env) && starts 300000 0
setting=(env GOMP_SPINCOUNT=7) && starts 7
setting=(env OMP_WAIT_POLICY=passive) && starts 0
setting=(env KMP_BLOCKTIME=1) && starts 300000
unset OMP_DISPLAY_ENV

# The same words and files.
"$bin/retrieve" --database "$work/a  b" --queries "" --truth "*" >"$work/log" 2>&1 &&
  die "a file that is not there is read"
grep -q -F "a  b" "$work/log" || { cat "$work/log"; die "the words have changed"; }
"$bin/retrieve" --help 7>"$work/help" >&7 </dev/null || die "with a file of its own"
grep -q -e --database "$work/help" || die "a file that was open is closed"
