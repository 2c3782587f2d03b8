#!/bin/bash
# Whole lookups, by fixtrace and by others: processor time, memory, instructions.
#
#   benches/compare.sh                            single addresses, on the 6.12 vmlinux of testdata/fetch-kernels.sh
#   benches/compare.sh plain                      1, 30, 10,000 and 1,000,000 random addresses, without an index
#   benches/compare.sh index                      the same with an index, against GSYM and SymCache files
#   benches/compare.sh build                      building these files
#   N=51 VMLINUX=FILE ADDRESSES='0x... 0x...' benches/compare.sh single
#   N=3 COUNTS='1 30' FILES=DIR PEER=PROGRAM FIXTRACE=PROGRAM benches/compare.sh plain index
#
#   PEERS='blazesym addr2line-rs' benches/compare.sh plain      only these beside fixtrace
#
# Index files are made below FILES and used again, if it is given. PEER is built by
# `cargo build --release --manifest-path benches/Cargo.toml`; see there what it stands for.
# Needs python3. Uses eu-addr2line, addr2line, llvm-symbolizer, llvm-gsymutil, blazecli and valgrind where they
# are installed; benches/measure.py says how it measures.
set -euo pipefail
cd "$(dirname "$0")/.."

kernels=${FIXTRACE_KERNELS:-${XDG_CACHE_HOME:-$HOME/.cache}/fixtrace-test/kernels}
vmlinux=${VMLINUX:-$kernels/6.12/debug/boot/vmlinux-6.12.107+deb13-cloud-amd64}
# Fixup code of __get_user_*(), and vfs_read().
addresses=${ADDRESSES:-0xffffffff81c5f015 0xffffffff81430990}
counts=${COUNTS:-1 30 10000 1000000}
peer=${PEER:-benches/target/release/peer}

if [ ! -e "$vmlinux" ]; then
  echo "$vmlinux is missing: run testdata/fetch-kernels.sh" >&2
  exit 1
fi
if [ -z "${FIXTRACE:-}" ]; then
  cargo build --quiet --release
  FIXTRACE=${CARGO_TARGET_DIR:-target}/release/fixtrace
fi
# An index that lies in the cache by chance must not answer.
no_index=
if [[ $("$FIXTRACE" lookup --help) == *--no-index* ]]; then
  no_index=--no-index
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
files=${FILES:-$work}
stem=$files/$(basename "$vmlinux")

# The programs to compare, as pairs of a name and a command; the first is the one that others are held against.
pairs=()
add() {
  if [[ -n ${PEERS:-} && $1 != fixtrace* && " $PEERS " != *" $1 "* ]]; then
    return
  fi
  if command -v "${2%% *}" >/dev/null; then
    pairs+=("$1" "$2")
  else
    echo "no ${2%% *}: $1 left out" >&2
  fi
}

measure() {
  local what=$1
  shift
  if [ ${#pairs[@]} -gt 0 ]; then
    python3 benches/measure.py "$what" "$@" "${pairs[@]}"
  fi
}

# Fills the page cache, and shows that everyone answers: a quick failure must not count as fast.
answers() {
  local input=$1 i
  for ((i = 0; i < ${#pairs[@]}; i += 2)); do
    ${pairs[i + 1]} <"$input" >"$work/answer"
    [ -s "$work/answer" ]
    echo "  ${pairs[i]}: $(wc -l <"$work/answer") lines, first $(head -n1 "$work/answer")"
  done
}

# Sets `input` to a file of that many random addresses.
random() {
  input=$work/addresses-$1
  python3 benches/addresses.py "$vmlinux" "$1" >"$input"
}

# Pairs for so many addresses, if N does not say.
rounds() {
  if [ "$1" -gt 10000 ]; then echo "${N:-3}"; else echo "${N:-5}"; fi
}

single() {
  local address i
  for address in $addresses; do
    echo
    echo "== $address"
    pairs=()
    add fixtrace "$FIXTRACE lookup --no-lines --vmlinux $vmlinux $no_index $address"
    add fixtrace+lines "$FIXTRACE lookup --vmlinux $vmlinux $no_index $address"
    add eu-addr2line "eu-addr2line -f -e $vmlinux $address"
    add addr2line "addr2line -f -e $vmlinux $address"
    add blazecli "blazecli symbolize elf --no-debug-syms --path $vmlinux $address"
    answers /dev/null
    measure time "${N:-21}" /dev/null
    measure memory /dev/null
    if command -v valgrind >/dev/null; then
      echo "Instructions, by callgrind"
      for ((i = 0; i < ${#pairs[@]}; i += 2)); do
        valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file="$work/log" \
          ${pairs[i + 1]} >/dev/null
        printf '  %-16s %12d\n' "${pairs[i]}" "$(sed -n 's/.*Collected : //p' "$work/log")"
      done
    fi
  done
}

plain() {
  local count
  for count in $counts; do
    echo
    echo "== $count random addresses, without an index"
    random "$count"
    pairs=()
    add fixtrace "$FIXTRACE lookup --vmlinux $vmlinux $no_index"
    add blazesym "$peer blazesym $vmlinux"
    add addr2line-rs "$peer addr2line $vmlinux"
    # Slow, or large, with more.
    if [ "$count" -le 10000 ]; then
      add llvm-symbolizer "llvm-symbolizer --obj=$vmlinux --inlines"
    fi
    if [ "$count" -le 30 ]; then
      add eu-addr2line "eu-addr2line -f -i -e $vmlinux"
    fi
    answers "$input"
    measure time "$(rounds "$count")" "$input"
    measure memory "$input"
  done
}

# Any of llvm-gsymutil, llvm-gsymutil-19 and so on.
gsymutil() {
  command -v llvm-gsymutil || compgen -c llvm-gsymutil- | sort -V | tail -n1
}

# Adds the commands that make the index files $1.fxi, $1.symcache and $1.gsym.
builders() {
  local gsymutil
  pairs=()
  if "$FIXTRACE" index --help >"$work/help" 2>&1; then
    add fixtrace "$FIXTRACE index $vmlinux -o $1.fxi"
  else
    echo "$FIXTRACE has no index: left out" >&2
  fi
  add symcache "$peer symcache-build $vmlinux $1.symcache"
  gsymutil=$(gsymutil)
  if [ -n "$gsymutil" ]; then
    # It uses all processors unless told; its warnings are gigantic.
    add gsym "$gsymutil --quiet --convert $vmlinux --out-file $1.gsym"
  else
    echo "no llvm-gsymutil: left out" >&2
  fi
}

index() {
  local count i suffix
  mkdir -p "$files"
  builders "$stem"
  for ((i = 0; i < ${#pairs[@]}; i += 2)); do
    suffix=${pairs[i]/fixtrace/fxi}
    [ -e "$stem.$suffix" ] || ${pairs[i + 1]} >"$work/log" 2>&1
  done
  for count in $counts; do
    echo
    echo "== $count random addresses, with an index"
    random "$count"
    pairs=()
    if [ -e "$stem.fxi" ]; then
      add fixtrace "$FIXTRACE lookup --vmlinux $stem.fxi"
    fi
    if [ -e "$stem.gsym" ]; then
      add gsym "$peer gsym $stem.gsym"
    fi
    if [ -e "$stem.symcache" ]; then
      add symcache "$peer symcache $stem.symcache"
    fi
    answers "$input"
    measure time "$(rounds "$count")" "$input"
    measure memory "$input"
    # The peers tell what they spend on the lookups alone.
    pairs=()
    for kind in fixtrace:fxi gsym:gsym symcache:symcache; do
      local name=${kind%:*} file=$stem.${kind#*:}
      if [ -e "$file" ]; then
        add "$name" "$peer $name --time $file"
        add "$name unprinted" "$peer $name --time --no-print $file"
      fi
    done
    measure inside "$(rounds "$count")" "$input"
  done
}

build() {
  echo
  echo "== Building an index"
  builders "$work/built"
  measure time "${N:-3}" /dev/null
  measure memory /dev/null
  echo "Sizes, bytes"
  wc -c "$vmlinux" "$work"/built.* | sed '$d; s/^/  /'
}

sections=${*:-single}
for section in $sections; do
  case $section in
    single | plain | index | build) ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' benches/compare.sh >&2; exit 2 ;;
  esac
done
grep -m1 'model name' /proc/cpuinfo
uptime
echo "$vmlinux"
for section in $sections; do
  "$section"
done
