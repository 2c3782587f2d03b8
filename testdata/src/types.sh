#!/bin/sh
# Builds testdata/fixtures/types/N.elf from types.c, N the version of DWARF, and the others there from types-two.c.
# Needs gcc 12, clang-14, lld-14, dwz and objcopy.
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

two() { # file compiler and flags...
	file=../fixtures/types/$1
	shift
	"$@" -c -DONE -o "$tmp/first.o" types-two.c
	"$@" -c -o "$tmp/second.o" types-two.c
	"$@" -fuse-ld="$ld" -nostdlib -static -no-pie -Wl,--build-id=none -o "$file" "$tmp/first.o" "$tmp/second.o"
	objcopy -R .comment -R .note.gnu.property "$file"
	chmod 644 "$file"
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
common="-O1 -ffile-prefix-map=$PWD=. -fno-pic -fcf-protection=none -fno-asynchronous-unwind-tables"
ld=bfd
for n in 4 5; do
	# shellcheck disable=SC2086
	two "two-$n.elf" gcc "-gdwarf-$n" $common
	dwz -L none -o "../fixtures/types/dwz-$n.elf" "../fixtures/types/two-$n.elf"
	chmod 644 "../fixtures/types/dwz-$n.elf"
done
ld=lld-14
two clang-5.elf clang-14 -gdwarf-5 $common -Qunused-arguments
two lto-clang-5.elf clang-14 -gdwarf-5 $common -Qunused-arguments -flto
