#!/bin/bash
# A kernel's report with source lines and inlined calls, by fixtrace and by others; and how fast logs pass through.
#
#   benches/oops.sh report LOG VMLINUX DECODE_STACKTRACE [MODULE...]
#   benches/oops.sh throughput LOG VMLINUX [MODULE...]
#   N=51 SLOW=3 SIZE=1073741824 PEER=PROGRAM RG=PROGRAM FIXTRACE=PROGRAM benches/oops.sh ...
#
# report      CPU time of whole processes, in pairs, as benches/measure.py measures it: N of them (21), and SLOW (3)
#             with decode_stacktrace.sh. LOG has a report of some 30 frames of VMLINUX. fixtrace and
#             decode_stacktrace.sh read LOG; the others are only given the addresses of its frames in VMLINUX, found
#             by testdata/oops.py.
# throughput  MB/s of fixtrace, cat and rg (ripgrep, looking for `RIP: 0010:`), N runs (5) of each in turn, from a file
#             and from a pipe, to /dev/null and to a pipe; on logs of SIZE bytes made of LOG: of its ordinary lines
#             alone, and with its reports behind every 1,000 of them. They are in TMPDIR; SIZE must fit there and in
#             memory.
#
# DECODE_STACKTRACE is scripts/decode_stacktrace.sh of a Linux source tree. On Debian:
#
#   apt-get download linux-source-6.12
#   dpkg-deb --fsys-tarfile linux-source-6.12_*.deb | tar -xO ./usr/src/linux-source-6.12.tar.xz |
#     tar -xJ linux-source-6.12/scripts
#
# ripgrep is built by `cargo install ripgrep`, PEER by `cargo build --release --manifest-path benches/Cargo.toml`.
# Uses eu-addr2line and llvm-symbolizer where they are installed.
set -euo pipefail

usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

what=${1:-}
case $what in
  report) [ $# -ge 4 ] || usage ;;
  throughput) [ $# -ge 3 ] || usage ;;
  *) usage ;;
esac
log=$(realpath "$2") vmlinux=$(realpath "$3") decode=
shift 3
if [ "$what" = report ]; then
  decode=$(realpath "$1")
  shift
fi
options=(--vmlinux "$vmlinux") modules=()
for m; do
  modules+=("$(realpath "$m")")
  options+=(--module "$(realpath "$m")")
done
cd "$(dirname "$0")/.."
peer=${PEER:-benches/target/release/peer}

if [ -z "${FIXTRACE:-}" ]; then
  cargo build --quiet --release
  FIXTRACE=${CARGO_TARGET_DIR:-target}/release/fixtrace
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# No index that lies in the usual place by chance must answer.
export XDG_CACHE_HOME=$work/cache
own="$FIXTRACE symbolize -q ${options[*]}"

# Addresses of the frames in vmlinux, as the tools are to be asked: of the byte before a return address.
addresses() {
  PYTHONPATH=testdata python3 - "$log" "$vmlinux" "$work" <<'PYTHON'
import sys
import oops
log, image = oops.Log("", sys.argv[1]), oops.Image(*sys.argv[2:])
oops.locate(log, {"vmlinux": image})
print("\n".join(hex(f.lookups()[0]) for f in log.frames if f.at is not None))
PYTHON
}

# Adds a program for the addresses, if it is there.
pairs=()
add() {
  if command -v "${2%% *}" >/dev/null; then
    pairs+=("$1" "$2")
  else
    echo "no ${2%% *}: $1 left out" >&2
  fi
}

# Fills the page cache, and shows that everyone answers: a quick failure must not count as fast.
answers() {
  local i
  for ((i = 0; i < $#; i += 2)); do
    local name=${*:i+1:1} command=${*:i+2:1}
    eval "$command" <"$work/addresses" >"$work/answer" 2>"$work/errors"
    echo "  $name: $(wc -l <"$work/answer") lines, $(grep -cE '\w\.[chS]:[0-9]+' "$work/answer") of them with a place"
  done
}

report() {
  addresses >"$work/addresses"
  echo "$log: $(wc -l <"$log") lines, $(wc -l <"$work/addresses") frames of vmlinux"
  add blazesym "$peer blazesym $vmlinux"
  add eu-addr2line "eu-addr2line -f -i -e $vmlinux"
  add llvm-symbolizer "llvm-symbolizer --obj=$vmlinux --inlines"
  local modpath=
  if [ ${#modules[@]} -gt 0 ]; then modpath=$(dirname "${modules[0]}"); fi
  # It reads standard input, and its own tools complain a lot.
  local script="bash -c 'exec bash $decode $vmlinux \"\" $modpath <$log 2>/dev/null'"
  # 3: some frames are of modules that were not given.
  $own --no-index "$log" >"$work/plain" || [ $? -eq 3 ]
  $own --index "$log" >"$work/indexed" || [ $? -eq 3 ]
  cmp "$work/plain" "$work/indexed"
  answers "fixtrace" "$own --no-index $log" "fixtrace with index" "$own $log" "${pairs[@]}" decode_stacktrace "$script"
  echo "Without an index"
  python3 benches/measure.py time "${N:-21}" "$work/addresses" fixtrace "$own --no-index $log" "${pairs[@]}"
  python3 benches/measure.py time "${SLOW:-3}" "$work/addresses" fixtrace "$own --no-index $log" decode_stack "$script"
  echo "With an index"
  python3 benches/measure.py time "${N:-21}" "$work/addresses" indexed "$own $log" fixtrace "$own --no-index $log"
  # The index stands for the image, whose code is not at hand then.
  echo "With the index alone"
  $FIXTRACE index -q -o "$work/alone.fxi" "$vmlinux"
  local alone="$FIXTRACE symbolize -q --vmlinux $work/alone.fxi ${options[*]:2} $log"
  python3 benches/measure.py time "${N:-21}" "$work/addresses" alone "$alone" indexed "$own $log"
}

throughput() {
  # An index first, for what is measured is the passing through.
  $own --index "$log" >"$work/answer" || [ $? -eq 3 ]
  local commands=(fixtrace "$own" cat cat)
  if command -v "${RG:-rg}" >/dev/null; then
    commands+=(rg "${RG:-rg} --no-config 'RIP: 0010:'")
  else
    echo "no ${RG:-rg}: left out" >&2
  fi
  local every file=$work/big.log
  for every in 0 1000; do
    PYTHONPATH=testdata python3 benches/throughput.py make "$log" "${SIZE:-1073741824}" "$every" "$file"
    python3 benches/throughput.py measure "${N:-5}" "$file" "${commands[@]}"
    rm "$file"
  done
}

grep -m1 'model name' /proc/cpuinfo
uptime
"$what"
