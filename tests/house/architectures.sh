#!/bin/sh
# The layers of models/*.yaml agree with the formulas of their papers, written again in NumPy. Left out where NumPy is
# not installed; WEFT_PYTHON names another Python.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
python=${WEFT_PYTHON:-python3}
if ! "$python" -c 'import numpy' 2>/dev/null; then
  echo "skipped: $python has no package numpy (pip install numpy)"
  exit 77
fi
"$python" "$here/../goldens/architectures.py" "$WEFT_PROGRAM"
"$python" "$here/../goldens/linear_mixers.py" "$WEFT_PROGRAM"
"$python" "$here/../goldens/recurrent_layers.py" "$WEFT_PROGRAM"
