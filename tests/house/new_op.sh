#!/bin/sh
# A new header in a copy of ops/, and no other file touched: the op is there in C++, in YAML, in the suite and in
# `weft ops`, after compiling one unit and the table.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
source=$(dirname "$(dirname "$here")")
built=$(dirname "$WEFT_PROGRAM")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "new_op: $*" >&2
  exit 1
}

cp -r "$source/ops" "$work/ops"
cp "$here/new_op/thrice.h" "$work/ops/thrice.h"
sanitize=$(sed -n 's/^WEFT_SANITIZE:STRING=//p' "$built/CMakeCache.txt")
cmake -G Ninja -S "$here/new_op" -B "$work/build" -DOPS="$work/ops" -DWEFT="$source" -DBUILT="$built" \
  -DFLAGS="${sanitize:+-fsanitize=$sanitize}" >"$work/log" 2>&1 || { cat "$work/log"; fail "it was not configured"; }
cmake --build "$work/build" >"$work/log" 2>&1 || { cat "$work/log"; fail "it was not built"; }

[ "$("$work/build/call")" = "6 3" ] || fail "C++ does not find it"
"$work/build/weft_with_op" ops thrice | grep -q 'y = 3 x' || fail "\`weft ops\` does not find it"
"$work/build/weft_with_op" ops | grep -q '^swish ' || fail "the other ops are gone"
cat >"$work/thrice.yaml" <<END
schema: 1
params: {vocab: 16}
defs: {f: {in: {x: [T, D]}, out: thrice(x)}}
model: [{embed: {width: 8}}, f, thrice, {logits: {tie: embed}}]
END
"$work/build/weft_with_op" check "$work/thrice.yaml" >"$work/log" 2>&1 || { cat "$work/log"; fail "YAML does not find it"; }
WEFT_TEST_OP=thrice "$work/build/suite_with_op" >"$work/log" 2>&1 || { cat "$work/log"; fail "the suite refuses it"; }

# The suite looks at it: with a wrong slope it complains.
sed -i 's/return {T(3)};/return {T(2)};/' "$work/ops/thrice.h"
cmake --build "$work/build" --target suite_with_op >"$work/log" 2>&1 || { cat "$work/log"; fail "it was not built again"; }
if WEFT_TEST_OP=thrice "$work/build/suite_with_op" >"$work/log" 2>&1; then fail "the suite accepts a wrong slope"; fi
grep -q 'gradients match differences' "$work/log" || { cat "$work/log"; fail "the suite fails for another reason"; }
