#!/usr/bin/env bash
# boot.sh KERNEL CASE...: boots a kernel under QEMU, without KVM, crashes it as the case says, and keeps what the kernel
# that was loaded for that (kexec_file_load) found of it in /proc/vmcore. CASE may be "all".
#  KERNEL: as for ../machines/boot.sh: 5.10, 6.1, 6.12, 7.2, or a Debian release
#  Output: $FIXTRACE_KDUMP/KERNEL-CASE/ with: vmcore  /proc/vmcore, whole, with holes    l31  the same by makedumpfile
#    dmesg.txt  the kernel's log, by vmcore-dmesg: the truth    modules  /proc/modules    crasher.ko  our module
#    console.txt    facts  release, case, CPUs, command line, where the text was, what QEMU was given
#  Environment: WAIT (600) seconds for a boot, QUIET (240) of them without a word or a page; TRIES (3); FORCE=1 makes it anew;
#    APPEND more words of the command line
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../machines/table.sh
. "$here/../machines/table.sh"
# shellcheck source=tools.sh
. "$here/tools.sh"
# shellcheck source=cases.sh
. "$here/cases.sh"
[ $# -ge 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
need qemu-system-x86_64 busybox cpio gzip xz readelf make gcc mke2fs debugfs fallocate
kernel "$1"
shift
if [ "$1" = all ]; then
  # shellcheck disable=SC2086  # a list of words
  set -- $CASES
fi
for c in "$@"; do [ -n "${CASE[$c]:-}" ] || die "unknown case '$c' (known: $CASES)"; done
tools
crasher
QEMU=
TMP=$(mktemp -d)
trap '[ -z "$QEMU" ] || kill "$QEMU" 2> /dev/null || :; rm -rf "$TMP"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# pack DIR: an archive of it for a kernel to unpack.
pack() { (cd "$1" && find . | cpio -o -H newc --quiet); }

# capture: the initramfs of the kernel that takes over, with the modules that a disk needs.
capture() {
  local r=$TMP/second m f
  mkdir -p "$r/modules"
  cp -r "$TOOLS/guest/." "$r"
  cp "$(command -v busybox)" "$r/bin/busybox"
  cp "$here/capture" "$r/init"
  chmod +x "$r/init"
  for m in virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk; do
    f=$(find "$DIR/lib" \( -name "$m.ko" -o -name "$m.ko.xz" \) -print -quit)
    [ -n "$f" ] || continue # built in
    case $f in *.xz) xz -dc "$f" ;; *) cat "$f" ;; esac > "$r/modules/$m.ko"
    echo "$m"
  done > "$r/modules/list"
  pack "$r" | gzip -1
}
mkdir -p "$TMP/first/bin"
capture > "$TMP/first/capture"
cp "$(command -v busybox)" "$TMP/first/bin/busybox"
cp "$here/init" "$TMP/first/init"
chmod +x "$TMP/first/init"
cp "$TOOLS/load" "$TMP/first"
cp "$VMLINUZ" "$TMP/first/vmlinuz"
strip -g -o "$TMP/first/crasher.ko" "$OUT/.build/$NAME/crasher.ko"
pack "$TMP/first" > "$TMP/initrd"

said() { grep -aq "$1" "$TMP/console"; }

# watch: until the guest is gone; sends the NMI that it asks for. Fails if it takes too long.
watch() {
  local start=$SECONDS nmi='' old='' since=$SECONDS size
  while kill -0 "$QEMU" 2> /dev/null; do
    sleep 1
    if [ -z "$nmi" ] && said KDUMP-NMI; then
      sleep 2
      echo nmi >&3
      nmi=1
    fi
    # Nobody says or writes anything any more: it hangs.
    size="$(stat -c %s "$TMP/console") $(stat -c %b "$TMP/disk")"
    if [ "$size" != "$old" ]; then old=$size since=$SECONDS; fi
    [ $((SECONDS - start)) -lt "${WAIT:-600}" ] && [ $((SECONDS - since)) -lt "${QUIET:-240}" ] || return 1
    if said 'KDUMP-ALIVE\|KDUMP-NO\|KDUMP-UNKNOWN'; then return 1; fi
  done
  # cp may have died of a fault of the second kernel.
  said KDUMP-COPIED && said KDUMP-DONE
}

# boot CASE: 0 if the second kernel wrote everything.
boot() {
  local cpu smp mem words rc=0
  IFS='|' read -r cpu smp mem words <<< "${CASE[$1]}"
  rm -f "$TMP"/{console,told,disk,monitor}
  : > "$TMP/console"
  truncate -s 2G "$TMP/disk"
  mke2fs -q -t ext4 -F -O ^has_journal -E lazy_itable_init=1,nodiscard "$TMP/disk"
  mkfifo "$TMP/monitor"
  ARGS="-M pc -accel tcg -cpu ${cpu// /} -smp ${smp// /} -m ${mem// /}"
  # shellcheck disable=SC2086  # words
  nice -n 15 qemu-system-x86_64 $ARGS -display none -no-reboot -nic none -serial "file:$TMP/console" -serial "file:$TMP/told" \
    -drive "file=$TMP/disk,format=raw,if=virtio,cache=unsafe" -monitor stdio -kernel "$VMLINUZ" -initrd "$TMP/initrd" \
    -append "console=ttyS0 ignore_loglevel crashkernel=$RESERVED init_on_free=1 tsc=reliable no_timer_check case=$1 $words ${APPEND:-}" \
    < "$TMP/monitor" > "$TMP/said" 2>&1 &
  QEMU=$!
  echo 10 > "/proc/$QEMU/autogroup" 2> /dev/null || :
  exec 3> "$TMP/monitor"
  watch || rc=1
  exec 3>&-
  kill "$QEMU" 2> /dev/null || :
  wait "$QEMU" 2> /dev/null || :
  QEMU=
  return $rc
}

# keep CASE: what the guest left, in $OUT.
keep() {
  local f new=$OUT/.new
  rm -rf "$new"
  mkdir -p "$new"
  for f in vmcore l31 dmesg.txt; do debugfs -R "dump /$f $new/$f" "$TMP/disk" > /dev/null 2>&1; done
  [ -s "$new/l31" ] || rm -f "$new/l31"
  fallocate -d "$new/vmcore"
  cp "$OUT/.build/$NAME/crasher.ko" "$new"
  tr -d '\r' < "$TMP/console" > "$new/console.txt"
  sed -n 's/^module //p' "$TMP/told" > "$new/modules"
  {
    echo "case $1"
    grep -av '^module ' "$TMP/told"
    echo "machine $ARGS"
  } > "$new/facts"
  rm -rf "${out:?}"
  mv -T "$new" "$out"
}

bad=0
for c in "$@"; do
  out=$OUT/$NAME-$c ok=''
  if [ -z "${FORCE:-}" ] && [ -d "$out" ]; then echo "$NAME $c: is there"; continue; fi
  start=$SECONDS
  for ((t = 1; t <= ${TRIES:-3}; t++)); do
    if boot "$c"; then ok=1; break; fi
    cp "$TMP/console" "$out.try$t"
    echo "$NAME $c: try $t ended after '$(tr -d '\r' < "$TMP/console" | tail -n 1)', see $out.try$t" >&2
  done
  if [ -z "$ok" ]; then
    bad=1
    continue
  fi
  keep "$c"
  rm -f "$out".try*
  echo "$NAME $c: $((SECONDS - start)) s, $(du -k "$out/vmcore" | cut -f 1) KB of $(stat -c %s "$out/vmcore"): $(grep -aom 1 'Kernel panic - .*' "$out/dmesg.txt" || grep -aom 1 'BUG: .*\|Oops: .*' "$out/dmesg.txt")"
done
exit $bad
