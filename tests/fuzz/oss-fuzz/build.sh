#!/bin/bash -eu
# Builds the targets as OSS-Fuzz wants them: its toolchain is a nightly, its flags are those of cargo-fuzz, and what runs
# goes to $OUT with dictionaries and with corpora packed as TARGET_seed_corpus.zip.
cd "$SRC/fixtrace/tests/fuzz"
# shellcheck source=../build
source ./build

flags="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Zsanitizer=${SANITIZER:-address}"
if [ "${SANITIZER:-address}" = coverage ]; then
  flags="--cfg fuzzing -Cinstrument-coverage -Cdebug-assertions"
fi
export CARGO_TARGET_DIR=$SRC/target
RUSTFLAGS="${RUSTFLAGS:-} $flags" cargo build --locked --release --target "$host"
built=$CARGO_TARGET_DIR/$host/release

"$built/seeds" "$SRC/seeds"
for target in $(targets); do
  cp "$built/$target" "$OUT/"
  [ ! -f "$target.dict" ] || cp "$target.dict" "$OUT/"
  mkdir -p "$SRC/seeds/$target"
  [ ! -d "../../testdata/fuzz/$target" ] || cp "../../testdata/fuzz/$target"/* "$SRC/seeds/$target/"
  zip -qj "$OUT/${target}_seed_corpus.zip" "$SRC/seeds/$target"/*
  printf '[libfuzzer]\nmax_len = 65536\ntimeout = 10\nrss_limit_mb = 1024\n' >"$OUT/$target.options"
done
