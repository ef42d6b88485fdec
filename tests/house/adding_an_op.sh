#!/bin/sh
# docs/adding-an-op.md, step by step, in a copy of ops/: its commands, its header, its calls from C++ and YAML, and what
# it says that is printed. Then the headers that `weft new --op` starts from, in a folder outside the tree.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
source=$(dirname "$(dirname "$here")")
page=$source/docs/adding-an-op.md
built=$(dirname "$WEFT_PROGRAM")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

exec 3>&2
fail() {
  echo "adding_an_op: $*" >&3
  exit 1
}
quietly() { "$@" >log 2>&1 || { cat log >&3; fail "failed: $*"; }; }

# block WORDS [N]: the lines of the N-th block of the page that begins with ```WORDS
block() {
  awk -v head="\`\`\`$1" -v n="${2:-1}" '
    $0 == head { on = ++found == n; next } /^```/ { on = 0 } on' "$page" | grep . || fail "the page has no block: $1"
}

build() {
  sanitize=$(sed -n 's/^WEFT_SANITIZE:STRING=//p' "$built/CMakeCache.txt")
  quietly cmake -G Ninja -S "$here/adding_an_op" -B build -DOPS="$work/ops" -DEXTRA="$work/extra" -DWEFT="$source" \
    -DBUILT="$built" -DFLAGS="${sanitize:+-fsanitize=$sanitize}"
  quietly cmake --build build
}

# ./weft of the page: builds what changed, as the launcher does.
weft() {
  case "$1 ${2-}" in
    'new --op') WEFT_HOME=$work "$WEFT_PROGRAM" "$@" ;;
    'test --op') build && build/verdict_with_op "$3" ;;
    *) build && build/weft_with_op "$@" ;;
  esac
}
steps() { block sh "$1" | sed 's:^\./weft :weft :' >steps; . ./steps; }

# Each printed line that the page shows is there; figures and times are left out.
shown() {
  block text "$1" | sed 's/ *worst .*//; s/([0-9.]* s)//' | while IFS= read -r line; do
    grep -qF -- "$line" printed || { cat printed; fail "the page shows a line that is not printed: $line"; }
  done
}

cp -r "$source/ops" ops
mkdir extra
block 'cpp call.cpp' >call.cpp
steps 1 >printed || { cat printed; fail "the header is not made"; }
shown 1
quietly weft test --op softsign
if weft new --op softsign >printed 2>&1; then fail "an existing op is written over"; fi

block 'cpp ops/softsign.h' >ops/softsign.h
steps 2 >printed || { cat printed; fail "the suite refuses it"; }
shown 2

cp ops/softsign.h right.h
code=0
(set +e; steps 3) >printed || code=$?  # dash heeds set -e in a sourced file even before ||
[ $code = 3 ] || { cat printed; fail "the suite accepts a wrong slope"; }
shown 3
cp right.h ops/softsign.h

build
[ "$(build/call)" = "$(block 'text call')" ] || fail "C++ finds another value: $(build/call)"
block 'yaml gate.yaml' >gate.yaml
steps 4 >printed 2>log || { cat printed log; fail "YAML or the reference does not find it"; }
shown 4
weft ops >printed
grep -q '^swish ' printed || fail "the other ops are gone"

# Every family's start, in a folder outside the tree, has every property.
for family in pointwise reduce composite general; do
  "$WEFT_PROGRAM" new --op "from_$family" --family $family --into "$work/extra" >/dev/null
done
build
for family in pointwise reduce composite general; do
  quietly build/verdict_with_op from_$family
done
code=0
build/verdict_with_op from_generel >printed 2>&1 || code=$?
[ $code = 2 ] && grep -q 'did you mean `from_general`' printed || { cat printed; fail "no guess for a wrong name"; }

# The same name in both folders is an error that says where.
cp ops/softsign.h extra/softsign.h
if cmake -S "$here/adding_an_op" -B build >log 2>&1; then fail "two headers of one name are accepted"; fi
tr -s ' \n' ' ' <log | grep -q "two headers are called softsign.h" || { cat log; fail "no word about the second header"; }
