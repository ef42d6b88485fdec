#!/bin/sh
# tests/ops/mutate.sh OP[:FILE]...    breaks the derivative of each op, one place at a time, and tells what survives
#
# In a copy of the op's header (or of FILE below ops/, where it keeps its backward: layer_norm:shared/norm.h) every sign,
# product and assignment of an element between the name of a derivative and the end of that function is changed alone.
# Each mutant is compiled with the rest of the program as it was built (./weft test first) and judged by the suite. A mutant that has
# every property is a hole in the suite or in the op's samples, or a change that means nothing; the line tells.
# Exit codes: 0 none survived, 3 some did. Not part of the tests: a mutant takes some seconds.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
built=${WEFT_BUILD:-$root/build}
[ -x "$built/tests/op_verdict" ] || { echo "mutate: build the suite first: ./weft test --op $1"; exit 2; }
[ $# -gt 0 ] || { sed -n 2p "$0"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# places FILE: a line "LINE COLUMN OLD NEW" for every change. What is in a comment, a string or a template's angle
# brackets is left alone, and so is the sign of an index that only shortens a loop.
places() {
  awk '
    /(^|[^a-z_])(backward[a-z_]*|slopes?|softmax_back|turn|back)\(/ && !/^ *(\/\/|k\.|return|rows|if|for)/ { inside = 1; depth = 0; begun = 0 }
    inside {
      code = $0
      sub(/\/\/.*/, "", code)
      for (i = 1; i <= length(code); ++i) {
        c = substr(code, i, 1)
        if (c == "{") { ++depth; begun = 1 }
        if (c == "}") --depth
        three = substr(code, i, 3)
        if (begun && three == " + ") print NR, i + 1, "+", "-"
        if (begun && three == " - ") print NR, i + 1, "-", "+"
        if (begun && three == " * ") print NR, i + 1, "*", "+"
        if (begun && substr(code, i, 2) ~ /[{(?:] ?-/ && substr(code, i + 1, 2) ~ /-[a-zA-Z(]/) print NR, i + 1, "-", "+"
        if (begun && substr(code, i, 4) == " += ") print NR, i + 1, "+=", "-="
        if (begun && substr(code, i, 4) == " -= ") print NR, i + 1, "-=", "+="
        if (begun && substr(code, i, 4) == "] = ") print NR, i + 2, "=", "= -"
        if (begun && substr(code, i, 8) == "return {") print NR, i + 7, "{", "{-"
        if (begun && code ~ /slope\(/ && substr(code, i, 7) == "return ") print NR, i, "return", "return -1 *"
      }
      if (begun && depth <= 0) inside = 0
    }' "$1"
}

sanitize=$(sed -n 's/^WEFT_SANITIZE:STRING=//p' "$built/CMakeCache.txt")
judge() {  # judge NAME: compiles the copy in $work and asks the suite; 2: it does not compile, else what the suite says
  sed "s:\"$root/ops/$1.h\":\"ops/$1.h\":" "$built/ops/$1.cpp" >"$work/unit.cpp"
  g++ -std=c++20 -O0 -ffp-contract=off -w ${sanitize:+-fsanitize=$sanitize} -I"$work" -I"$root" "$work/unit.cpp" \
    "$built/tests/CMakeFiles/op_verdict.dir/ops/suite/verdict.cpp.o" "$built/tests/libop_suite.a" "$built/libdsl.a" \
    "$built/ops/libops.a" "$built/libengine.a" -L/usr/lib/"$(g++ -print-multiarch)"/openblas-pthread -lopenblas -ltbb \
    -lyaml-cpp -lfmt -lpthread -o "$work/verdict" 2>"$work/errors" || return 2
  timeout 60 "$work/verdict" "$1" >"$work/said" 2>&1
}

survivors=0
for target in "$@"; do
  op=${target%%:*}
  file=$op.h
  case $target in *:*) file=${target#*:} ;; esac
  rm -rf "$work/ops"
  mkdir -p "$work/ops/shared"
  cp "$root/ops/$op.h" "$work/ops"
  judge "$op" || { cat "$work/errors" "$work/said"; echo "mutate: $op fails before it is changed"; exit 1; }
  count=0
  alive=0
  places "$root/ops/$file" >"$work/places"
  while read -r line column old new; do
    awk -v l="$line" -v c="$column" -v old="$old" -v new="$new" '
      NR == l { $0 = substr($0, 1, c - 1) new substr($0, c + length(old)) } 1' "$root/ops/$file" >"$work/ops/$file"
    said=0
    judge "$op" || said=$?
    if [ $said = 2 ]; then continue; fi
    count=$((count + 1))
    if [ $said = 0 ]; then
      alive=$((alive + 1))
      echo "survived: ops/$file:$line:$column, $old became $new: $(sed -n "${line}p" "$root/ops/$file" | sed 's/^ *//')"
    fi
  done <"$work/places"
  echo "$target: $((count - alive)) of $count mutants caught"
  survivors=$((survivors + alive))
done
[ $survivors = 0 ] || exit 3
