#!/bin/bash
# callsites.sh [VER...]: every direct call of the functions that own shared fixups, as objdump shows them:
# testdata/truth/VER.callsites.tsv, a return address and the callee a line. Needs binutils and the kernels that
# fetch-kernels.sh brought.
set -euo pipefail
cd "$(dirname "$0")"
K=${FIXTRACE_KERNELS:-${XDG_CACHE_HOME:-$HOME/.cache}/fixtrace-test/kernels}
for v in "${@:-5.10 6.1 6.12 7.2}"; do for v in $v; do
  objdump -d --no-show-raw-insn -j .text "$K/$v"/debug/boot/vmlinux-* | awk -v OFS='\t' '
    BEGIN { print "return_address", "callee" }
    callee != "" { sub(":", "", $1); if ($1 ~ /^[0-9a-f]+$/) print $1, callee; callee = "" }
    $2 == "call" && $4 ~ /^<(__(get|put)_user_(nocheck_)?[1248]|__copy_user_nocache|copy_user_generic_unrolled)>$/ {
      callee = substr($4, 2, length($4) - 2) }' > "truth/$v.callsites.tsv"
done; done
