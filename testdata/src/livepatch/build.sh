#!/bin/sh
# Builds testdata/fixtures/livepatch from the sources beside this script: three livepatch modules, one of each kind, and a
# kernel with livepatches in its data. Same binutils and gcc, same bytes. Needs as, ld, objcopy and gcc.
set -eu
cd "$(dirname "$0")"
out=../../fixtures/livepatch
tmp=.build
rm -rf $tmp
mkdir -p $tmp $out
trap 'rm -rf $tmp' EXIT
LC_ALL=C; export LC_ALL
for name in klp-build kpatch-build by-hand; do
	as --64 --no-pad-sections -o $tmp/$name.o $name.s
	objcopy -R .note.gnu.property $tmp/$name.o $out/$name.ko
done
gcc -c -O0 -g -gdwarf-4 -fno-pic -fno-common -mcmodel=kernel -fno-asynchronous-unwind-tables -fdebug-prefix-map="$PWD"=. \
	-o $tmp/kernel.o kernel.c
ld -m elf_x86_64 -n --build-id=none -e 0 -Ttext=0xffffffff81000000 -Trodata-segment=0xffffffff81100000 \
	-Tdata=0xffffffff81200000 -o $tmp/kernel.elf $tmp/kernel.o
objcopy -R .note.gnu.property -R .comment $tmp/kernel.elf $out/kernel.elf
chmod 644 $out/*
