#!/bin/sh
# Holds each step of the derivations in this folder against the one before: sh examples/derivations/derivations.sh
set -eu
cd "$(dirname -- "$0")"
weft=${WEFT_PROGRAM:-../../weft}
step() {  # step FILE FROM TO [MAP]
  echo "$2 -> $3"
  "$weft" equal "$1" "$1" --def "$2" --def "$3" ${4:+--map "$4"} | sed 's/^/    /'
}
step retnet.yaml dense diagonal diagonal.map
step retnet.yaml diagonal absorbed absorb.map
step retnet.yaml absorbed one_decay one_decay.map
step retnet.yaml one_decay retention
step retnet.yaml retention parallel
step attention.yaml scores state
step attention.yaml all_scores all_state
