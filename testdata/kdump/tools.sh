# shellcheck shell=bash
# Sourced by boot.sh, after ../machines/table.sh: programs for the guests, and our module for a kernel. Packages come
# unpacked from whichever suite has them, through the lists of ../machines/fetch.sh; nothing is installed.
#  FIXTRACE_KDUMP  results, one directory each; what is built for them in .tools and .build
KDUMP_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUT=${FIXTRACE_KDUMP:-$CACHE/kdump}
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
TOOLS=$OUT/.tools

# apt_ PROGRAM ...: with the lists of ../machines/fetch.sh.
apt_() {
  local conf=$FIXTRACE_OTHER/.apt/conf program=$1
  shift
  [ -s "$conf" ] || "$MACHINES_DIR/fetch.sh" > /dev/null
  APT_CONFIG=$conf "$program" -q "$@"
}

# unpacked DIR PACKAGE...: their files below DIR; a package may be NAME=VERSION.
unpacked() {
  local dir=$1 debs f
  shift
  debs=$(mktemp -d "$OUT/.debs.XXXXXX")
  (cd "$debs" && apt_ apt-get download "$@" >&2) || die "not to be had: $*"
  for f in "$debs"/*.deb; do dpkg-deb -x "$f" "$dir"; done
  rm -rf "$debs"
}

# libraries PROGRAM...: the shared libraries of programs below $TOOLS/root, and the dynamic linker, each a path.
libraries() {
  local todo=("$@") seen=' ' f l
  find "$TOOLS/root" -name 'ld-linux-x86-64.so.2' -print -quit
  while [ ${#todo[@]} -gt 0 ]; do
    f=${todo[0]}
    todo=("${todo[@]:1}")
    for l in $(readelf -d "$f" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
      case $seen in *" $l "*) continue ;; esac
      seen="$seen$l "
      l=$(find -L "$TOOLS/root" -name "$l" -type f -print -quit)
      [ -n "$l" ] || die "no package has a library that $f needs"
      echo "$l"
      todo+=("$l")
    done
  done
}

# tools: makedumpfile and vmcore-dmesg with their libraries, newest there is, in $TOOLS/guest, as the guest has them; the
# libraries of $TOOLS/root also serve kbuild's programs, which may need a newer C library than this machine has.
tools() {
  local root=$TOOLS/root guest=$TOOLS/guest l
  [ ! -e "$TOOLS/.complete" ] || return 0
  rm -rf "$TOOLS"
  mkdir -p "$root" "$guest/bin" "$guest/lib" "$guest/lib64"
  unpacked "$root" makedumpfile kexec-tools libc6 libdw1t64 libelf1t64 liblzo2-2 libzstd1 zlib1g libbz2-1.0 liblzma5 libssl3t64 libxxhash0
  cp "$root/usr/bin/makedumpfile" "$root/usr/sbin/vmcore-dmesg" "$guest/bin"
  for l in $(libraries "$guest/bin/makedumpfile" "$guest/bin/vmcore-dmesg"); do cp -L "$l" "$guest/lib"; done
  mv "$guest/lib/ld-linux-x86-64.so.2" "$guest/lib64"
  gcc -O1 -static -s -o "$TOOLS/load" "$KDUMP_DIR/load.c"
  touch "$TOOLS/.complete"
}

# native PROGRAM: one of kbuild that does not run here gets a script in its place, which runs it with our C library.
native() {
  local ld real=$1.real
  [ -e "$1" ] && [ ! -e "$real" ] || return 0
  case $(LC_ALL=C "$1" 2>&1 < /dev/null) in *"version \`GLIBC"*) ;; *) return 0 ;; esac
  ld=$(find "$TOOLS/root" -name ld-linux-x86-64.so.2 -print -quit)
  mv "$1" "$real"
  printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n' "$ld" "${ld%/*}" "$real" > "$1"
  chmod +x "$1"
}

# headers: what modules of $REL are built with, in $OUT/.headers; the makefiles know no other place than /usr/src and
# /usr/lib, which is mended.
headers() {
  local h=$OUT/.headers/$REL p=linux-headers-$REL version common kbuild f
  [ ! -e "$h/.complete" ] || return 0
  rm -rf "$h"
  mkdir -p "$h"
  version=$(apt_ apt-cache show "$p" | sed -n 's/^Version: //p' | head -n 1)
  common=$(apt_ apt-cache show "$p=$version" | grep -o 'linux-headers-[^ ,]*-common[^ ,]*' | head -n 1)
  kbuild=$(apt_ apt-cache show "$p=$version" | grep -o 'linux-kbuild-[^ ,]*' | head -n 1)
  # An older or newer one serves a kernel whose own is no longer there.
  apt_ apt-cache policy "$kbuild" | grep -qF " $version " || { unpacked "$h" "$kbuild"; kbuild=; }
  unpacked "$h" "$p=$version" "$common=$version" ${kbuild:+"$kbuild=$version"}
  find "$h/usr/src" -maxdepth 2 -name Makefile -exec sed -i "s#\(^\|[ =]\)\(/usr/src/linux-\|/usr/lib/linux-\)#\1$h\2#g" {} +
  # Links to the kbuild package lead to the root.
  kbuild=$(find "$h/usr/lib" -maxdepth 1 -name 'linux-kbuild-*' -print -quit)
  for f in scripts tools; do
    find "$h/usr/src" -maxdepth 2 -name "$f" -type l | while read -r l; do ln -sfn "$kbuild/$f" "$l"; done
  done
  # The packages start some programs through others, which choose.
  find "$h/usr/lib" -type f -name '*.real-*' | while read -r f; do
    case $f in *real-x86 | *real-lsb-64) ln -sf "${f##*/}" "${f%.real-*}" ;; esac
  done
  find -L "$h/usr/lib" -type f -perm /111 \( -name objtool -o -name modpost -o -name genksyms -o -name fixdep \) | while read -r f; do
    f=$(realpath "$f")
    native "$f"
  done
  touch "$h/.complete"
}

# crasher: our module for the kernel, with debug information, in $OUT/.build/NAME.
crasher() {
  local b=$OUT/.build/$NAME h=$OUT/.headers/$REL
  if [ "$b/crasher.ko" -nt "$KDUMP_DIR/crasher.c" ]; then return; fi
  headers
  rm -rf "$b"
  mkdir -p "$b"
  cp "$KDUMP_DIR/crasher.c" "$b"
  echo 'obj-m := crasher.o' > "$b/Kbuild"
  # gcc 12 stands in for the kernels' own, and has not all of their options.
  make -C "$h/usr/src/linux-headers-$REL" M="$b" CC="${CC:-gcc-12}" CONFIG_DEBUG_INFO_BTF_MODULES= \
    CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT= modules > "$b/log" 2>&1 || { tail -n 20 "$b/log" >&2; die "$REL: the module cannot be built"; }
}
