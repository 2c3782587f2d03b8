#!/bin/bash
# What the verdicts on all stacks of a dump cost: instructions of whole runs of `unwind` with and without them, and seconds
# of `unwind --require` and `livepatch` on a dump of ten thousand tasks, which copies.py makes.  Wants valgrind and gdb; the
# dump is QEMU's, of a guest without KASLR.
#
#   benches/verdicts.sh PROGRAM VMLINUX DUMP [FUNCTION]
set -euo pipefail
if [ $# -lt 3 ]; then sed -n '2,6s/^# \?//p' "$0" >&2; exit 2; fi
program=$1 vmlinux=$2 dump=$3 function=${4:-kthreadd}
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
export XDG_CACHE_HOME=$dir/cache

count() { # ARGUMENT...: instructions, as cachegrind counts them; what is required need not be met
    { valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null \
        "$program" "$@" --no-index --vmlinux "$vmlinux" 2>&1 > /dev/null || [ $? -le 3 ]; } |
        sed -n 's/.*I *refs: *//p' | tr -dc '0-9'
}
row() { # NAME PLAIN WITH
    awk -v n="$1" -v b="$2" -v a="$3" 'BEGIN { printf "%-34s %14d %14d %+7.2f%%\n", n, b, a, 100 * (a - b) / b }'
}
for lines in '' --no-lines; do
    plain=$(count unwind "$dump" $lines)
    row "unwind $lines --require complete" "$plain" "$(count unwind "$dump" $lines --require complete)"
done

"$here/copies.py" "$vmlinux" "$dump" "$dir/many.elf"
seconds() { # ARGUMENT...: the median of five runs
    for _ in 1 2 3 4 5; do
        /usr/bin/time -f %e -o "$dir/time" "$program" "$@" -q --no-index --vmlinux "$vmlinux" > /dev/null 2>&1 || [ $? -le 3 ]
        tail -1 "$dir/time"
    done | sort -n | sed -n 3p
}
echo "10,000 tasks, unwind --require complete: $(seconds unwind "$dir/many.elf" --require complete) s"
echo "10,000 tasks, unwind --json: $(seconds unwind "$dir/many.elf" --json) s"
echo "10,000 tasks, livepatch --function $function: $(seconds livepatch "$dir/many.elf" --function "$function") s"
