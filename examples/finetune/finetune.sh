#!/bin/sh
# Trains a softmax transformer, replaces its attention, tunes what is new and prints the validation losses:
#     sh examples/finetune/finetune.sh          Tiny Shakespeare, some minutes
#     sh examples/finetune/finetune.sh tiny     the sources of Weft and a tiny model, seconds: to see that it works
# Tiny Shakespeare is $WEFT_DATA/tinyshakespeare/input.txt.
set -eu
cd "$(dirname -- "$0")"
weft=${WEFT_PROGRAM:-../../weft}
text=${WEFT_DATA:-../../../shared/data}/tinyshakespeare/input.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ "${1:-}" = tiny ]; then
  steps=60
  settings='--set data.text.path=../../data/weft.txt --set data.text.val_fraction=0.01 -p D=16 -p layers=1'
else
  [ -f "$text" ] || { echo "$text: there is no such file; WEFT_DATA is the folder that holds tinyshakespeare/input.txt"; exit 1; }
  steps=500
  settings="--set data.text.path=$text"
fi

train() {  # train NAME STEPS OPTION...
  name=$1 count=$2
  shift 2
  # shellcheck disable=SC2086  # the settings are words
  "$weft" train "$name.yaml" --run-dir "$work/$name" $settings --set train.steps="$count" --set eval.every=0 "$@" \
    2>>"$work/log" || { cat "$work/log" >&2; exit 1; }
}
loss() { "$weft" eval "$1" --json 2>/dev/null | sed -n 's/^  "nats": \([0-9]*\.[0-9]\{4\}\).*/\1/p'; }
row() { printf '%-8s  %-18s  %s\n' "$@"; }

row model '' loss
train softmax $((2 * steps))
row softmax trained "$(loss "$work/softmax")"
for model in linear kernel; do
  train "$model" 1 --set train.from.path="$work/softmax"  # the checkpoint of step 0 is the swap and nothing else
  row "$model" 'after the swap' "$(loss "$work/$model/checkpoints/step_0000000/state.safetensors")"
  "$weft" resume "$work/$model" --set train.steps=$steps 2>>"$work/log" || { cat "$work/log" >&2; exit 1; }
  row "$model" 'attention tuned' "$(loss "$work/$model")"
done
