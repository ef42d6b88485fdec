#!/bin/sh
# tests/fuzz/run.sh [SECONDS]: any bytes as a description, as an expression, as a stored tokenizer, as a file of weights
# and as the folder of a run, guided by coverage, SECONDS each (60), under the address and undefined behaviour sanitizers.
# The corpora are the descriptions of the library and of the tests, a tokenizer of each kind, and the golden checkpoints.
# Needs clang with its fuzzer (Debian: clang-14 libclang-rt-14-dev). Exit codes: 0 nothing found, 77 no clang; what is found is
# kept in build/fuzz.
set -eu
cd "$(dirname -- "$0")/../.."
seconds=${1:-60}
clang=$(command -v clang++ || command -v clang++-14) || { echo 'fuzz: no clang++; install clang-14 libclang-rt-14-dev'; exit 77; }
mkdir -p build/fuzz
cd build/fuzz
flags="-std=c++20 -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -I../.. -w"
# What reads a description: everything in dsl/ up to the tree of a file.
readers='anneal codes def_reader diagnostic evaluate expression expression_lexer expression_text fields file guard item_reader
  options overrides params resolve_params scalar settings source structure suggest sweep unused values yaml yaml_reader'
{
  for reader in $readers; do echo "dsl/$reader"; done
  for reader in bpe file history progress safetensors safetensors_header tokenizer; do echo "train/$reader"; done
  for reader in dim pool tensor; do echo "engine/$reader"; done
} | xargs -P "$(nproc)" -I{} sh -c '"$@" "../../$0.cpp" -o "$(echo "$0" | tr / _).o"' {} "$clang" $flags -c
targets='description expression tokenizer weights run'
for target in $targets; do
  "$clang" $flags -fsanitize=fuzzer ../../tests/fuzz/${target}_fuzz.cpp ./*.o -lyaml-cpp -lfmt -o $target
  mkdir -p found_$target corpus_$target
done

# One expression a file, taken from the equations of the descriptions.
grep -hoE ': "?[a-zA-Z_(].*[-+*/@(].*' ../../models/*.yaml ../../tests/models/descriptions/*.yaml | sed 's/^: "*//; s/"*[ }]*$//' |
  awk '{ print > ("corpus_expression/" NR) }'
for tokenizer in '{"tokenizer":"byte","version":1,"crc32c":"3ee2247c"}' '{"characters":["a","\u00e9"],"tokenizer":"char"}' \
  '{"tokenizer":"bpe","merges":[[97,98],[256,99]],"labels":["no","yes"]}'; do
  printf %s "$tokenizer" >corpus_tokenizer/${#tokenizer}
done
printf '{"event":"step","step":1,"loss":2.5,"time":1}\n{"event":"validation","step":1,"loss":2.5}\n\0step 1\n  a text\n' \
  >corpus_run/log
run() {
  (cd found_$1 && "../$1" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=512 -max_len=8192 -print_final_stats=1 \
    ../corpus_$1 ${2:-} ${3:-} ${4:-} >../$1.log 2>&1)
}
failed=0
run description ../../../models ../../../tests/models/descriptions ../../../tests/models/mistakes & description=$!
run expression & expression=$!
run tokenizer & tokenizer=$!
run weights ../../../tests/goldens/checkpoints & weights=$!
run run & folder=$!
for running in $description $expression $tokenizer $weights $folder; do wait "$running" || failed=1; done
for target in $targets; do
  echo "fuzz: $target: $(sed -n 's/^stat::number_of_executed_units: *//p' $target.log) inputs in $seconds s"
done
[ $failed = 0 ] || { grep -h -A12 'ERROR\|SUMMARY' ./*.log | head -60; ls found_*; exit 1; }
