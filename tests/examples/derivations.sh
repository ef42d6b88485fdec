#!/bin/sh
# The derivations of examples/ are what their comments say: exact, or an assumption.
set -eu
folder=$(CDPATH='' cd -- "$(dirname -- "$0")/../../examples/derivations" && pwd)
said=$(sh "$folder/derivations.sh" | grep -v 'weights of')
wanted='dense -> diagonal
    every b is an a: b is a with a restriction (an assumption)
diagonal -> absorbed
    the same family of functions: exact both ways
absorbed -> one_decay
    every b is an a: b is a with a restriction (an assumption)
one_decay -> retention
    the same function of the same weights
retention -> parallel
    the same function of the same weights
scores -> state
    the same function of the same weights
all_scores -> all_state
    the same function of the same weights'
[ "$said" = "$wanted" ] || { echo "$said"; exit 1; }
