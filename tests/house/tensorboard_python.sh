#!/bin/sh
# TensorBoard's own reader finds in our event files what the log of the run says. Left out where the package is not
# installed; WEFT_PYTHON names another Python.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
python=${WEFT_PYTHON:-python3}
if ! "$python" -c 'import tensorboard' 2>/dev/null; then
  echo "skipped: $python has no TensorBoard (pip install tensorboard)"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
exec "$python" "$here/tensorboard_python.py" "$WEFT_PROGRAM"
