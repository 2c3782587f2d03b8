#!/bin/sh
# Builds testdata/fixtures/types/N.elf from types.c, N the version of DWARF. Needs gcc and objcopy.
set -eu
cd "$(dirname "$0")"
mkdir -p ../fixtures/types
for n in 2 4 5; do
	# Version 2 has another form of bitfields.
	strict=
	[ "$n" != 2 ] || strict=-gstrict-dwarf
	gcc "-gdwarf-$n" $strict -O1 -ffile-prefix-map="$PWD=." -nostdlib -static -no-pie -fno-pic \
		-fcf-protection=none -fno-asynchronous-unwind-tables -Wl,--build-id=none \
		-o "../fixtures/types/$n.elf" types.c
	objcopy -R .comment -R .note.gnu.property "../fixtures/types/$n.elf"
	chmod 644 "../fixtures/types/$n.elf"
done
