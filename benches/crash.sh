#!/bin/bash
# What fixtrace, drgn and crash show of a dump to somebody whose kernel has crashed, as a table for the README: the crashed
# task and its stack, the CPUs that ran, those that were stopped in fixups, the log; processor time and memory.
#
#   benches/crash.sh DUMP VMLINUX LOG [MODULE...] [-- DUMP VMLINUX LOG [MODULE...]]...
#
# DUMP is any that drgn and crash read, too; VMLINUX has debug information; LOG is what the kernel itself had said, by
# vmcore-dmesg or from a console.
# Environment: FIXTRACE  the program (built otherwise)    DRGN  a Python with drgn (in an environment of its own otherwise)
#   CRASH  programs of that name, a list of words (default: that which is installed, if one is)
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
words=()
for word; do
  case $word in
  --) words+=(--) ;;
  *) words+=("$(realpath "$word")") ;;
  esac
done
cd "$(dirname "$0")/.."
if [ -z "${FIXTRACE:-}" ]; then
  cargo build --quiet --release
  FIXTRACE=${CARGO_TARGET_DIR:-target}/release/fixtrace
fi
if [ -z "${DRGN:-}" ]; then
  for DRGN in python3 "${XDG_CACHE_HOME:-$HOME/.cache}/fixtrace-test/drgn/bin/python3"; do
    if "$DRGN" -c 'import drgn' 2>/dev/null; then break; fi
  done
  if ! "$DRGN" -c 'import drgn' 2>/dev/null; then
    python3 -m venv "${DRGN%/bin/*}"
    "${DRGN%/*}/pip" install --quiet drgn
  fi
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export FIXTRACE DRGN CRASH="${CRASH-$(command -v crash || true)}" XDG_CACHE_HOME=$work
python3 benches/peers/crash_users.py "$work" "${words[@]}"
