#!/usr/bin/env bash
# build.sh KERNEL...: what the guests of boot.sh need: lab.ko, krel.ko, every patches/kp_*.c, ktrig, an initramfs.
#  KERNEL: 5.10, 6.1, 6.12, 7.2 of ../fetch-kernels.sh, or a Debian release such as 5.10.0-43-rt-amd64
#  Output: $FIXTRACE_LIVEPATCH/.build/KERNEL: lab/ and patches/ with the modules (unstripped), root/ with what the guest
#    has (stripped of debug information), initrd
#  Environment: CC (gcc-12) stands in for the compilers of the kernels
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools.sh
. "$here/tools.sh"
[ $# -ge 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
CC=${CC:-gcc-12}
need "$CC" make cpio gzip xz strip readelf busybox

# modules SOURCES DIR [WORD...]: builds them in DIR; words go to make.
modules() {
  local from=$1 dir=$2
  shift 2
  mkdir -p "$dir"
  cp "$from"/* "$dir"
  # Not all of the kernels' options are known to gcc 12. Modpost only warns of symbols that it does not find.
  make -C "$OUT/.headers/$REL/usr/src/linux-headers-$REL" M="$dir" CC="$CC" CONFIG_DEBUG_INFO_BTF_MODULES= \
    CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT= KBUILD_MODPOST_WARN=1 "$@" modules > "$dir.log" 2>&1 ||
    { grep -iE 'error|warn' "$dir.log" | head -n 20 >&2; die "$REL: $from cannot be built, see $dir.log"; }
}

one() {
  local b n at f root
  kernel "$1"
  headers
  b=$BUILD/$NAME root=$BUILD/$NAME/root
  rm -rf "$b"
  mkdir -p "$root/bin"
  # As many nops as let k_noret's last call end where the next function begins.
  for n in $(seq 0 15); do
    rm -f "$b/lab/places.o" "$b/lab/.places.o.cmd"
    modules "$here/lab" "$b/lab" "KN=$n"
    at=$(readelf -sW "$b/lab/lab.ko" | awk '$8 == "k_noret" { print $3 % 16 }')
    if [ "$at" = 0 ]; then break; fi
  done
  modules "$here/patches" "$b/patches"
  "$CC" -O1 -static -pthread -o "$b/ktrig" "$here/ktrig.c"
  strip -o "$root/bin/ktrig" "$b/ktrig"
  cp "$(command -v busybox)" "$root/bin/busybox"
  cp "$here/init" "$root/init"
  chmod +x "$root/init"
  for f in "$b"/lab/*.ko "$b"/patches/kp_*.ko; do strip -g -o "$root/${f##*/}" "$f"; done
  # With this the kernel tells QEMU where its vmcoreinfo is.
  f=$(find "$DIR/lib" -name 'qemu_fw_cfg.ko*' -print -quit)
  case $f in *.xz) xz -dc "$f" > "$root/fw.ko" ;; ?*) cp "$f" "$root/fw.ko" ;; esac
  (cd "$root" && find . | cpio -o -H newc --quiet | gzip -6) > "$b/initrd"
  echo "$NAME: built, k_noret with $n nops"
}

tools
for k in "$@"; do one "$k"; done
