#!/bin/sh
# Weights of PyTorch models in and out: the same logits, and the same bits back. Left out where PyTorch is not installed;
# WEFT_PYTHON names another Python.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
python=${WEFT_PYTHON:-python3}
if ! "$python" -c 'import torch, safetensors.torch' 2>/dev/null; then
  echo "skipped: $python has no PyTorch with safetensors (pip install torch safetensors numpy)"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
exec "$python" "$here/interop.py" "$WEFT_PROGRAM"
