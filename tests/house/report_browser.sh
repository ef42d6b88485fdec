#!/bin/sh
# The page of a report in a real browser: nothing runs or loads in it, no label covers another, nothing is wider than the
# window, on paper everything is there. Left out where Chromium is not installed; WEFT_CHROMIUM names another one.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
browser=$(command -v "${WEFT_CHROMIUM:-chromium}" || true)
if [ -z "$browser" ]; then
  echo "skipped: there is no Chromium (apt-get install chromium)"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
exec python3 "$here/report_browser.py" "$WEFT_PROGRAM" "$browser"
