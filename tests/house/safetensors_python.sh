#!/bin/sh
# The official Python package reads our files and we read its files. Left out where the package is not installed;
# WEFT_PYTHON names another Python.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
python=${WEFT_PYTHON:-python3}
if ! "$python" -c 'import numpy, safetensors.numpy' 2>/dev/null; then
  echo "skipped: $python has no package safetensors with numpy (pip install safetensors numpy)"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
exec "$python" "$here/safetensors_python.py" "$WEFT_PROGRAM"
