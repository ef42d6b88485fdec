#!/bin/sh
# The folders depend one way: engine <- ops <- dsl <- models <- verify <- train <- cli. Reads every #include and says which
# points to the right. The engine knows no op: its code does not name their namespace either.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)

wrong_includes() {  # wrong_includes ROOT: prints the offending lines
  (
    cd "$1"
    lines() { grep -rnE --include='*.h' --include='*.cpp' "$@" || :; }
    include='^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]'
    right='cli'
    for folder in train verify models dsl ops engine; do
      lines "$include($right)/" $folder
      right="$right|$folder"
    done
    lines "$include\.\.?/" engine ops dsl models verify train cli  # a path that climbs would hide its folder
    lines '\bops::' engine | grep -v ':[[:space:]]*//' || :
  )
}

# The check itself: a planted wrong include must be found, a right one not.
planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
for folder in engine ops dsl models verify train cli; do mkdir "$planted/$folder"; done
echo '#include "engine/tensor.h"' >"$planted/dsl/right.h"
[ -z "$(wrong_includes "$planted")" ] || { echo 'a right include is reported'; exit 1; }
for line in 'engine:#include "ops/swish.h"' 'ops:  # include "dsl/yaml.h"' 'train:#include <cli/verbs.h>' \
  'engine:int x = ops::swish(y);' 'models:#include "../train/run.h"'; do
  folder=${line%%:*}
  echo "${line#*:}" >"$planted/$folder/wrong.h"
  [ -n "$(wrong_includes "$planted")" ] || { echo "not found: $line"; exit 1; }
  rm "$planted/$folder/wrong.h"
done

wrong=$(wrong_includes "$root")
if [ -n "$wrong" ]; then
  echo 'these lines point to the right in engine <- ops <- dsl <- models <- verify <- train <- cli:'
  echo "$wrong"
  exit 1
fi
