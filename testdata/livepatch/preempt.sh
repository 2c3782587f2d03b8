#!/usr/bin/env bash
# preempt.sh KERNEL PATCH NAME: a task preempted inside the fixup code of the kernel's pselect6 system call, then PATCH
# (kp_psel, kp_pselonly) is loaded. For preemptible kernels whose fixups are apart: PREEMPT_RT before 5.17, such as
# 5.10.0-43-rt-amd64.
#  Output, environment: as of boot.sh; and preempted.txt, what preempt.py said
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools.sh
. "$here/tools.sh"
[ $# = 3 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
need python3 nm readelf
kernel "$1"
port=$((20000 + $$ % 10000))
out=$RESULTS/$NAME-$3
rm -f "$out/console.txt"
GDB=$port "$here/boot.sh" "$NAME" "$3" scen=rt "patch=$2" &
boot=$!
while [ ! -e "$out/console.txt" ]; do
  kill -0 $boot
  sleep 1
done
"$here/preempt.py" "$port" "$out/console.txt" "$DIR/debug/boot/vmlinux-$REL" __x64_sys_pselect6 > "$out/preempted.txt" &
held=$!
rc=0
wait $boot || rc=$?
kill $held 2> /dev/null || :
cat "$out/preempted.txt"
exit $rc
