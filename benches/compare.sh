#!/bin/bash
# One whole lookup, by fixtrace and by others: processor time, memory, instructions.
#
#   benches/compare.sh              on the 6.12 vmlinux that testdata/fetch-kernels.sh got
#   N=51 VMLINUX=FILE ADDRESS=0x... FIXTRACE=PROGRAM benches/compare.sh
#
# Needs python3. Uses eu-addr2line, addr2line, blazecli, GNU time and valgrind where they are installed.
set -euo pipefail
cd "$(dirname "$0")/.."

kernels=${FIXTRACE_KERNELS:-${XDG_CACHE_HOME:-$HOME/.cache}/fixtrace-test/kernels}
vmlinux=${VMLINUX:-$kernels/6.12/debug/boot/vmlinux-6.12.107+deb13-cloud-amd64}
address=${ADDRESS:-0xffffffff81c5f015}
rounds=${N:-21}

if [ ! -e "$vmlinux" ]; then
  echo "$vmlinux is missing: run testdata/fetch-kernels.sh" >&2
  exit 1
fi
if [ -z "${FIXTRACE:-}" ]; then
  cargo build --quiet --release
  FIXTRACE=${CARGO_TARGET_DIR:-target}/release/fixtrace
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Name, then the command; the address is its last word. The first is the one that others are held against.
names=(fixtrace)
commands=("$FIXTRACE lookup --no-lines --vmlinux $vmlinux")
add() {
  if command -v "${2%% *}" >/dev/null; then
    names+=("$1")
    commands+=("$2")
  else
    echo "no ${2%% *}: left out" >&2
  fi
}
add fixtrace+lines "$FIXTRACE lookup --vmlinux $vmlinux"
add eu-addr2line "eu-addr2line -f -e $vmlinux"
add addr2line "addr2line -f -e $vmlinux"
add blazecli "blazecli symbolize elf --no-debug-syms --path $vmlinux"

grep -m1 'model name' /proc/cpuinfo
uptime
echo "$vmlinux $address, N=$rounds"

# Fills the page cache, and shows that everyone answers: a quick failure must not count as fast.
for i in "${!names[@]}"; do
  ${commands[i]} "$address" >"$work/answer"
  echo "${names[i]}: $(head -n1 "$work/answer")"
  [ -s "$work/answer" ]
done
echo

# Pairs in turn, A B A B, so that both meet the same disturbances. getrusage() counts microseconds,
# where time(1) shows ticks of 10 ms.
python3 - "$rounds" "$address" "${commands[@]}" <<'PYTHON' | sed "$(for i in "${!names[@]}"; do echo "s/@$i@/$(printf '%-15s' "${names[i]}")/g;"; done)"
import os, statistics, sys

rounds, address = int(sys.argv[1]), sys.argv[2]
commands = [c.split() + [address] for c in sys.argv[3:]]
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]

def cpu(command):
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"{command}: status {status}")
    return (usage.ru_utime + usage.ru_stime) * 1000

def show(who, times):
    low, _, high = statistics.quantiles(times, n=4)
    return f"@{who}@ {statistics.median(times):8.2f} ms (quarters {low:.2f} to {high:.2f}, least {min(times):.2f})"

print("CPU, user and system")
for who, command in list(enumerate(commands))[1:]:
    own, other = zip(*((cpu(commands[0]), cpu(command)) for _ in range(rounds)))
    ratio = statistics.median(b / a for a, b in zip(own, other))
    print(f"  {show(0, own)}\n  {show(who, other)}   {ratio:.2f} times fixtrace")
PYTHON

echo
echo "Memory, kB: largest RSS (mapped files included)"
if [ -x /usr/bin/time ]; then
  for i in "${!names[@]}"; do
    /usr/bin/time -o "$work/rss" -f %M ${commands[i]} "$address" >/dev/null
    printf '  %-15s %9d\n' "${names[i]}" "$(tail -n1 "$work/rss")"
  done
else
  echo "  no /usr/bin/time: left out" >&2
fi

# Private memory: the process is held open behind its first answer by an input that does not end. The largest
# amount is sampled on the way, so that what was freed before the answer counts.
echo "Memory, kB: private (anonymous), largest seen and after the answer"
python3 - "$address" "${commands[@]}" <<'PYTHON' | sed "$(for i in "${!names[@]}"; do echo "s/@$i@/$(printf '%-15s' "${names[i]}")/g;"; done)"
import re, subprocess, sys, time

address, commands = sys.argv[1], [c.split() for c in sys.argv[2:]]

def anonymous(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            return int(re.search(r"^Anonymous: *(\d+)", f.read(), re.M)[1])
    except (OSError, TypeError):
        return 0

for who, command in enumerate(commands):
    if "blazecli" in command[0]:
        continue  # takes no addresses from its input
    most = 0
    for _ in range(5):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        process.stdin.write(f"{address}\n".encode())
        process.stdin.flush()
        # Output may be buffered to the end, so the answer cannot be waited for: half a second without
        # a change, or use of the processor, is taken for it.
        last, since = None, time.monotonic()
        while time.monotonic() - since < 0.5:
            with open(f"/proc/{process.pid}/stat") as f:
                used = f.read().rpartition(")")[2].split()[11:13]
            now = anonymous(process.pid)
            most = max(most, now)
            if (used, now) != last:
                last, since = (used, now), time.monotonic()
        process.stdin.close()
        if process.wait() != 0:
            sys.exit(f"{command}: failed")
    print(f"  @{who}@ {most:9} {now:9}")
PYTHON

if command -v valgrind >/dev/null; then
  echo "Instructions, by callgrind"
  for i in "${!names[@]}"; do
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file="$work/log" ${commands[i]} "$address" >/dev/null
    printf '  %-15s %13d\n' "${names[i]}" "$(sed -n 's/.*Collected : //p' "$work/log")"
  done
else
  echo "no valgrind: instructions left out" >&2
fi
