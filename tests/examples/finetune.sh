#!/bin/sh
# The swap of attention in examples/finetune works: every row has a loss, tuning lowers it, and guessing would be ln 96.
set -eu
folder=$(CDPATH='' cd -- "$(dirname -- "$0")/../../examples/finetune" && pwd)
said=$(sh "$folder/finetune.sh" tiny)
echo "$said"
echo "$said" | awk '
  { loss[$1 " " $2] = $NF }
  END {
    exit !(NR == 6 && loss["softmax trained"] > 0 && loss["softmax trained"] < 4.2 &&
           loss["linear attention"] > 0 && loss["linear attention"] < loss["linear after"] &&
           loss["kernel attention"] > 0 && loss["kernel attention"] < loss["kernel after"])
  }'
