#!/bin/bash
# Instructions two builds of fixtrace execute on the same work, in pairs: figures a noisy machine
# cannot bend.  Wants valgrind, and a kernel with debug info (testdata/fetch-kernels.sh gets some).
#
#   benches/instructions.sh OLD-PROGRAM NEW-PROGRAM VMLINUX [LOG] [DUMP]...
set -euo pipefail
if [ $# -lt 3 ]; then sed -n '2,5s/^# \?//p' "$0" >&2; exit 2; fi
old=$1 new=$2 vmlinux=$3; shift 3
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
export XDG_CACHE_HOME=$dir/cache

# Addresses all over the kernel's text, the same ones every time.
start=$(nm "$vmlinux" | awk '$3 == "_text" { print $1 }')
end=$(nm "$vmlinux" | awk '$3 == "_etext" { print $1 }')
python3 - "$start" "$end" > "$dir/all" <<'P'
import random, sys
at, end = (int(word, 16) for word in sys.argv[1:])
some = random.Random(5)
for _ in range(30_000): print(hex(some.randrange(at, end)))
P
head -1 "$dir/all" > "$dir/one"; head -30 "$dir/all" > "$dir/thirty"
for which in old new; do "${!which}" index -o "$dir/$which.fxi" "$vmlinux" > /dev/null 2>&1; done

count() { # PROGRAM INPUT ARGUMENT...: instructions, as cachegrind counts them
    local program=$1 input=$2; shift 2
    # What is answered in part ends in 3.
    { valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null \
        "$program" "$@" < "$input" 2>&1 > /dev/null || [ $? = 3 ]; } | sed -n 's/.*I *refs: *//p' | tr -dc '0-9'
}
row() { # NAME INPUT ARGUMENT...: INDEX stands for the program's own index
    local name=$1 input=$2 before after; shift 2
    before=$(count "$old" "$input" "${@/INDEX/$dir/old.fxi}")
    after=$(count "$new" "$input" "${@/INDEX/$dir/new.fxi}")
    awk -v n="$name" -v b="$before" -v a="$after" \
        'BEGIN { printf "%-24s %14d %14d %+7.2f%%\n", n, b, a, 100 * (a - b) / b }'
}
row "lookup, 1" "$dir/one" lookup --no-index --vmlinux "$vmlinux"
row "lookup, 30" "$dir/thirty" lookup --no-index --vmlinux "$vmlinux"
row "lookup, 30, index" "$dir/thirty" lookup --vmlinux INDEX
row "lookup, 30000, index" "$dir/all" lookup --vmlinux INDEX
row "lookup, 30000, JSON" "$dir/all" lookup --json --no-lines --no-index --vmlinux "$vmlinux"
for file; do
    if LC_ALL=C head -c 4 "$file" | grep -q 'ELF\|KDUM'; then
        row "unwind $(basename "$file")" /dev/null unwind --no-index --vmlinux "$vmlinux" "$file"
    else
        row "symbolize $(basename "$file")" "$file" symbolize --no-index --vmlinux "$vmlinux"
    fi
done
