#!/usr/bin/env bash
# boot.sh KERNEL [NAME [WORD...]]: boots a kernel under QEMU (no KVM) into ./init, which loads one live patch after the
# other, and dumps memory whenever init says so. Builds what is missing.
#  WORD: more of the kernel's command line; scen=tail, scen=bpf, scen=rt are other scenarios than main
#  Output: $FIXTRACE_LIVEPATCH/KERNEL-NAME (NAME: main): TAG.elf memory, TAG.regs registers, console.txt, and ko/ with the
#    modules, unstripped
#  Environment: KASLR=1; SMP (2), MEM (192M), CPU; DUMPS (.), an expression for the tags that are dumped
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools.sh
. "$here/tools.sh"
[ $# -ge 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
need qemu-system-x86_64 python3
kernel "$1"
name=${2:-main}
shift $(($# > 1 ? 2 : 1))
[ -s "$BUILD/$NAME/initrd" ] || "$here/build.sh" "$NAME"
out=$RESULTS/$NAME-$name
rm -rf "$out"
mkdir -p "$out/ko"
cp "$BUILD/$NAME/lab/lab.ko" "$BUILD/$NAME/patches"/kp_*.ko "$out/ko"
TMP=$(mktemp -d) # short: a socket's name has 107 bytes at most
QEMU=
trap '[ -z "$QEMU" ] || kill "$QEMU" 2> /dev/null || :; rm -rf "$TMP"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
: > "$out/console.txt"
slide=nokaslr
[ -z "${KASLR:-}" ] || slide=
# Without rdrand and trust a task can wait for the random generator. QEMU 7.2 sets wild flags after cmpxchg16b: as there
# are no mitigations, it can be hidden. Memory that nobody uses is zero and packs well.
timeout 1800 qemu-system-x86_64 -M pc -accel tcg -cpu "${CPU:-max,la57=off,-rdrand,-rdseed,-cx16}" -m "${MEM:-192M}" -smp "${SMP:-2}" \
  -display none -no-reboot -nic none -device vmcoreinfo -serial "file:$out/console.txt" -qmp "unix:$TMP/qmp,server,nowait" -monitor none \
  -kernel "$VMLINUZ" -initrd "$BUILD/$NAME/initrd" \
  -append "console=ttyS0 panic=-1 oops=nopanic init_on_free=1 loglevel=8 ignore_loglevel tsc=reliable no_timer_check mitigations=off nowatchdog printk.devkmsg=on rcupdate.rcu_cpu_stall_suppress=1 random.trust_cpu=off random.trust_bootloader=off $slide $*" &
QEMU=$!
"$here/dumps.py" "$TMP/qmp" "$out" "${DUMPS:-.}" "$QEMU" &
wait $! # in the foreground it would hold signals up
wait "$QEMU" || :
QEMU=
grep -aq KLP-END "$out/console.txt" || die "$NAME $name: ended early, see $out/console.txt"
echo "$NAME $name: complete"
