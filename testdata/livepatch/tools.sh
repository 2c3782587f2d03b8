# shellcheck shell=bash
# Sourced by the scripts here: where kernels, headers and results are.
#  FIXTRACE_LIVEPATCH  results, KERNEL-NAME/ each; modules and initramfs in .build/KERNEL
# Headers and kbuild's programs come from ../kdump/tools.sh and stay below what FIXTRACE_KDUMP says.
LIVEPATCH_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../machines/table.sh
. "$LIVEPATCH_DIR/../machines/table.sh"
# shellcheck source=../kdump/tools.sh
. "$LIVEPATCH_DIR/../kdump/tools.sh"
RESULTS=${FIXTRACE_LIVEPATCH:-$CACHE/livepatch}
mkdir -p "$RESULTS"
RESULTS=$(cd "$RESULTS" && pwd)
# shellcheck disable=SC2034  # for those who source this
BUILD=$RESULTS/.build
