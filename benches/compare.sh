#!/bin/bash
# One whole lookup, by fixtrace and by others: processor time, memory, instructions.
#
#   benches/compare.sh              on the 6.12 vmlinux that testdata/fetch-kernels.sh got
#   N=51 VMLINUX=FILE ADDRESSES='0x... 0x...' FIXTRACE=PROGRAM benches/compare.sh
#
# Needs python3. Uses eu-addr2line, addr2line, blazecli, GNU time and valgrind where they are installed.
set -euo pipefail
cd "$(dirname "$0")/.."

kernels=${FIXTRACE_KERNELS:-${XDG_CACHE_HOME:-$HOME/.cache}/fixtrace-test/kernels}
vmlinux=${VMLINUX:-$kernels/6.12/debug/boot/vmlinux-6.12.107+deb13-cloud-amd64}
# Fixup code of __get_user_*(), and vfs_read().
addresses=${ADDRESSES:-0xffffffff81c5f015 0xffffffff81430990}
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

# The address becomes the last word. The first command is the one that others are held against.
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

# Pairs in turn, A B A B, so that both meet the same disturbances. getrusage() counts microseconds,
# where time(1) shows ticks of 10 ms.
cat >"$work/cpu.py" <<'PYTHON'
import os, statistics, sys

address, rounds = sys.argv[1], int(sys.argv[2])
names, commands = sys.argv[3::2], [c.split() + [address] for c in sys.argv[4::2]]
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]

def cpu(command):
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"{command}: status {status}")
    return (usage.ru_utime + usage.ru_stime) * 1000

def show(name, times):
    low, middle, high = statistics.quantiles(times, n=4)
    return f"  {name:15} {middle:8.2f}   (quartiles {low:.2f} and {high:.2f}, least {min(times):.2f})"

print("CPU time, ms, user and system; median")
for name, command in list(zip(names, commands))[1:]:
    own, other = zip(*((cpu(commands[0]), cpu(command)) for _ in range(rounds)))
    ratio = statistics.median(b / a for a, b in zip(own, other))
    print(f"{show(names[0], own)}\n{show(name, other)}   {ratio:.2f} times {names[0]}")
PYTHON

# The process is held open behind its first answer by an input that does not end. The largest amount is
# sampled on the way, so that what was freed before the answer counts.
cat >"$work/private.py" <<'PYTHON'
import re, subprocess, sys, time

address, names, commands = sys.argv[1], sys.argv[2::2], [c.split() for c in sys.argv[3::2]]

def anonymous(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            return int(re.search(r"^Anonymous: *(\d+)", f.read(), re.M)[1])
    except (OSError, TypeError):
        return 0

def hold(command):
    most, last, since = 0, None, time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    process.stdin.write(f"{address}\n".encode())
    process.stdin.flush()
    # Output may be buffered to the end, so the answer cannot be waited for. Half a second in which neither
    # memory nor processor time changes is taken for it.
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
    return most, now

print("Private (anonymous) memory, kB: largest seen, and behind the answer")
for name, command in zip(names, commands):
    if name != "blazecli":  # takes no addresses from its input
        most, now = map(max, zip(*(hold(command) for _ in range(3))))
        print(f"  {name:15} {most:8} {now:8}")
PYTHON

compare() {
  local address=$1 i pairs=()
  for i in "${!names[@]}"; do
    pairs+=("${names[i]}" "${commands[i]}")
  done
  echo
  echo "== $address"
  # Fills the page cache, and shows that everyone answers: a quick failure must not count as fast.
  for i in "${!names[@]}"; do
    ${commands[i]} "$address" >"$work/answer"
    [ -s "$work/answer" ]
    echo "  ${names[i]}: $(head -n1 "$work/answer")"
  done

  python3 "$work/cpu.py" "$address" "$rounds" "${pairs[@]}"

  if [ -x /usr/bin/time ]; then
    echo "Largest RSS, kB, mapped files included"
    for i in "${!names[@]}"; do
      /usr/bin/time -o "$work/rss" -f %M ${commands[i]} "$address" >/dev/null
      printf '  %-15s %8d\n' "${names[i]}" "$(tail -n1 "$work/rss")"
    done
  fi

  python3 "$work/private.py" "$address" "${pairs[@]}"

  if command -v valgrind >/dev/null; then
    echo "Instructions, by callgrind"
    for i in "${!names[@]}"; do
      valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file="$work/log" \
        ${commands[i]} "$address" >/dev/null
      printf '  %-15s %12d\n' "${names[i]}" "$(sed -n 's/.*Collected : //p' "$work/log")"
    done
  fi
}

grep -m1 'model name' /proc/cpuinfo
uptime
echo "$vmlinux, N=$rounds"
for address in $addresses; do
  compare "$address"
done
