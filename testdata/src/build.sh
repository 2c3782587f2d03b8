#!/bin/sh
# Builds testdata/fixtures from the sources beside this script. Deterministic:
# same binutils, same bytes. Needs as, ld, objcopy, objdump and python3.
#
# NN-name.s          -> NN-name.elf         (an ET_EXEC at kernel addresses)
# NN-name.s, AFTER   -> NN-name-after.elf   (if the source distinguishes both)
# NN-name-32.s       -> the same as ELF32 for i386
# NN-name.ko.s       -> NN-name.ko          (ET_REL with RELA)
# NN-name.so.s       -> NN-name.so          (ET_DYN)
# demo-5.10.s        -> demo-5.10.elf       (source written by demo-5.10.py)
# expected.in        -> expected.tsv
set -eu
cd "$(dirname "$0")"
out=../fixtures
tmp=.build
rm -rf $tmp
mkdir -p $tmp $out
trap 'rm -rf $tmp' EXIT
LC_ALL=C; export LC_ALL

assemble() { # object source flags...
	o=$1 s=$2; shift 2
	as "$@" --no-pad-sections -o "$o" "$s" 2>$tmp/log || { cat $tmp/log >&2; exit 1; }
	[ ! -s $tmp/log ] || { cat $tmp/log >&2; exit 1; }
}

finish() { # full name: note all symbols, then drop the helpful ones
	objdump -t "$1" | sed -n '/SYMBOL TABLE/,$p' >"$tmp/$2.sym"
	objcopy -w -R .note.gnu.property --strip-symbol='T_*' --strip-symbol='EX_*' \
		--strip-symbol=AFTER --strip-symbol=PART --strip-symbol=BASE "$1" "$out/$2"
	chmod 644 "$out/$2"
}

link64='-m elf_x86_64 --defsym BASE=0xffffffff81000000'
link32='-m elf_i386 --defsym BASE=0xc1000000'

build() { # source after
	base=$(basename "$1" .s) suffix=
	[ "$2" = 0 ] || suffix=-after
	case $base in
	*.ko)
		name=${base%.ko}$suffix.ko
		assemble "$tmp/$name.full" "$1" --64 --defsym AFTER="$2"
		;;
	*.so)
		name=${base%.so}$suffix.so
		assemble "$tmp/$name.o" "$1" --64 --defsym AFTER="$2"
		ld -m elf_x86_64 -shared -nostdlib --build-id=none --hash-style=gnu -soname linux-vdso.so.1 \
			-z max-page-size=4096 -T vdso.lds -o "$tmp/$name.full" "$tmp/$name.o"
		;;
	*-32)
		name=$base$suffix.elf
		assemble "$tmp/$name.o" "$1" --32 --defsym AFTER="$2"
		ld $link32 -n --build-id=none -T kernel.lds -o "$tmp/$name.full" "$tmp/$name.o"
		;;
	*)
		name=$base$suffix.elf
		objects=
		for part in $(sed -n 's/^# parts: //p' "$1"); do
			assemble "$tmp/$name.$part.o" "$1" --64 --defsym AFTER="$2" --defsym PART="$part"
			objects="$objects $tmp/$name.$part.o"
		done
		if [ -z "$objects" ]; then
			objects=$tmp/$name.o
			assemble "$objects" "$1" --64 --defsym AFTER="$2"
		fi
		ld $link64 -n --build-id=none -T kernel.lds -o "$tmp/$name.full" $objects
		;;
	esac
	finish "$tmp/$name.full" "$name"
}

rm -f $out/[0-9][0-9]-*.elf $out/[0-9][0-9]-*.ko $out/[0-9][0-9]-*.so
for s in [0-9][0-9]-*.s; do
	build "$s" 0
	if grep -qw AFTER "$s"; then build "$s" 1; fi
done

assemble $tmp/demo.o demo-5.10.s --64
ld -m elf_x86_64 -n -z max-page-size=16 --build-id=none -T demo-5.10.lds -o $tmp/demo.full $tmp/demo.o
echo 'names and numbers are true, the code is filler' > $tmp/standin
objcopy -R .note.gnu.property --add-section .fixtrace.standin=$tmp/standin $tmp/demo.full $out/demo-5.10.elf
chmod 644 $out/demo-5.10.elf

python3 expect.py $tmp expected.in >$tmp/expected.tsv
mv $tmp/expected.tsv $out/expected.tsv
