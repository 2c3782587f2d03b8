#!/bin/bash
# Builds the programs in src/user/, lets each come to its end, keeps its core file, and asks gdb for every stack in it.
# Needs gcc, rustc, binutils and gdb with Python.
#
# In $FIXTRACE_USER_CORES (default: fixtrace-test/user-cores in the user's cache directory), per NAME:
#   NAME           the program
#   NAME.core      its core file, written by gdb at the last signal
#   NAME.kernel    the same of another run, written by the kernel, where it may
#   NAME.core.tsv  gdb's frames: thread, level, kind, PC, stack pointer, function, file, line (see user-cores.py)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${FIXTRACE_USER_CORES:-${XDG_CACHE_HOME:-$HOME/.cache}/fixtrace-test/user-cores}
mkdir -p "$out"
cd "$out"
stamp=$(cat "$here"/user-cores.{sh,py} "$here"/src/user/* | sha256sum; gcc --version; rustc --version; gdb --version)
if [ "$(cat stamp 2>/dev/null)" = "$stamp" ]; then
  exit 0
fi
rm -rf ./*

flags=(-O2 -fomit-frame-pointer -pthread)
gcc -g "${flags[@]}" -shared -fPIC -Wl,-z,lazy -o libplugin.so "$here/src/user/plugin.c"
gcc -g "${flags[@]}" -o threads "$here/src/user/threads.c"
# Names by .dynsym and by nothing at all.
gcc "${flags[@]}" -rdynamic -s -o threads-stripped "$here/src/user/threads.c"
# Lazy binding, no position independence.
gcc -g "${flags[@]}" -no-pie -Wl,-z,lazy -o threads-fixed "$here/src/user/threads.c"
# The C library in the program, and an older form of unwind tables without their index.
gcc -g "${flags[@]}" -static -Wl,--no-eh-frame-hdr -o threads-static "$here/src/user/threads.c" 2>link.log
# No unwind tables but those of the debug information.
gcc -g "${flags[@]}" -fno-asynchronous-unwind-tables -fno-unwind-tables -o threads-debug-frame "$here/src/user/threads.c"
gcc -g "${flags[@]}" -o null "$here/src/user/null.c"
rustc --edition 2024 -C opt-level=2 -C debuginfo=2 -C force-frame-pointers=no -o rust "$here/src/user/threads.rs"

# Small stacks and one heap: a core holds all of them.
ulimit -s 512
export MALLOC_ARENA_MAX=1 RUST_MIN_STACK=262144

run_in_gdb() {
  timeout 300 gdb -nx -batch -iex 'set debuginfod enabled off' -ex 'set disable-randomization off' \
    -ex 'handle all nostop noprint pass' -ex 'handle SIGABRT stop' "${@:2}" -ex run \
    -ex "generate-core-file $1.core" -ex kill "./$1" >"$1.log" 2>&1 </dev/null
}

ask_gdb() {
  timeout 300 gdb -nx -batch -iex 'set debuginfod enabled off' "./$1" "$2" \
    -ex "python out='$2.tsv'" -x "$here/user-cores.py" >"$2.log" 2>&1 </dev/null
  grep -q . "$2.tsv"
}

for name in threads threads-stripped threads-fixed threads-static threads-debug-frame rust; do
  run_in_gdb "$name"
  ask_gdb "$name" "$name.core"
done
run_in_gdb null -ex 'handle SIGSEGV stop'
ask_gdb null null.core

# The kernel's own cores leave out what can be read from files; gdb's leave out less.
if [ "$(cat /proc/sys/kernel/core_pattern)" = core ]; then
  for name in threads threads-stripped null rust; do
    mkdir run
    (cd run; ulimit -c unlimited; ../"$name") >"$name.log" 2>&1 || true
    if mv run/core* "$name.kernel" 2>/dev/null; then
      ask_gdb "$name" "$name.kernel"
    fi
    rm -rf run
  done
fi
echo "$stamp" >stamp
