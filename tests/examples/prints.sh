#!/bin/sh
# prints.sh SOURCE PROGRAM: the program prints what the comment at the top of its source shows below "Prints:".
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed -n '/^\/\/ Prints:$/,/^[^/]/s|^//   ||p' "$1" >"$work/shown"
[ -s "$work/shown" ] || { echo "$1 does not show what it prints"; exit 1; }
[ "$(wc -l <"$1")" -le 80 ] || { echo "$1 is longer than 80 lines"; exit 1; }
"$2" >"$work/printed"
diff -u "$work/shown" "$work/printed"
