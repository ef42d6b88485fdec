#!/bin/sh
# The commands of docs/doors.md, as they stand there, in a folder that has what they name: model.yaml, in.safetensors and
# the run runs/tiny.
set -eu
page=$(CDPATH='' cd -- "$(dirname -- "$0")/../../docs" && pwd)/doors.md
command -v python3 >/dev/null || { echo 'skipped: no python3'; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >model.yaml <<'YAML'
schema: 1
model: [{use: std/retnet, with: {D: 8, H: 2, layers: 1}}]
data: {text: {path: t.txt}}
train: {steps: 2, batch: 2, context: 8}
generate: {tokens: 0}
YAML
for i in 1 2 3 4 5 6 7 8 9 10; do echo 'the cat sat on a mat.'; done >t.txt
ln -s "$WEFT_PROGRAM" weft
./weft train model.yaml --run-dir runs/tiny >log 2>&1 || { cat log; exit 1; }
python3 -c "
import json, struct
data = struct.pack('<32q', *([1, 2, 3, 4, 5, 6, 7, 0] * 4))
head = {n: {'dtype': 'I64', 'shape': [2, 8], 'data_offsets': o} for n, o in (('tokens', [0, 128]), ('targets', [128, 256]))}
text = json.dumps(head).encode()
open('in.safetensors', 'wb').write(struct.pack('<Q', len(text)) + text + data)"
awk '$0 == "```sh" { on = 1; next } /^```/ { on = 0 } on' "$page" >commands
[ "$(grep -c '^./weft' commands)" -ge 4 ] || { echo 'doors: the page has no commands'; exit 1; }
sh -eu commands >log 2>&1 || { cat log; echo 'doors: a command of the page fails'; exit 1; }
grep -q 'grad.model' log && grep -q 'loss' log || { cat log; echo 'doors: apply gives no gradients'; exit 1; }

# What the Python part of the page calls, its two commands without the package.
sed -n 's/^# \(.\/weft .*\)/\1/p' "$page" | sed 's/--in in.safetensors/--in x.safetensors/' >commands
python3 -c "
import json, struct
data = struct.pack('<1280d', *[(i % 7) / 7 - 0.5 for i in range(1280)])
text = json.dumps({'x': {'dtype': 'F64', 'shape': [2, 10, 64], 'data_offsets': [0, len(data)]}}).encode()
open('x.safetensors', 'wb').write(struct.pack('<Q', len(text)) + text + data)"
sh -eu commands >log 2>&1 || { cat log; echo 'doors: a command of the Python part fails'; exit 1; }
grep -q 'final.S' log || { cat log; exit 1; }
