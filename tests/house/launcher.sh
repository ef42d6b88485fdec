#!/bin/sh
# The launcher, on a copy of the sources with stand-ins for the compiler's front end, so that nothing is built here:
# what it adds to a run, where it may be called from, when it builds, and what it says when it cannot.
# shellcheck disable=SC2016  # the stand-ins expand their own variables
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
house="$temp/a house"
stubs=$temp/stubs
mkdir "$house" "$stubs"
cp "$root/weft" "$root/CMakeLists.txt" "$house"
for folder in engine ops dsl models train cli data; do
  if [ -d "$root/$folder" ]; then cp -R "$root/$folder" "$house"; else mkdir "$house/$folder"; fi
done

stub() { printf '#!/bin/sh\n%s\n' "$2" >"$stubs/$1"; chmod +x "$stubs/$1"; }
program='pwd; for a; do echo "<$a>"; done; [ "${1-}" != sleep ] || exec sleep 30; exit "${CODE:-0}"'
printf '%s\n' "$program" >"$temp/program"
export CALLS="$temp/calls" PROGRAM="$temp/program"
# The stand-in for cmake: notes its call, and "builds" a program that says where it runs and with what.
stub cmake '
[ "$1" = --version ] && exit
echo "$*" >>"$CALLS"
while [ $# -gt 0 ]; do case $1 in -B | --build) build=$2 ;; -S) from=$2 ;; esac; shift; done
if [ -n "${from-}" ]; then
  echo "CMAKE_HOME_DIRECTORY:INTERNAL=$from" >"$build/CMakeCache.txt"; : >"$build/build.ninja"; exit
fi
sleep 0.2
[ -z "${EDIT-}" ] || touch "$EDIT"
[ -z "${BROKEN-}" ] || { echo "swish.h:7: error: no such thing"; exit 2; }
{ echo "#!/bin/sh"; cat "$PROGRAM"; } >"$build/weft"; chmod +x "$build/weft"
mkdir -p "$build/tests"; cp "$build/weft" "$build/tests/op_verdict"'
stub dpkg-query 'for a; do last=$a; done; [ "$last" = "${ABSENT-}" ] && exit 1; printf installed'
stub g++ ''
stub ninja ''
stub id 'echo 1000'
stub sudo 'exit 1'
stub apt-get 'echo "apt-get $*" >>"$CALLS"; exit 1'
PATH=$stubs:$PATH
export PATH

fail() { echo "launcher: $*"; cat "$temp/err"; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"; }
builds() { grep -c -- --build "$CALLS" || :; }
run() {  # run CODE ARGUMENTS...: the launcher's output goes to $temp/out and $temp/err
  wanted=$1
  shift
  code=0
  "$house/weft" "$@" >"$temp/out" 2>"$temp/err" || code=$?
  expect "exit code of: weft $*" "$wanted" "$code"
}
with() { (export "${1?}" && shift && "$@"); }  # with NAME=VALUE COMMAND...
: >"$CALLS"

# The first call configures and builds, with one line a stage on a plain stderr; the program keeps its arguments.
cd "$temp"
run 0 train 'a file.yaml' ''
expect 'output' "$(printf '%s\n<train>\n<a file.yaml>\n<>' "$(pwd)")" "$(cat "$temp/out")"
expect 'calls of cmake' 2 "$(wc -l <"$CALLS" | tr -d ' ')"
expect 'stages told' 3 "$(grep -c '^weft: ' "$temp/err")"
grep -q 'target weft' "$CALLS" || fail 'the tests are built too'

# Built: no call of cmake or apt, nothing on stderr, and less than 0.1 s (the best of five).
best=1000
for _ in 1 2 3 4 5; do
  before=$(date +%s%N)
  run 0
  took=$((($(date +%s%N) - before) / 1000000))
  if [ $took -lt $best ]; then best=$took; fi
done
[ $best -lt 100 ] || fail "it takes $best ms"
expect 'calls of cmake' 2 "$(wc -l <"$CALLS" | tr -d ' ')"
expect 'stderr' '' "$(cat "$temp/err")"

# From another folder, through links, in and out of the PATH.
mkdir "$temp/else where"
ln -s "$house/weft" "$temp/first"
ln -s ../first "$temp/else where/second"
cd "$temp/else where"
expect 'through links' "$temp/else where" "$(./second)"
expect 'by sh' "$(cd "$house" && pwd -P)" "$(cd "$house" && sh weft)"
expect 'in the PATH' "$temp/else where" "$(PATH=$house:$PATH weft)"
with CODE=143 run 143
with CODE=5 run 5
"$house/weft" sleep >/dev/null & pid=$!
sleep 0.2
kill -TERM $pid
code=0
wait $pid || code=$?
expect 'a signal reaches the program' 143 $code
expect 'calls of cmake' 2 "$(wc -l <"$CALLS" | tr -d ' ')"

# A changed, a new and a deleted file build again, each once.
sleep 0.02
for change in 'touch engine/new.h' 'echo // >>engine/new.h' 'rm engine/new.h' 'mkdir ops/fast'; do
  before=$(builds)
  (cd "$house" && eval "$change")
  run 0
  run 0
  expect "builds after: $change" $((before + 1)) "$(builds)"
  sleep 0.02
done

# The proof of one op is a program of its own, which gets the name; the program itself stays as old as it was.
touch "$house/engine/new.h"
run 0 test --op swish
grep -q 'target op_verdict' "$CALLS" || fail 'the suite of ops is not built'
expect 'output' "$(printf '%s\n<swish>' "$(pwd)")" "$(cat "$temp/out")"
before=$(builds)
run 0
expect 'builds after the proof of an op' $((before + 1)) "$(builds)"
rm "$house/engine/new.h"
run 0

# Ops outside the tree count as well.
mkdir "$temp/my ops"
echo "WEFT_EXTRA_OPS:PATH=$temp/my ops" >>"$house/build/CMakeCache.txt"
run 0
sleep 0.02
touch "$temp/my ops/new.h"
before=$(builds)
run 0
expect 'builds after an op outside the tree' $((before + 1)) "$(builds)"

# Two at once: the second waits and finds the work done.
touch "$house/engine/again.h"
before=$(builds)
"$house/weft" >/dev/null 2>&1 & pid=$!
run 0
wait $pid
expect 'builds by two at once' $((before + 1)) "$(builds)"

# A program that runs on does not keep the others from building; an edit during a build is built by the next call.
touch "$house/engine/again.h"
before=$(builds)
"$house/weft" sleep >/dev/null 2>&1 & pid=$!
while [ "$(builds)" -le "$before" ]; do sleep 0.1; done
sleep 0.5
touch "$house/engine/again.h"
before=$(builds)
with EDIT="$house/engine/again.h" run 0
if grep -q waiting "$temp/err"; then fail 'a running program holds the lock'; fi
kill $pid
run 0
expect 'builds after an edit during a build' $((before + 2)) "$(builds)"

# A build that fails shows its log, and is tried again.
touch "$house/engine/again.h"
with BROKEN=1 run 1
grep -q 'error: no such thing' "$temp/err" || fail 'the log is not shown'
with BROKEN=1 run 1
run 0

# A missing package that cannot be installed: its name and the line to type. As root apt is called.
touch "$house/engine/again.h"
with ABSENT=libtbb-dev run 4
grep -q 'type: sudo apt-get install libtbb-dev$' "$temp/err" || fail 'no line to type'
if grep -q apt-get "$CALLS"; then fail 'apt-get was called without the right to'; fi
stub id 'echo 0'
with ABSENT=libtbb-dev run 4
expect 'apt-get' 'install update' "$(grep -oE ' (install|update)' "$CALLS" | xargs)"
stub apt-get 'echo "apt-get $*" >>"$CALLS"; exit 0'
with ABSENT=libtbb-dev run 0

# A folder that was moved is configured anew; one that cannot be written is built in the user's cache.
mv "$house" "$temp/moved"
house=$temp/moved
touch "$house/engine/again.h"
run 0
grep -q -- "-S $temp/moved" "$CALLS" || fail 'not configured anew'
rm -r "$house/build"
: >"$house/build"  # stands for a folder without the right to write, which root does not know
export XDG_CACHE_HOME="$temp/cache"
run 0
run 0
expect 'stderr of the second run' '' "$(cat "$temp/err")"
ls "$temp"/cache/weft/*/weft >/dev/null || fail 'nothing in the cache'
