#!/usr/bin/env bash
# boot.sh KERNEL MACHINE...: boots a kernel on machines of table.sh under QEMU, without KVM, and dumps the memory of
# each when its init is done. MACHINE may be "all".
#  KERNEL: 5.10, 6.1, 6.12, 7.2 of ../fetch-kernels.sh; a Debian release such as 6.1.0-56-amd64, which fetch.sh brings
#    if it is not there; or a directory in that layout
#  Output: $FIXTRACE_MACHINES/KERNEL-MACHINE.elf  memory    .log  console    .txt  facts: slide, mitigations, modules
#    .tryN  console of a try that failed
#  Environment: MEM (256M); TRIES (6), the emulator may end a guest early; WAIT (150) seconds of CPU time for init;
#    APPEND more words of the command line; NODUMP=1; TAG instead of KERNEL-MACHINE; OOPS=FUNCTION, one of those that
#    init tells: when init is done a debugger takes the first argument from it, so that the kernel oopses; needs gdb
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=table.sh
. "$here/table.sh"
[ $# -ge 2 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
need qemu-system-x86_64 busybox cpio gzip xz
kernel "$1"
shift
if [ "$1" = all ]; then
  # shellcheck disable=SC2086  # a list of words
  set -- $MACHINES
fi
for m in "$@"; do [ -n "${MACHINE[$m]:-}" ] || die "unknown machine '$m' (known: ${!MACHINE[*]})"; done
mkdir -p "$OUT"
QEMU=
TMP=$(mktemp -d) # short: a socket's name has 107 bytes at most
trap '[ -z "$QEMU" ] || kill "$QEMU" 2> /dev/null || :; rm -rf "$TMP"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# module NAME: puts it and what it depends on into the initramfs, dependencies first.
module() {
  local f d
  [ ! -e "$TMP/root/modules/$1.ko" ] || return 0
  f=$(find "$DIR/lib" \( -name "$1.ko" -o -name "$1.ko.xz" -o -name "${1//_/-}.ko" -o -name "${1//_/-}.ko.xz" \) -print -quit)
  [ -n "$f" ] || return 0
  case $f in *.xz) xz -dc "$f" ;; *) cat "$f" ;; esac > "$TMP/root/modules/$1.ko"
  for d in $(tr '\0' '\n' < "$TMP/root/modules/$1.ko" | sed -n 's/^depends=//p' | tr , ' '); do module "$d"; done
  echo "$1" >> "$TMP/root/modules/list"
}
mkdir -p "$TMP/root/bin" "$TMP/root/modules"
: > "$TMP/root/modules/list"
cp "$(command -v busybox)" "$TMP/root/bin/busybox"
cp "$here/init" "$TMP/root/init"
chmod +x "$TMP/root/init"
for m in $MODULES; do module "$m"; done
(cd "$TMP/root" && find . | cpio -o -H newc --quiet | gzip -1) > "$TMP/initrd"

said() { grep -aqE "$1" "$out.log"; }

# used: seconds that the emulator has had of a CPU. Waiting is measured by them: other work may leave it few.
used() { ps -o cputimes= -p "$QEMU" || echo 0; }

# ready: waits until init has said all, the emulator is gone, or an oops has been the last word for a while.
ready() {
  local size=0 old at=0 since=$SECONDS start=$SECONDS
  while sleep 1; do
    if said MACHINE-READY; then return 0; fi
    kill -0 "$QEMU" 2> /dev/null || return 1
    [ $(($(used))) -lt "${WAIT:-150}" ] && [ $((SECONDS - start)) -lt $((${WAIT:-150} * 10)) ] || return 1
    old=$size size=$(stat -c %s "$out.log")
    if [ "$size" != "$old" ] || ! said 'Oops|Kernel panic|invalid opcode'; then at=$(used) since=$SECONDS; fi
    [ $(($(used) - at)) -lt 8 ] && [ $((SECONDS - since)) -lt 60 ] || return 1
  done
}

# oops FUNCTION: the next call of it gets a null pointer; waits for the kernel's report.
oops() {
  local a i
  a=$(tr -d '\r' < "$out.log" | sed -n "s/^symbol \([0-9a-f]*\) . $1\$/\1/p" | head -n 1)
  [ -n "$a" ] || die "init does not tell where $1 is"
  timeout 300 gdb -nx -batch -ex 'set architecture i386:x86-64' -ex 'set remotetimeout 60' -ex "target remote $TMP/gdb" -ex "break *0x$a" \
    -ex continue -ex 'set $rdi=0' -ex delete -ex detach > "$TMP/gdb.log" 2>&1 || :
  for ((i = 0; i < 120; i++)); do
    sleep 1
    if said 'end trace'; then return 0; fi
  done
  return 1
}

# boot MACHINE: 0 if init said all and the memory is written.
boot() {
  local cpu smp words rc=0
  IFS='|' read -r cpu smp words _ <<< "${MACHINE[$1]}"
  rm -f "$out".{elf,log,txt} "$TMP/monitor" "$TMP/gdb"
  : > "$out.log"
  mkfifo "$TMP/monitor"
  qemu-system-x86_64 -M pc -accel tcg -cpu "${cpu// /}" -smp "${smp// /}" -m "${MEM:-256M}" -display none -no-reboot -nic none \
    -device vmcoreinfo -serial "file:$out.log" -gdb "unix:$TMP/gdb,server,nowait" -monitor stdio -kernel "$VMLINUZ" -initrd "$TMP/initrd" \
    -append "console=ttyS0 panic=-1 oops=nopanic loglevel=8 ignore_loglevel tsc=reliable no_timer_check nowatchdog rcupdate.rcu_cpu_stall_suppress=1 $words skip=$skip ${APPEND:-}" \
    < "$TMP/monitor" > "$TMP/said" 2>&1 &
  QEMU=$!
  exec 3> "$TMP/monitor"
  if ready && { [ -z "${OOPS:-}" ] || oops "$OOPS"; }; then
    {
      echo stop
      echo info registers -a
      [ -n "${NODUMP:-}" ] || echo "dump-guest-memory $out.elf"
      echo quit
    } >&3
    exec 3>&-
    wait "$QEMU" || rc=$?
    facts "$1" > "$out.txt"
    [ -n "${NODUMP:-}" ] || [ -s "$out.elf" ] || rc=1
  else
    rc=1
    exec 3>&-
    kill "$QEMU" 2> /dev/null || :
    wait "$QEMU" 2> /dev/null || :
  fi
  QEMU=
  return $rc
}

# facts MACHINE: what there is to know about a boot, from its console and registers.
facts() {
  local text
  tr -d '\r' < "$out.log" > "$TMP/log"
  text=$(sed -n 's/^symbol \([0-9a-f]*\) . _text$/\1/p' "$TMP/log" | head -n 1)
  echo "kernel $REL"
  echo "machine $1: ${MACHINE[$1]}"
  printf 'slide %#x\n' $((0x$text - 0xffffffff81000000))
  grep -aE 'Spectre|RETBleed:|ITS:|SRSO|Speculat|[Aa]lternative|call depth|CFI|IBT' "$TMP/log" | grep -av 'ommand line' || :
  sed -n '/^MACHINE-FACTS/,/^MACHINE-TOLD/p' "$TMP/log" | grep -av '^MACHINE' | grep -av '^\[ *[0-9]'
  tr -d '\r' < "$TMP/said" | sed -n '/^CPU#/p; s/^R[IS]P=.*/&/p; s/^RIP.*/&/p; s/^CR0=.*/&/p'
}

bad=0
for m in "$@"; do
  out=$OUT/${TAG:-$NAME-$m} skip='' ok=''
  rm -f "$out".try*
  for ((t = 1; t <= ${TRIES:-6}; t++)); do
    if boot "$m"; then ok=1; break; fi
    if said 'double fault'; then
      last='double fault' # the emulator's
    else
      last=$(tr -d '\r' < "$out.log" | awk '/^MACHINE/ { l = $0 } /Oops|BUG:/ { exit } END { print l }')
    fi
    echo "$NAME $m: try $t ended after '$last'" >&2
    # A module that this kernel cannot load is left out of the next try.
    case $last in 'MACHINE-INSMOD '*) skip=$skip${skip:+,}${last#* } ;; esac
    cp "$out.log" "$out.try$t"
  done
  if [ -z "$ok" ]; then
    echo "$NAME $m: FAILED, see $out.log"
    bad=1
    continue
  fi
  want=${MACHINE[$m]##*|} note=
  want=${want# }
  [ "$want" = - ] || grep -aqF "$want" "$out.txt" || note=" (without '$want')"
  echo "$NAME $m: $(sed -n 's/^slide/slide/p' "$out.txt")$note${skip:+ (without modules $skip)}"
done
exit $bad
