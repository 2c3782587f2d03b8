#!/bin/sh
# Builds testdata/fixtures/dwarf from the sources beside this script, and asks other programs what each
# instruction there belongs to. Deterministic: same tools, same bytes. Needs gcc 12, clang-14, lld-14, llvm-19,
# binutils 2.40, dwz 0.15, elfutils 0.188, rustc 1.95 and python3.
#
# As far as the debug information knows, everything is compiled in /build/mini, or in "." where it is split; far.h
# lies in /opt/far. With --no-ask the table of answers is left out.
set -eu
cd "$(dirname "$0")"
src=$PWD
fixtures=$PWD/../../fixtures/dwarf
tmp=$(mktemp -d)
out=$tmp/out
trap 'rm -rf "$tmp"' EXIT
LC_ALL=C SOURCE_DATE_EPOCH=0; export LC_ALL SOURCE_DATE_EPOCH

mkdir -p "$out" "$tmp/build/mini" "$tmp/opt/far" "$tmp/peers"
cp -r include sub ./*.c ./*.s ./*.inc ./*.rs "$tmp/build/mini"
cp elsewhere/far.h "$tmp/opt/far"
cd "$tmp/build/mini"
list=$tmp/list
: >"$list"

# What every compilation has. $tmp disappears from the paths.
common='-ffreestanding -fno-asynchronous-unwind-tables -fcf-protection=none -fno-stack-protector -fno-pic -fno-pie
	-fno-ident -Iinclude'
far="-I$tmp/opt/far"
map="-fdebug-prefix-map=$tmp="
gcc_all="gcc -O2 $common $far"
# Without places of variables, which nobody here reads.
gcc="$gcc_all -fno-var-tracking"
clang="clang-14 -O2 $common $far -fno-addrsig -Qunused-arguments"

compile() { # object source compiler and flags...
	object=$1 source=$2
	shift 2
	"$@" -c -o "$object" "$source"
}

link() { # file linker flags and objects...
	file=$1
	shift
	ld --no-warn-execstack --no-warn-rwx-segments -static -nostdlib -e _start -n -Ttext=0x10000 \
		-z max-page-size=16 --build-id=none -o "$file" "$@"
	drop "$file"
}

drop() { # what no reader of DWARF needs
	objcopy -R .note.gnu.property -R .comment -R .note.GNU-stack -R .debug_frame -R .debug_names \
		-N __bss_start -N _edata -N _end "$1"
	chmod 644 "$1"
}

# Notes that a fixture is to be asked: its path below $out, what peers read in its place ("-" for itself), and
# another file of the very same code whose answers count as well ("-" for none).
ask() {
	printf '%s\t%s\t%s\n' "$1" "${2:--}" "${3:--}" >>"$list"
}

# The same code with the debug information that peers read best.
in_dwarf_4() {
	echo "$*" | sed 's/-gdwarf-[0-9]*/-gdwarf-4/; s/ -gsplit-dwarf//; s/ -gdwarf64//; s/ -gstrict-dwarf//; s/ -fdebug-types-section//'
}

# The program of mini.c, second.c and asm.s, and the small one of second.c alone.
program() { # name compiler...
	name=$1
	shift
	compile asm.o asm.s $gcc -gdwarf-5 "$map"
	for unit in mini second; do
		compile $unit.o $unit.c "$@" "$map"
		compile $unit.twin.o $unit.c $(in_dwarf_4 "$@") "$map"
	done
	link "$out/$name" mini.o second.o asm.o
	link "$tmp/peers/$name" mini.twin.o second.twin.o asm.o
	ask "$name" - "$tmp/peers/$name"
}

small() { # name compiler...
	name=$1
	shift
	compile second.o second.c "$@" "$map"
	compile second.twin.o second.c $(in_dwarf_4 "$@") "$map"
	link "$out/$name" -e other --unresolved-symbols=ignore-all second.o
	link "$tmp/peers/$name" -e other --unresolved-symbols=ignore-all second.twin.o
	ask "$name" - "$tmp/peers/$name"
}

# --- versions, compilers, forms
program gcc-4.elf $gcc -gdwarf-4
program gcc-5.elf $gcc -gdwarf-5
program clang-5.elf $clang -gdwarf-5
small clang-4.elf $clang -gdwarf-4
small clang-5-aranges.elf $clang -gdwarf-5 -gdwarf-aranges
small gcc-2.elf $gcc -gdwarf-2
small gcc-5-all.elf $gcc_all -gdwarf-5
small gcc-5-64.elf $gcc -gdwarf-5 -gdwarf64
small gcc-5-o0.elf $gcc -gdwarf-5 -O0
small gcc-4-types.elf $gcc -gdwarf-4 -fdebug-types-section
small gcc-5-types.elf $gcc -gdwarf-5 -fdebug-types-section
small gcc-5-no-columns.elf $gcc -gdwarf-5 -gno-column-info
small clang-5-lines.elf $clang -gdwarf-5 -gline-tables-only
compile second.o second.c $gcc -m32 -gdwarf-5 "$map"
link "$out/gcc-5-i386.elf" -m elf_i386 -e other --unresolved-symbols=ignore-all second.o
ask gcc-5-i386.elf

# --- compressed sections of the same program
cp "$out/gcc-5-all.elf" "$tmp/peers/plain.elf"
for how in zlib zlib-gnu zstd; do
	objcopy --compress-debug-sections=$how "$tmp/peers/plain.elf" "$out/$how.elf"
	ask $how.elf - "$tmp/peers/plain.elf"
done

# --- split DWARF: the build directory is "."
here="-fdebug-prefix-map=$tmp/build/mini=."
# The same programs as above, at the same addresses: of all three units, or of second.c only.
split() { # directory units compiler...
	name=$1 units=$2 how="-e other --unresolved-symbols=ignore-all" objects= twins=
	shift 2
	mkdir -p "$out/$name"
	for unit in $units; do
		"$@" "$map" "$here" -c -o $unit.o $unit.c
		$(in_dwarf_4 "$@") "$map" "$here" -c -o $unit.twin.o $unit.c
		objects="$objects $unit.o" twins="$twins $unit.twin.o"
	done
	if [ "$units" != second ]; then
		compile asm.o asm.s $gcc -gdwarf-5 "$map" "$here"
		how=asm.o
	fi
	link "$out/$name/split.elf" $objects $how
	link "$tmp/peers/$name.elf" $twins $how
}

loose() { # directory units: the .dwo files beside the program
	for unit in $2; do install -m 644 $unit.dwo "$out/$1/"; done
	ask "$1/split.elf" - "$tmp/peers/$1.elf"
}

package() { # directory package-program files...: all .dwo files in one file
	directory=$1
	shift
	mkdir -p "$out/$directory-package"
	ln -s "../$directory/split.elf" "$out/$directory-package/packed.elf"
	timeout 20 "$@" -o "$out/$directory-package/packed.elf.dwp"
	chmod 644 "$out/$directory-package/packed.elf.dwp"
	ask "$directory-package/packed.elf" - "$tmp/peers/$directory.elf"
}

split split-4 second $gcc -gdwarf-4 -gsplit-dwarf
loose split-4 second
package split-4 dwp second.dwo
# llvm-dwp never ends on DWARF 5 of gcc, and dwp makes nothing of it.
split split-5 second $gcc -gdwarf-5 -gsplit-dwarf
loose split-5 second
split split-clang-5 "mini second" $clang -gdwarf-5 -gsplit-dwarf
loose split-clang-5 "mini second"
package split-clang-5 llvm-dwp-19 mini.dwo second.dwo
# Type units, and the inlined calls in the skeleton as well.
split split-clang-4 second $clang -gdwarf-4 -gsplit-dwarf -fdebug-types-section -fsplit-dwarf-inlining
loose split-clang-4 second
package split-clang-4 llvm-dwp-19 second.dwo

# --- dwz: partial units in one file; two files and a supplementary one
for v in 4 5; do
	compile second.o second.c $gcc -gdwarf-$v "$map"
	link two.elf -e other --unresolved-symbols=ignore-all second.o
	cp "$out/gcc-$v.elf" one.elf
	cp "$out/gcc-$v.elf" "$tmp/peers/dwz-$v-one.elf"
	cp two.elf "$tmp/peers/dwz-$v-two.elf"
	mkdir -p "$out/dwz-$v"
	[ $v = 4 ] || dwz -o "$out/dwz-$v/single.elf" one.elf
	dwz -m common.sup -M common.sup one.elf two.elf
	install -m 644 two.elf common.sup "$out/dwz-$v/"
	chmod 644 "$out/dwz-$v"/*
	[ $v = 4 ] || ask dwz-$v/single.elf - "$tmp/peers/dwz-$v-one.elf"
	ask dwz-$v/two.elf - "$tmp/peers/dwz-$v-two.elf"
done
# The supplementary file is where the link says in no case, but lies under a debug directory by its build-id.
by_build_id() { # file debug-directory
	id=$(readelf -n "$1" | sed -n 's/.*Build ID: //p')
	mkdir -p "$2/.build-id/${id%${id#??}}"
	install -m 644 "$1" "$2/.build-id/${id%${id#??}}/${id#??}.debug"
}
compile second.o second.c $gcc -gdwarf-5 "$map"
link two.elf -e other --unresolved-symbols=ignore-all second.o
cp "$out/gcc-5.elf" one.elf
cp two.elf "$tmp/peers/dwz-id.elf"
dwz -m common.sup -M nowhere/common.sup one.elf two.elf
mkdir -p "$out/dwz-id"
install -m 644 two.elf "$out/dwz-id/program.elf"
by_build_id common.sup "$out/dwz-id/debug"
ask dwz-id/program.elf "$tmp/peers/dwz-id.elf"

# --- modules: relocatable files
module() { # name object...
	file=$out/$1
	shift
	ld -r --build-id=sha1 -o "$file" "$@"
	drop "$file"
}
compile mini.o mini.c $gcc -mcmodel=kernel -gdwarf-5 "$map"
compile second.o second.c $gcc -mcmodel=kernel -gdwarf-5 "$map"
module gcc-5.ko mini.o
ask gcc-5.ko
module separate.ko second.o
compile second.o second.c $clang -mcmodel=kernel -gdwarf-5 "$map"
module clang-5.ko second.o
compile second.o second.c $clang -mcmodel=kernel -gdwarf-4 "$map"
module clang-4.ko second.o
mv "$out/clang-4.ko" "$tmp/peers/clang.ko"
ask clang-5.ko - "$tmp/peers/clang.ko"
objcopy --compress-debug-sections=zlib "$out/clang-5.ko" "$out/clang-5-zlib.ko"
ask clang-5-zlib.ko - "$tmp/peers/clang.ko"
mkdir "$out/split-ko"
$gcc -mcmodel=kernel -gdwarf-5 "$map" "$here" -c -o second.whole.o second.c
$gcc -mcmodel=kernel -gdwarf-5 -gsplit-dwarf "$map" "$here" -c -o second.o second.c
module split-ko/second.ko second.o
module whole.ko second.whole.o
mv "$out/whole.ko" "$tmp/peers/split.ko"
install -m 644 second.dwo "$out/split-ko/"
ask split-ko/second.ko "$tmp/peers/split.ko"

# --- debug files apart from the image
mkdir -p "$out/apart/beside" "$out/apart/cache"
compile second.o second.c $gcc -gdwarf-5 "$map"
link whole.elf -e other --unresolved-symbols=ignore-all --build-id=sha1 second.o
cp whole.elf "$tmp/peers/apart.elf"
objcopy --only-keep-debug whole.elf whole.debug
# by build-id, no symbols of its own
strip -s -o "$out/apart/program.elf" whole.elf
by_build_id whole.debug "$out/apart/debug"
# in the cache of debuginfod
id=$(readelf -n whole.elf | sed -n 's/.*Build ID: //p')
mkdir -p "$out/apart/cache/$id"
ln -s "../../debug/.build-id/${id%${id#??}}/${id#??}.debug" "$out/apart/cache/$id/debuginfo"
# by .gnu_debuglink, without build-id
objcopy -R .note.gnu.build-id whole.elf linked.elf
objcopy --only-keep-debug linked.elf linked.debug
objcopy --strip-debug --add-gnu-debuglink=linked.debug linked.elf "$out/apart/beside/linked.elf"
mkdir "$out/apart/beside/.debug"
install -m 644 linked.debug "$out/apart/beside/.debug/"
ask apart/program.elf "$tmp/peers/apart.elf"
ask apart/beside/linked.elf "$tmp/peers/apart.elf"
# a module's debug file needs its relocations
mv "$out/separate.ko" whole.ko
cp whole.ko "$tmp/peers/separate.ko"
objcopy --only-keep-debug whole.ko whole.ko.debug
objcopy --strip-debug whole.ko "$out/apart/module.ko"
by_build_id whole.ko.debug "$out/apart/debug"
ask apart/module.ko "$tmp/peers/separate.ko"
chmod 644 "$out/apart"/*.elf "$out/apart"/*.ko "$out/apart/beside/linked.elf"

# --- a section per function: ranges of units lie among each other; dropped functions leave ranges nowhere
compile mini.o mini.c $gcc -gdwarf-5 -ffunction-sections "$map"
compile second.o second.c $gcc -gdwarf-5 -ffunction-sections "$map"
link "$out/sections.elf" --sort-section=name mini.o second.o --defsym from_assembler=shared
ask sections.elf
compile second.o second.c $gcc -gdwarf-4 -ffunction-sections "$map"
link "$out/sections-dropped.elf" --gc-sections -e other --unresolved-symbols=ignore-all second.o
ask sections-dropped.elf
drop_with_lld() { # file version
	compile second.o second.c $clang -gdwarf-$2 -ffunction-sections "$map"
	ld.lld-14 -static -nostdlib -n -e other --gc-sections --unresolved-symbols=ignore-all -o "$1" second.o
	drop "$1"
}
drop_with_lld "$out/sections-dropped-lld.elf" 5
drop_with_lld "$tmp/peers/sections-dropped-lld.elf" 4
ask sections-dropped-lld.elf - "$tmp/peers/sections-dropped-lld.elf"

# --- link-time optimisation: origins in other units
lto() { # name version
	compile mini.o mini.c $gcc -gdwarf-$2 -flto "$map"
	compile second.o second.c $gcc -gdwarf-$2 -flto "$map"
	compile asm.o asm.s $gcc -gdwarf-5 "$map"
	$gcc -gdwarf-$2 -flto "$map" -nostdlib -static -no-pie \
		-Wl,-n,-Ttext=0x10000,--build-id=none,--no-warn-execstack,--no-warn-rwx-segments \
		-o "$1/lto-gcc.elf" mini.o second.o asm.o
	drop "$1/lto-gcc.elf"
	compile mini.o mini.c $clang -gdwarf-$2 -flto "$map"
	compile second.o second.c $clang -gdwarf-$2 -flto "$map"
	ld.lld-14 -static -nostdlib -n -e _start -Ttext=0x10000 -o "$1/lto-clang.elf" mini.o second.o asm.o
	drop "$1/lto-clang.elf"
}
lto "$out" 5
lto "$tmp/peers" 4
ask lto-gcc.elf - "$tmp/peers/lto-gcc.elf"
ask lto-clang.elf - "$tmp/peers/lto-clang.elf"

# --- Rust
rust() { # file version flags...
	file=$1 version=$2
	shift 2
	# The legacy mangling is behind a door by now.
	RUSTC_BOOTSTRAP=1 rustc --crate-name mini --crate-type lib --emit obj --edition 2024 -O -g -C panic=abort \
		-C relocation-model=static -C codegen-units=1 -Z unstable-options --remap-path-prefix "$tmp/build=/build" \
		-C dwarf-version="$version" -o rust.o mini.rs "$@"
	link "$file" --gc-sections --unresolved-symbols=ignore-all rust.o
}
rust "$out/rust-legacy.elf" 4 -C symbol-mangling-version=legacy -C debuginfo=1
ask rust-legacy.elf
rust "$out/rust-v0.elf" 5 -C symbol-mangling-version=v0
rust "$tmp/peers/rust-v0.elf" 4 -C symbol-mangling-version=v0
ask rust-v0.elf - "$tmp/peers/rust-v0.elf"

# --- assembler
python3 "$src/names.py" >names.s
compile asm.o asm.s as -g --gdwarf-4 --debug-prefix-map "$tmp="
link "$out/asm-4.elf" -e from_assembler asm.o
ask asm-4.elf
sed '/\.type/d' asm.s >bare.s
compile asm.o bare.s as -g --gdwarf-5 --debug-prefix-map "$tmp="
link "$out/asm-5-bare.elf" -e from_assembler asm.o
ask asm-5-bare.elf
compile asm.o asm.s clang-14 -g -gdwarf-5 -fdebug-compilation-dir=/build/mini "$map"
link "$out/asm-clang-5.elf" -e from_assembler asm.o
ask asm-clang-5.elf
for v in 4 5; do
	# GNU as passes over line 0.
	sed "s/\\bVERSION\\b/$v/g" loc.s >loc-$v.s
	compile loc.o loc-$v.s clang-14 -Qunused-arguments -gdwarf-$v -fdebug-compilation-dir=/build/mini
	link "$out/loc-$v.elf" -e by_hand loc.o
	ask loc-$v.elf - "$out/loc-4.elf"
done
compile names.o names.s as -g --gdwarf-5 --debug-prefix-map "$tmp="
link "$out/names.elf" -e _RNvC4mini5plain names.o
ask names.elf

# --- paths
paths() { # file compiler...
	file=$1
	shift
	"$@" "$map" -c -o relative.o sub/relative.c
	"$@" "$map" -I./include -c -o dotted.o ./sub/./dotted.c
	"$@" "$map" -c -o updown.o include/../sub/updown.c
	(cd sub && "$@" "$map" -I../include -c -o ../from_sub.o ../sub/from_sub.c)
	"$@" "$map" "$here" -c -o mapped.o sub/mapped.c
	"$@" "$map" -c -o absolute.o "$PWD/sub/absolute.c"
	link "$file" -e path_relative --unresolved-symbols=ignore-all \
		relative.o dotted.o updown.o from_sub.o mapped.o absolute.o
}
paths "$out/paths-gcc-4.elf" $gcc -gdwarf-4
paths "$out/paths-gcc-5.elf" $gcc -gdwarf-5
paths "$out/paths-clang-5.elf" $clang -gdwarf-5
paths "$tmp/peers/paths-clang.elf" $clang -gdwarf-4
ask paths-gcc-4.elf
ask paths-gcc-5.elf
ask paths-clang-5.elf - "$tmp/peers/paths-clang.elf"

# Nothing of this machine may be left in a fixture.
if grep -rlaF "$tmp" "$out"; then
	echo "build.sh: these name the directory they were built in" >&2
	exit 1
fi
if [ "${1:-}" = --no-ask ]; then
	cp "$fixtures/expected.tsv" "$out/"
else
	python3 "$src/expect.py" "$out" "$list" >"$out/expected.tsv"
fi
chmod 644 "$out/expected.tsv"
rm -rf "$fixtures"
cp -a "$out" "$fixtures"
