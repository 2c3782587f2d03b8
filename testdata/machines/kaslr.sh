#!/usr/bin/env bash
# kaslr.sh KERNEL [N [MACHINE...]]: boots N times (5) with KASLR, on the machines in turn, and keeps the reports that the
# kernel printed (what its CPUs do, then an oops) apart from the truth about the boot.
#  Output: $FIXTRACE_MACHINES/kaslr/KERNEL-I.txt  the reports, without what tells the slide
#    .slide  the slide by the guest's own /proc/kallsyms    .facts  machine, mitigations, symbols, modules
#  Environment: FIRST (1), the number of the first boot; see boot.sh
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=table.sh
. "$here/table.sh"
[ $# -ge 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
need gdb
kernel "$1"
n=${2:-5}
shift $(($# > 2 ? 2 : $#))
[ $# -gt 0 ] || set -- max its rome cdt retpoline
machines=("$@")
# where the null pointer is followed
functions=(vfs_read kmem_cache_free fput vfs_write mutex_lock)
export FIXTRACE_MACHINES=$OUT/kaslr
for ((i = ${FIRST:-1} - 1; i < ${FIRST:-1} - 1 + n; i++)); do
  tag=$NAME-$((i + 1)) out=$FIXTRACE_MACHINES/$NAME-$((i + 1))
  TAG=$tag NODUMP=1 OOPS=${functions[i % ${#functions[@]}]} APPEND=case=work "$here/boot.sh" "$DIR" "${machines[i % ${#machines[@]}]}" || continue
  sed -n 's/^slide //p' "$out.txt" > "$out.slide"
  grep -av '^section' "$out.txt" > "$out.facts" # the modules' bases are enough
  tr -d '\r' < "$out.log" | sed '/^MACHINE-FACTS/,/^MACHINE-TOLD/d' |
    awk '/Linux version/ && !v++ { print; next } /ommand line:/ && !c++ { print; next } /sysrq: Show|BUG:|Oops/ { on = 1 } on && /^\[ *[0-9]/' > "$out.txt"
  rm -f "$out.log" "$out".try*
done
