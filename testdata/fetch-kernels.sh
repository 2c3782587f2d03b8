#!/usr/bin/env bash
# Fetches the four Debian kernels the tests run against and unpacks only what is used.
# Nothing is installed. See -h for usage. Needs bash, dpkg-deb, GNU tar, sha256sum and
# curl or wget; 2.3 GB in the target directory (1 GB more while it works).
set -euo pipefail

VERSIONS="5.10 6.1 6.12 7.2"

usage() {
  cat <<'USAGE'
usage: testdata/fetch-kernels.sh [-h] [VERSION...]

VERSION is any of 5.10 6.1 6.12 7.2 (default: all four).

Environment:
  FIXTRACE_KERNELS  target directory K
                    (default ${XDG_CACHE_HOME:-$HOME/.cache}/fixtrace-test/kernels)
  FIXTRACE_DEBS     directory of already downloaded .deb files; those missing there
                    are downloaded
  MIRROR            Debian mirror (the URL above pool/; default: the one apt uses).
                    The pool drops old versions: when one has left it, set MIRROR to
                    a dated archive of a day on which the pool still had it.

Result, one directory per kernel release REL:
  K/VERSION/boot/vmlinuz-REL                      bootable image
  K/VERSION/lib/modules/REL/kernel/...            modules as packaged (.ko or .ko.xz)
  K/VERSION/debug/boot/vmlinux-REL                vmlinux with debug information
  K/VERSION/debug/boot/System.map-REL
  K/VERSION/debug/lib/modules/REL/vdso/vdso*.so
  K/VERSION/debug/lib/modules/REL/kernel/...      debug .ko of a few modules
  K/VERSION/.complete                             hashes; a complete kernel is kept as is
USAGE
}

die() { echo "fetch-kernels: $*" >&2; exit 1; }

# The pinned packages of one version: sets REL, VER (package version) and DEBS, lines of
#   ROLE SHA256 POOL-DIRECTORY PACKAGE
# ROLE says what is taken from it: image (vmlinuz), modules, both, debug.
pins() {
  local signed=l/linux-signed-amd64 plain=l/linux
  case $1 in
  5.10)
    REL=5.10.0-32-cloud-amd64 VER=5.10.223-1
    DEBS="both fb4a1229952d892138532c1d9f40a7fd0bd408e4dcf969c12e4524b6a89fdcb8 $signed linux-image-$REL
debug 75b674fddb6f461cf45c88b9ded53b517f8b770a6e2006a5ea31a388e003d3db $plain linux-image-$REL-dbg" ;;
  6.1)
    REL=6.1.0-50-cloud-amd64 VER=6.1.176-1
    DEBS="both efe19f605b6f54a8352e68d85a629abb2d30b72a085faef603a9152590baa791 $signed linux-image-$REL
debug 4657321b206b13f95d21d23c4644636f14b2acfaeed9375a4b5e200fe1a9c0d9 $plain linux-image-$REL-dbg" ;;
  6.12)
    REL=6.12.107+deb13-cloud-amd64 VER=6.12.107-1
    DEBS="both 04434ff520f860423eafe4203d986a35682ce73c2f71baa39e988ca0da93ac91 $signed linux-image-$REL
debug 7b420b46212efd6374d2b4c0ea4d935e3db07772a04ece8d7a53871c8bd8876e $plain linux-image-$REL-dbg" ;;
  7.2)
    REL=7.2.13+deb14-cloud-amd64 VER=7.2.13-1
    DEBS="image 03e41f1c34c16583462f029e81944a85ebcdb78098c258dedfa1cfdd680a27f8 $signed linux-binary-$REL
modules 97d79546041e3fdfb44dccff180938894d1bf8eb298f091f88539c1b37080bef $plain linux-modules-$REL
debug ea758e3e52a42cf3b05913edd3075186c6bc943a1162c949fc7e6a437d457ad8 $plain linux-image-$REL-dbg" ;;
  *) die "unknown version '$1' (known: $VERSIONS)" ;;
  esac
}

# Modules whose debug .ko is kept; all of them exist in all four kernels.
DEBUG_MODULES="arch/x86/kvm/kvm arch/x86/kvm/kvm-intel arch/x86/kvm/kvm-amd fs/fat/fat fs/fat/vfat fs/nls/nls_utf8"

sha() { sha256sum "$1" | cut -d' ' -f1; }

# The mirror without a trailing slash; asked for only when something must be downloaded.
mirror() {
  local m=${MIRROR:-}
  if [ -z "$m" ] && command -v apt-get > /dev/null; then
    # awk reads to the end: a filter that stops early would fail the pipe (pipefail).
    # shellcheck disable=SC2016  # $(SITE) is for apt-get
    m=$(apt-get indextargets --format '$(SITE)' | awk '/\/debian\/*$/ && !n++') || m=
  fi
  [ -n "$m" ] || die "no mirror: apt has none configured; set MIRROR"
  while [ "${m%/}" != "$m" ]; do m=${m%/}; done
  echo "$m"
}

# fetch URL FILE: 0 done, 4 not there (404), 1 anything else.
fetch() {
  local code
  if command -v curl > /dev/null; then
    code=$(curl -sSL --retry 3 -o "$2" -w '%{http_code}' "$1") || return 1
    case $code in 200) return 0 ;; 404 | 410) return 4 ;; *) echo "HTTP status $code: $1" >&2; return 1 ;; esac
  elif command -v wget > /dev/null; then
    if code=$(LC_ALL=C wget -nv -O "$2" "$1" 2>&1); then return 0; fi
    case $code in *"ERROR 404"* | *"ERROR 410"*) return 4 ;; esac
    echo "$code" >&2
    return 1
  fi
  die "neither curl nor wget found"
}

# gone MIRROR DIR PACKAGE: explains a missing package and names newer ones if the pool can be listed.
gone() {
  local base=$1 dir=$2 pkg=$3 list=$TMP/listing prefix suffix series found=
  # linux-image-6.1.0-50-cloud-amd64-dbg: prefix "linux-image-", series "6.1.", suffix "-cloud-amd64-dbg"
  prefix=$(echo "$pkg" | sed 's/[0-9].*//')
  suffix=-cloud-${pkg##*-cloud-}
  series=$(echo "${pkg#"$prefix"}" | cut -d. -f1,2).
  echo "fetch-kernels: $pkg version $VER is no longer in the pool:" >&2
  echo "  $base/pool/main/$dir/${pkg}_${VER}_amd64.deb" >&2
  if fetch "$base/pool/main/$dir/" "$list" 2> /dev/null; then
    found=$(sed 's/%2[Bb]/+/g; s/%7[Ee]/~/g' "$list" | tr '"<> ' '\n\n\n\n' | sed 's#.*/##' |
      awk -v p="$prefix$series" -v s="${suffix}_" 'index($0, p) == 1 && index($0, s) && /_amd64\.deb$/' | sort -uV)
  fi
  if [ -n "$found" ]; then
    echo "  the pool offers of this series:" >&2
    echo "$found" | sed 's/^/    /' >&2
  else
    echo "  the pool could not be listed, or has none of the $series series; look in" >&2
    echo "  $base/pool/main/$dir/ for $prefix$series*${suffix}_*_amd64.deb" >&2
  fi
  echo "  either set MIRROR to a dated archive that still has $VER, or move the pins in this" >&2
  echo "  script to the newer version and write testdata/truth again." >&2
}

# deb SHA DIR PACKAGE: sets DEB to a checked file, from FIXTRACE_DEBS or downloaded into $TMP/debs.
deb() {
  local want=$1 dir=$2 pkg=$3 base rc=0 got file=${3}_${VER}_amd64.deb
  if [ -n "${FIXTRACE_DEBS:-}" ] && [ -s "$FIXTRACE_DEBS/$file" ]; then
    DEB=$FIXTRACE_DEBS/$file
  else
    base=$(mirror)
    DEB=$TMP/debs/$file
    mkdir -p "$TMP/debs"
    echo "$v: downloading $file" >&2
    fetch "$base/pool/main/$dir/$file" "$DEB" || rc=$?
    if [ "$rc" = 4 ]; then
      gone "$base" "$dir" "$pkg"
      exit 3
    fi
    [ "$rc" = 0 ] || die "download failed: $base/pool/main/$dir/$file"
  fi
  got=$(sha "$DEB")
  [ "$got" = "$want" ] || die "$file: sha256 is $got, expected $want"
}

# unpack PATTERN...: the members of $DEB matching the patterns, below $TMP/raw. A pattern that
# matches nothing is an error.
unpack() {
  mkdir -p "$TMP/raw"
  dpkg-deb --fsys-tarfile "$DEB" |
    tar -x -C "$TMP/raw" --no-same-owner --no-same-permissions --wildcards "$@"
}

# real FILE...: the first that is a regular file (the dbg packages link one place to the other).
real() {
  local f
  for f in "$@"; do
    if [ -f "$f" ] && [ ! -L "$f" ]; then
      echo "$f"
      return
    fi
  done
  die "$v: none of these was unpacked as a file: $*"
}

# The files whose hash and size .complete holds.
main_files() { echo "boot/vmlinuz-$REL debug/boot/vmlinux-$REL debug/boot/System.map-$REL"; }

deb_lines() {
  local role want dir pkg
  echo "$DEBS" | while read -r role want dir pkg; do echo "deb $want ${pkg}_${VER}_amd64.deb"; done
}

# True if $K/$v is there, comes from the pinned packages and its main files have the noted sizes.
complete() {
  local d=$1 kind hash size path n=0
  [ -f "$d/.complete" ] || return 1
  [ "$(grep '^deb ' "$d/.complete")" = "$(deb_lines)" ] || return 1
  while read -r kind hash size path; do
    [ "$kind" = file ] || continue
    [ "${#hash}" = 64 ] && [ -f "$d/$path" ] && [ "$(stat -c %s "$d/$path")" = "$size" ] || return 1
    n=$((n + 1))
  done < "$d/.complete"
  [ "$n" = 3 ]
}

make_one() {
  local role want dir pkg out raw m f
  TMP=$(mktemp -d "$K/.tmp.$v.XXXXXX")
  out=$TMP/out raw=$TMP/raw
  mkdir -p "$out/boot" "$out/lib/modules/$REL" "$out/debug/boot" "$out/debug/lib/modules/$REL"
  while read -r role want dir pkg; do
    deb "$want" "$dir" "$pkg"
    echo "$v: unpacking ${DEB##*/}" >&2
    case $role in
    both) unpack "./boot/vmlinuz-$REL" "./*lib/modules/$REL/kernel" ;;
    image) unpack "./*lib/modules/$REL/vmlinuz" ;;
    modules) unpack "./*lib/modules/$REL/kernel" ;;
    debug)
      set --
      for m in $DEBUG_MODULES; do set -- "$@" "./usr/lib/debug/lib/modules/$REL/kernel/$m.ko"; done
      unpack "./usr/lib/debug/boot/vmlinux-$REL" "./usr/lib/debug/lib/modules/$REL/vmlinux" \
        "./usr/lib/debug/*System.map*" "./usr/lib/debug/lib/modules/$REL/vdso/vdso*.so" "$@"
      ;;
    esac
    rm -rf "$TMP/debs"
  done <<< "$DEBS"

  # Merge the places the packages use into one layout.
  f=$(real "$raw/boot/vmlinuz-$REL" "$raw/usr/lib/modules/$REL/vmlinuz")
  mv "$f" "$out/boot/vmlinuz-$REL"
  for f in "$raw/lib/modules/$REL/kernel" "$raw/usr/lib/modules/$REL/kernel"; do
    if [ -d "$f" ]; then mv "$f" "$out/lib/modules/$REL/kernel"; fi
  done
  [ -d "$out/lib/modules/$REL/kernel" ] || die "$v: no modules unpacked"
  raw=$raw/usr/lib/debug
  f=$(real "$raw/boot/vmlinux-$REL" "$raw/lib/modules/$REL/vmlinux")
  mv "$f" "$out/debug/boot/vmlinux-$REL"
  f=$(real "$raw/boot/System.map-$REL" "$raw/lib/modules/$REL/System.map")
  mv "$f" "$out/debug/boot/System.map-$REL"
  mv "$raw/lib/modules/$REL/vdso" "$out/debug/lib/modules/$REL/vdso"
  mv "$raw/lib/modules/$REL/kernel" "$out/debug/lib/modules/$REL/kernel"

  # The note goes in last; the rename makes the whole directory appear at once.
  {
    deb_lines
    for f in $(main_files); do echo "file $(sha "$out/$f") $(stat -c %s "$out/$f") $f"; done
  } > "$TMP/complete"
  mv "$TMP/complete" "$out/.complete"
  chmod -R a+rX,u+w "$out"
  rm -rf "${K:?}/$v"
  mv -T "$out" "$K/$v"
  rm -rf "$TMP"
  TMP=
}

case ${1:-} in
-h | --help)
  usage
  exit 0
  ;;
-*)
  usage >&2
  exit 2
  ;;
esac
# shellcheck disable=SC2086  # a list of words
[ $# -gt 0 ] || set -- $VERSIONS
for v in "$@"; do pins "$v"; done # refuses unknown versions before any work
for t in dpkg-deb tar sha256sum; do command -v "$t" > /dev/null || die "missing program: $t"; done

K=${FIXTRACE_KERNELS:-${XDG_CACHE_HOME:-$HOME/.cache}/fixtrace-test/kernels}
mkdir -p "$K"
K=$(cd "$K" && pwd)
TMP=
trap 'if [ -n "$TMP" ]; then rm -rf "$TMP"; fi' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# One run at a time; a second one waits here and then finds the work done.
if command -v flock > /dev/null; then
  exec 9> "$K/.lock"
  flock 9
  rm -rf "$K"/.tmp.* # left by a killed run
fi
for v in "$@"; do
  pins "$v"
  complete "$K/$v" || make_one
  echo "$v: complete"
done
