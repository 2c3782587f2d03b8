# shellcheck shell=bash
# Sourced by the scripts here and by those of ../kdump: where kernels and results are, and the table of machines.
#  FIXTRACE_KERNELS  the four kernels of fetch-kernels.sh     FIXTRACE_OTHER  kernels of fetch.sh, one directory each
#  FIXTRACE_MACHINES results: dumps, console logs, facts
MACHINES_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/fixtrace-test
FIXTRACE_KERNELS=${FIXTRACE_KERNELS:-$CACHE/kernels}
FIXTRACE_OTHER=${FIXTRACE_OTHER:-$CACHE/other}
OUT=${FIXTRACE_MACHINES:-$CACHE/machines}

# NAME: CPU model | CPUs | kernel command line | a word that the kernel's log or vulnerability files must hold, or -
# What a kernel patches hangs on all of these; that a guest is slower or its CPU not real does not matter to its text.
declare -A MACHINE=(
  # nothing mitigated, no slide: the plainest text there is
  [off]='max,la57=off | 2 | mitigations=off nokaslr | -'
  # what the kernel chooses by itself on an unknown CPU
  [max]='max,la57=off | 2 | | -'
  [retpoline]='max,la57=off | 2 | spectre_v2=retpoline | Mitigation: Retpolines'
  [lfence]='max,la57=off | 2 | spectre_v2=retpoline,lfence | LFENCE'
  # untrained return thunks (zen2), safe return thunks (SRSO)
  [rome]='EPYC-Rome | 2 | | untrained return thunk'
  [milan]='EPYC-Milan | 2 | spec_rstack_overflow=safe-ret | Safe RET'
  # call depth tracking: every direct call and every return is patched (6.2 and later)
  [cdt]='Skylake-Server | 2 | retbleed=stuff | Stuffing'
  # aligned branch and return thunks; setcpuid because TCG has no such bit
  [its]='Icelake-Server | 2 | setcpuid=ibrs_enhanced | Aligned branch/return thunks'
  # one CPU: lock prefixes become DS prefixes
  [up]='max,la57=off | 1 | mitigations=off nokaslr | -'
  [up-cdt]='Skylake-Server | 1 | retbleed=stuff | Stuffing'
)
MACHINES='off max retpoline lfence rome milan cdt its up'

# Modules that guests load, with what they depend on. The first lets the kernel tell QEMU where its vmcoreinfo is.
MODULES='qemu_fw_cfg kvm-amd kvm-intel btrfs nf_tables vfat virtio_net sch_cake aesni-intel crc32c-intel'
# Those of which fetch.sh keeps debug information.
DEBUG_MODULES='kvm|kvm-amd|kvm-intel|btrfs|nf_tables|fat|vfat|virtio_net|sch_cake|aesni-intel|qemu_fw_cfg'

die() { echo "${0##*/}: $*" >&2; exit 1; }
need() { local t; for t in "$@"; do command -v "$t" > /dev/null || die "missing program: $t"; done; }

# kernel NAME: sets NAME, DIR, REL, VMLINUZ of a fetched kernel or of a directory in that layout; fetches a release.
kernel() {
  local d
  case $1 in
  *[0-9]-*amd64) [ -d "$1" ] || [ -d "$FIXTRACE_OTHER/$1" ] || "$MACHINES_DIR/fetch.sh" "$1" >&2 || exit 1 ;;
  esac
  for d in "$FIXTRACE_KERNELS/$1" "$FIXTRACE_OTHER/$1" "$1"; do
    [ -d "$d/boot" ] || continue
    DIR=$(cd "$d" && pwd) NAME=${DIR##*/}
    VMLINUZ=$(find "$DIR/boot" -name 'vmlinuz-*' -print -quit)
    [ -n "$VMLINUZ" ] || continue
    REL=${VMLINUZ##*/vmlinuz-}
    return
  done
  die "no kernel '$1': a release that fetch.sh lists, one of ../fetch-kernels.sh, or a directory with boot/vmlinuz-*"
}
