#!/usr/bin/env bash
# fetch.sh RELEASE...: any Debian kernel for boot.sh, by the name that uname -r has in it (6.1.0-56-amd64), from
# whichever suite has it. Installs nothing; apt is given lists of its own, so the suites need not be configured.
#  Output: $FIXTRACE_OTHER/RELEASE/ in the layout of ../fetch-kernels.sh: boot/vmlinuz-REL, lib/modules/REL/kernel,
#  debug/boot/vmlinux-REL, debug/boot/System.map-REL, debug/lib/modules/REL: vdso, and modules that guests load
#  Environment: MIRROR and SECURITY_MIRROR (default: those that apt is configured with), SUITES, KEEP=1 keeps the .deb
#  Without RELEASE: lists the releases that can be had. Needs 1.5 GB per kernel, and 2 GB more while it works.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=table.sh
. "$here/table.sh"
case ${1:-} in -*) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;; esac
need apt-get apt-cache dpkg-deb tar
mkdir -p "$FIXTRACE_OTHER"
OTHER=$(cd "$FIXTRACE_OTHER" && pwd)
TMP=$(mktemp -d "$OTHER/.tmp.XXXXXX")
trap 'rm -rf "$TMP"' EXIT
SUITES=${SUITES:-bullseye bookworm trixie forky sid experimental bookworm-backports trixie-backports bullseye-security bookworm-security trixie-security}

# site PATTERN: of the mirrors that apt is configured with, the first whose end matches.
# shellcheck disable=SC2016  # $(SITE) is for apt-get
site() { apt-get indextargets --format '$(SITE)' | awk -v p="$1" '{ sub("/*$", "") } $0 ~ p && !n++'; }

# apt's own state below $A: lists of the suites, nothing of this system.
A=$OTHER/.apt
mkdir -p "$A/lists/partial" "$A/archives/partial"
: > "$A/status"
cat > "$A/conf" <<CONF
Dir::Etc::SourceList "$A/sources";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$A/lists";
Dir::State::Status "$A/status";
Dir::Cache "$A";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
APT::Sandbox::User "root";
CONF
export APT_CONFIG=$A/conf
lists() {
  local main security s u
  main=${MIRROR:-$(APT_CONFIG='' site '/debian$')}
  security=${SECURITY_MIRROR:-$(APT_CONFIG='' site 'security$')}
  [ -n "$main" ] || die "no mirror: apt has none configured; set MIRROR"
  for s in $SUITES; do
    u=$main
    case $s in *-security) u=${security:-$main-security} ;; esac
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $u $s main"
  done > "$A/sources"
  # Suites that have left the mirror are no reason to stop: others may have the kernel.
  apt-get -q update >&2 || echo "fetch.sh: not all suites could be read" >&2
  touch "$A/read"
}
[ -n "$(find "$A/read" -mmin -1440 2> /dev/null)" ] || lists

if [ $# = 0 ]; then
  apt-cache pkgnames linux-image- | sed -n 's/^linux-image-\(.*[0-9].*-amd64\)-dbg$/\1/p' | grep -v '^[0-9.]*-\(cloud-\|rt-\)*amd64$' | sort -V
  exit
fi

has() { apt-cache show --no-all-versions "$1" > /dev/null 2>&1; }

# unpack DEB PATTERN...: those members of a package that are there.
unpack() {
  local deb=$1
  shift
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$TMP/raw" --no-same-owner --no-same-permissions --wildcards "$@" 2> "$TMP/tar" ||
    grep -v 'Not found in archive\|Exiting with failure' "$TMP/tar" >&2 || :
}

# first FILE...: the first that is a regular file.
first() { local f; for f in "$@"; do if [ -f "$f" ] && [ ! -L "$f" ]; then echo "$f"; return; fi; done; die "$REL: none of these was unpacked: $*"; }

one() {
  local pkgs out=$TMP/out raw=$TMP/raw d p f m
  REL=$1
  if [ -f "$OTHER/$REL/.complete" ]; then echo "$REL: complete"; return; fi
  pkgs="linux-image-$REL-dbg"
  # Since 7.0 linux-image-REL only depends on the parts.
  if has "linux-binary-$REL"; then pkgs="linux-binary-$REL linux-modules-$REL $pkgs"; else pkgs="linux-image-$REL $pkgs"; fi
  for p in $pkgs; do has "$p" || die "$REL: no suite has $p; run without arguments for what there is"; done
  rm -rf "$out" "$raw"
  mkdir -p "$out/boot" "$out/lib/modules/$REL" "$out/debug/boot" "$out/debug/lib/modules/$REL" "$raw" "$OTHER/.debs"
  echo "$REL: downloading $pkgs" >&2
  # shellcheck disable=SC2086  # a list of words
  (cd "$OTHER/.debs" && apt-get -q download $pkgs >&2) || die "$REL: download failed; an index may be newer than the pool: try the release after it"
  for p in $pkgs; do
    d=$(find "$OTHER/.debs" -name "${p}_*.deb" -print -quit)
    echo "$REL: unpacking ${d##*/}" >&2
    case $p in
    *-dbg)
      set --
      for m in $(find "$out/lib" -name '*.ko*' | sed 's#.*/kernel/##; s/\.ko.*//' | grep -E "/($DEBUG_MODULES)$"); do
        set -- "$@" "./usr/lib/debug/lib/modules/$REL/kernel/$m.ko"
      done
      unpack "$d" "./usr/lib/debug/boot/vmlinux-$REL" "./usr/lib/debug/lib/modules/$REL/vmlinux" "./usr/lib/debug/*System.map*" \
        "./usr/lib/debug/lib/modules/$REL/vdso/vdso*.so" "$@" ;;
    *)
      unpack "$d" "./boot/vmlinuz-$REL" "./*lib/modules/$REL/vmlinuz" "./*lib/modules/$REL/kernel"
      # where the modules are decides what is taken of the debug package, which comes last
      for f in "$raw/lib/modules/$REL/kernel" "$raw/usr/lib/modules/$REL/kernel"; do
        if [ -d "$f" ]; then mv "$f" "$out/lib/modules/$REL/kernel"; fi
      done ;;
    esac
    [ -n "${KEEP:-}" ] || rm -f "$d"
  done
  f=$(first "$raw/boot/vmlinuz-$REL" "$raw/usr/lib/modules/$REL/vmlinuz" "$raw/lib/modules/$REL/vmlinuz")
  mv "$f" "$out/boot/vmlinuz-$REL"
  raw=$raw/usr/lib/debug
  f=$(first "$raw/boot/vmlinux-$REL" "$raw/lib/modules/$REL/vmlinux")
  mv "$f" "$out/debug/boot/vmlinux-$REL"
  f=$(first "$raw/boot/System.map-$REL" "$raw/lib/modules/$REL/System.map")
  mv "$f" "$out/debug/boot/System.map-$REL"
  for d in vdso kernel; do
    if [ -d "$raw/lib/modules/$REL/$d" ]; then mv "$raw/lib/modules/$REL/$d" "$out/debug/lib/modules/$REL/$d"; fi
  done
  echo "$pkgs" > "$out/.complete"
  chmod -R a+rX,u+w "$out"
  rm -rf "${OTHER:?}/$REL"
  mv -T "$out" "$OTHER/$REL"
  echo "$REL: complete"
}
for r in "$@"; do one "$r"; done
