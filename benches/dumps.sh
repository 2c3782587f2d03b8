#!/bin/bash
# All stacks of a kernel's dump, with names, lines and inlined calls, by fixtrace, drgn and crash: processor time of the
# whole process, in pairs.
#
#   benches/dumps.sh DUMP VMLINUX [MODULE...]
#   N=21 FIXTRACE=PROGRAM benches/dumps.sh DUMP VMLINUX [MODULE...]
#
# DUMP is any that drgn and crash read, too; VMLINUX has debug information. Uses drgn (the Python module) and crash where
# they are installed; benches/measure.py says how it measures. drgn prints the same: name and source line of each frame,
# inlined ones as well. crash has no lines without `bt -l`, and is given its easier task.
set -euo pipefail
dump=$(realpath "$1") vmlinux=$(realpath "$2")
shift 2
modules=()
for m; do modules+=("$(realpath "$m")"); done
cd "$(dirname "$0")/.."
rounds=${N:-11}

if [ -z "${FIXTRACE:-}" ]; then
  cargo build --quiet --release
  FIXTRACE=${CARGO_TARGET_DIR:-target}/release/fixtrace
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

options=(--vmlinux "$vmlinux")
for m in "${modules[@]}"; do options+=(--module "$m"); done
own="$FIXTRACE unwind -q $dump ${options[*]}"

pairs=()
if python3 -c 'import drgn' 2>/dev/null; then
  pairs+=(drgn "python3 benches/peers/drgn_stacks.py $dump $vmlinux ${modules[*]}")
fi
if command -v crash >/dev/null; then
  for m in "${modules[@]}"; do echo "mod -s $(basename "$m" .ko) $m"; done >"$work/crash.in"
  printf 'foreach bt\nquit\n' >>"$work/crash.in"
  command="crash -s --no_scroll -i $work/crash.in $vmlinux $dump"
  # Version 8.0.2 opens no dump of 6.12.
  if $command >/dev/null 2>&1 </dev/null; then pairs+=(crash "$command"); else echo "crash cannot read it"; fi
fi

export XDG_CACHE_HOME=$work
# Fills the page cache, and shows that everyone answers.
answers() {
  echo "  fixtrace: $($own "$@" | grep -c '^ #') frames"
  local i
  for ((i = 0; i < ${#pairs[@]}; i += 2)); do
    echo "  ${pairs[i]}: $(${pairs[i + 1]} </dev/null 2>/dev/null | grep -cE '^ *#') frames"
  done
}
echo "Without an index"
answers --no-index
python3 benches/measure.py time "$rounds" /dev/null fixtrace "$own --no-index" "${pairs[@]}"
echo "With an index"
answers --index
python3 benches/measure.py time "$rounds" /dev/null fixtrace "$own" "${pairs[@]}"
