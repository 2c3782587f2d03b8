#!/usr/bin/env python3
"""Writes demo-5.10.s and demo-5.10.lds: the numbers and names of a real kernel.

usage: FIXTRACE_KERNELS=DIR python3 demo-5.10.py LOG

LOG is an oops log of that kernel; DIR/5.10 holds the Debian 5.10.0-32-cloud-amd64
vmlinux with debug information. Taken from it, for the functions that occur in the
log, for those whose fixups the log shows, and for the user-access routines:
names, addresses and sizes; exception-table triples; where the fixup code and those
routines jump; which function a call before a return address names; ORC rows. All else
between is filler of ours (nops of the same length, int3), so the walk from a
landing takes the same way home, but no kernel code is stored.
"""
import bisect
import glob
import mmap
import os
import re
import struct
import subprocess
import sys

ALWAYS = """copy_mc_enhanced_fast_string copy_user_generic_unrolled copy_user_generic_string
copy_user_enhanced_fast_string __copy_user_nocache __clear_user strncpy_from_user strnlen_user
_copy_from_user _copy_to_user __get_user_1 __get_user_2 __get_user_4 __get_user_8
__get_user_nocheck_1 __get_user_nocheck_2 __get_user_nocheck_4 __get_user_nocheck_8
__put_user_1 __put_user_2 __put_user_4 __put_user_8 asm_load_gs_index __d_lookup""".split()
ROUTINES = re.compile(r"copy_user_|__copy_user|copy_mc_|__[gp]et_user_|__put_user_|__clear_user")
MARKS = ("_text", "_stext", "_etext", "__static_call_text_end", "__indirect_thunk_start",
         "__indirect_thunk_end", ".E_copy", "__x86_return_thunk", "bad_get_user")
BIND = ("local", "globl", "weak")
TYPE = {0: "notype", 2: "function"}
HOLE = 192  # a longer stretch of filler is left out of the file


class Elf:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as f:
            self.map = m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        table, count, names = *struct.unpack_from("<Q", m, 40), *struct.unpack_from("<HH", m, 60)
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", m, table + 64 * i) for i in range(count)]
        self.names = {}
        for s in self.sections:
            self.names.setdefault(self.string(self.sections[names], s[0]), s)
        symtab = self.names[".symtab"]
        strings = self.sections[symtab[6]]
        self.symbols = []  # (address, size, type, bind, name)
        for at in range(symtab[4], symtab[4] + symtab[5], 24):
            name, info, _, section, value, size = struct.unpack_from("<IBBHQQ", m, at)
            if 0 < section < 0xFF00 and info & 15 in (0, 2) and self.sections[section][2] & 4:
                self.symbols.append((value, size, info & 15, info >> 4, self.string(strings, name)))
        self.symbols.sort()
        self.functions = [s for s in self.symbols if s[2] == 2 and s[1]]
        self.starts = [s[0] for s in self.functions]
        self.addresses = sorted({s[0] for s in self.symbols})

    def string(self, section, offset):
        start = section[4] + offset
        return self.map[start:self.map.find(b"\0", start)].decode()

    def section(self, name):
        s = self.names[name]
        return s[3], self.map[s[4]:s[4] + s[5]]

    def function(self, address):
        """The sized function that covers the address."""
        i = bisect.bisect_right(self.starts, address) - 1
        if i >= 0 and address < self.functions[i][0] + self.functions[i][1]:
            return self.functions[i]
        return None

    def after(self, address):
        """The first symbol address behind this one: the end kallsyms would assume."""
        return self.addresses[bisect.bisect_right(self.addresses, address)]

    def code(self, start, end):
        """[(address, length, mnemonic, target or None)]"""
        out = subprocess.run(
            ["objdump", "-dw", "--insn-width=15",
             f"--start-address={start:#x}", f"--stop-address={end:#x}", self.path],
            check=True, capture_output=True, text=True).stdout
        result = []
        for m in re.finditer(r"^(f[0-9a-f]{15}):\t((?:[0-9a-f]{2} )+) *\t(.*)$", out, re.M):
            words = m[3].split()
            words = [w for w in words if w not in ("bnd", "cs", "ds", "notrack")] or [""]
            target = None
            if words[0][0] == "j" or words[0].startswith("call"):
                t = re.match(r"f[0-9a-f]{15}$", words[1]) if len(words) > 1 else None
                target = int(t[0], 16) if t else None
            result.append((int(m[1], 16), len(m[2].split()), words[0], target))
        return result


def main(log):
    base = os.environ.get("FIXTRACE_KERNELS", os.path.expanduser("~/.cache/fixtrace-test/kernels"))
    found = glob.glob(f"{base}/5.10/**/vmlinux-5.10.0-32-cloud-amd64", recursive=True)
    elf = Elf(found[0])

    # --- what the log mentions -------------------------------------------------
    text = open(log).read()
    text = text[text.index("LAB-CASE"):]
    text = re.sub(r"\S+ \[\w+\]", "", text)
    mentioned = {(m[1], int(m[2], 16)) for m in
                 re.finditer(r"([\w.]+)\+0x([0-9a-f]+)/0x[0-9a-f]+", text)}
    interrupted = {int(m[1], 16) for m in re.finditer(r"NMI at (f[0-9a-f]{15})", text)}
    returns = set()
    named = {}
    for s in elf.symbols:
        named.setdefault(s[4], s)
    for name, offset in mentioned:
        returns.add(named[name][0] + offset)

    # --- exception table -------------------------------------------------------
    table, raw = elf.section("__ex_table")
    entries = []
    for i in range(0, len(raw), 12):
        insn, fixup, handler = struct.unpack_from("<iii", raw, i)
        entries.append((table + i + insn, table + i + 4 + fixup, table + i + 8 + handler))
    chosen = {f[0]: f for n in ALWAYS for f in [elf.function(named[n][0])]}
    for address in returns:
        if f := elf.function(address):
            chosen[f[0]] = f
    for insn, fixup, _ in entries:
        if fixup in interrupted and (f := elf.function(insn)):
            chosen[f[0]] = f

    # --- walk every landing of the chosen functions ----------------------------
    keep = {}  # address -> (length, mnemonic, target)
    used, todo, seen = set(), [], set()

    def take(entry):
        if entry not in used:
            used.add(entry)
            todo.append(entry[1])

    for e in entries:
        f = elf.function(e[0])
        if f and f[0] in chosen:
            take(e)
    thunk = named["__x86_return_thunk"][0]
    while todo:
        at = todo.pop()
        if at in seen or elf.function(at) or at == thunk:
            continue
        for address, length, mnemonic, target in elf.code(at, at + 96):
            if address in seen or elf.function(address):
                break
            seen.add(address)
            keep[address] = (length, mnemonic, target)
            for e in entries:
                if e[0] == address:
                    take(e)
            if target is not None and mnemonic[0] == "j":
                todo.append(target)
            if mnemonic in ("jmp", "ret", "ud2"):
                break

    # --- jumps and calls inside the chosen functions ---------------------------
    inside = {}
    calls = {}
    for f in chosen.values():
        for address, length, mnemonic, target in elf.code(f[0], f[0] + f[1]):
            if target is None:
                continue
            if mnemonic[0] == "j" and (ROUTINES.match(f[4]) and elf.function(target) != f):
                inside[address] = (length, mnemonic, target)
            if mnemonic == "call" and address + length in returns:
                calls[address] = target
    origin = {e[0] for e in used}
    resumes = {t for _, (_, m, t) in keep.items() if t and m[0] == "j"} | {e[1] for e in used}

    # --- alternatives at those calls -------------------------------------------
    alt, raw = elf.section(".altinstructions")
    alternatives = []
    for i in range(0, len(raw), 12):
        insn, repl, feature, length, rlength = struct.unpack_from("<iiHBB", raw, i)
        site, repl = alt + i + insn, alt + i + 4 + repl
        if site in calls and length == rlength == 5:
            code = elf.code(repl, repl + 5)
            if code[0][2] == "call":
                alternatives.append((site, feature, code[0][3]))

    # --- which stretches of text are stored ------------------------------------
    spans = []
    for f in chosen.values():
        points = [(f[0], f[0] + 16), (max(f[0], f[0] + f[1] - 16), f[0] + f[1])]
        for a in set(inside) | set(calls) | origin | resumes | returns:
            if f[0] <= a < f[0] + f[1]:
                points.append((max(f[0], a - 8), min(a + 16, f[0] + f[1])))
        spans += points
    spans += [(a, a + k[0]) for a, k in keep.items()]
    spans += [(thunk, thunk + 2), (named["_stext"][0], named["_stext"][0] + 16)]
    handlers = {h for _, _, h in used}
    for h in handlers:
        f = elf.function(h)
        spans.append((f[0], f[0] + f[1]))
    for mark in ("end_repeat_nmi", "entry_SYSCALL_64_after_hwframe"):
        a = named[mark][0]
        spans.append((a, elf.after(a)))
    spans.sort()
    pieces = []
    for start, end in spans:
        if pieces and start <= pieces[-1][1] + HOLE:
            pieces[-1][1] = max(pieces[-1][1], end)
        else:
            pieces.append([start, end])

    # --- names: chosen functions, handlers, marks, targets, and the next symbol --
    wanted = set()
    for f in list(chosen.values()) + [elf.function(h) for h in handlers]:
        end = elf.after(f[0])
        wanted |= {f[0], end}
        if ROUTINES.match(f[4]):
            wanted |= {a for a in elf.addresses if f[0] <= a < f[0] + max(f[1], 1)}
    for name, _ in mentioned:
        wanted |= {named[name][0], elf.after(named[name][0])}
    wanted |= {named[m][0] for m in MARKS}
    for target in list(calls.values()) + [t for _, _, t in alternatives]:
        wanted |= {target, elf.after(target)}
    starts = [p[0] for p in pieces]

    def home(address):
        i = max(bisect.bisect_right(starts, address) - 1, 0)
        return i, address - pieces[i][0]

    # --- write -----------------------------------------------------------------
    out = []
    emit = out.append
    emit("""# Numbers and names of Debian's 5.10.0-32-cloud-amd64 kernel, no kernel code: written
# by demo-5.10.py, see there. True are the addresses, symbols, exception-table entries
# and the places jumps and calls lead to; the rest is filler. Used by the README.
\t.macro\tjump at, to
\t.byte\t0xe9
\t.long\t\\to - \\at - 5
\t.endm
\t.macro\tjump_short at, to
\t.byte\t0xeb, \\to - \\at - 2
\t.endm
\t.macro\tbranch cc, at, to
\t.byte\t0x0f, 0x80 + \\cc
\t.long\t\\to - \\at - 6
\t.endm
\t.macro\tbranch_short cc, at, to
\t.byte\t0x70 + \\cc, \\to - \\at - 2
\t.endm
\t.macro\tcallto at, to
\t.byte\t0xe8
\t.long\t\\to - \\at - 5
\t.endm
\t.macro\tplace here, name, offset, bind, type, size
\t.\\bind\t\\name
\t.type\t\\name, @\\type
\t.set\t\\name, \\here + \\offset
\t.size\t\\name, \\size
\t.endm
\t.macro\tentry insn, fixup, handler
\t.long\t\\insn - TABLE - (. - .Ltable)
\t.long\t\\fixup - TABLE - (. - .Ltable)
\t.long\t\\handler - TABLE - (. - .Ltable)
\t.endm
""".replace("TABLE", f"{table:#x}"))
    cc = dict(o=0, no=1, b=2, ae=3, e=4, ne=5, be=6, a=7, s=8, ns=9, p=10, np=11, l=12, ge=13, le=14, g=15)
    names = {}
    for s in elf.symbols:
        if s[0] in wanted:
            names.setdefault(home(s[0])[0], []).append(s)
    assert set(names) <= set(range(len(pieces)))
    for i, (start, end) in enumerate(pieces):
        emit(f'\t.section .text.{i:03}, "ax", @progbits')
        emit(f".Lhere{i}:")
        for address, size, kind, bind, name in names.get(i, []):
            emit(f'\tplace\t.Lhere{i}, "{name}", {address - start:#x}, {BIND[bind]}, {TYPE[kind]}, {size:#x}')
        at, filler = start, 0

        def flush(kind):
            nonlocal filler
            if filler:
                emit(f"\t.fill\t{filler}, 1, {kind}")
            filler = 0

        kind = "0x90"
        while at < end:
            k = keep.get(at) or inside.get(at)
            if at in calls:
                flush(kind)
                emit(f"\tcallto\t{at:#x}, {calls[at]:#x}")
                at += 5
            elif at == thunk:
                flush(kind)
                emit("\tret\n\tint3")
                at += 2
            elif k:
                flush(kind)
                length, mnemonic, target = k
                if mnemonic[0] == "j" and target is not None:
                    short = length == 2
                    if mnemonic == "jmp":
                        emit(f"\tjump{'_short' if short else ''}\t{at:#x}, {target:#x}")
                    else:
                        emit(f"\tbranch{'_short' if short else ''}\t{cc[mnemonic[1:]]}, {at:#x}, {target:#x}")
                else:
                    assert mnemonic != "ret"
                    emit(f"\t.nops\t{length}, {length}")
                at += length
            else:
                new = "0x90" if elf.function(at) else "0xcc"
                if new != kind:
                    flush(kind)
                    kind = new
                filler += 1
                at += 1
        flush(kind)
    emit('\n\t.section .rodata, "a", @progbits')
    emit('\t.globl\tlinux_banner\n\t.type\tlinux_banner, @object\nlinux_banner:')
    emit('\t.asciz\t"Linux version 5.10.0-32-cloud-amd64 (numbers only, no kernel code)\\n"')
    emit("\t.size\tlinux_banner, . - linux_banner")
    emit('\n\t.section __ex_table, "a", @progbits\n\t.globl\t__start___ex_table\n__start___ex_table:\n.Ltable:')
    for insn, fixup, handler in sorted(used):
        emit(f"\tentry\t{insn:#x}, {fixup:#x}, {handler:#x}")
    emit("\t.globl\t__stop___ex_table\n__stop___ex_table:")
    repl, _ = elf.section(".altinstr_replacement")
    emit('\n\t.section .altinstructions, "a", @progbits')
    for n, (site, feature, _) in enumerate(alternatives):
        emit(f"\t.long\t{site:#x} - {alt + 12 * n:#x}, {repl + 5 * n:#x} - {alt + 12 * n + 4:#x}")
        emit(f"\t.word\t{feature:#x}\n\t.byte\t5, 5")
    emit('\n\t.section .altinstr_replacement, "ax", @progbits')
    for n, (_, _, target) in enumerate(alternatives):
        emit(f"\tcallto\t{repl + 5 * n:#x}, {target:#x}")
    # ORC rows of the pieces: the one that covers each piece's first byte moved there, and "nothing known" behind.
    ip_at, ips = elf.section(".orc_unwind_ip")
    _, raw = elf.section(".orc_unwind")
    rows = sorted((ip_at + 4 * i + struct.unpack_from("<i", ips, 4 * i)[0], raw[6 * i:6 * i + 6])
                  for i in range(len(ips) // 4))
    starts = [r[0] for r in rows]
    orc = {}
    for start, end in pieces:
        first = bisect.bisect_right(starts, start) - 1
        orc[end] = orc.get(end, bytes(6))
        orc[start] = rows[first][1]
        for at, row in rows[first + 1:bisect.bisect_left(starts, end)]:
            orc[at] = row
    emit('\n\t.section .orc_unwind_ip, "a", @progbits\n.Lips:')
    for at in sorted(orc):
        emit(f"\t.long\t{at:#x} - {ip_at:#x} - (. - .Lips)")
    emit('\n\t.section .orc_unwind, "a", @progbits')
    for at in sorted(orc):
        emit("\t.byte\t" + ", ".join(f"{b:#x}" for b in orc[at]))
    body = "\n".join(out) + "\n"
    here = os.path.dirname(os.path.abspath(__file__))
    with open(f"{here}/demo-5.10.s", "w") as f:
        f.write(body)
    with open(f"{here}/demo-5.10.lds", "w") as f:
        f.write("/* Written by demo-5.10.py: every piece at the address it has in the real kernel. */\nSECTIONS\n{\n")
        for i, (start, _) in enumerate(pieces):
            f.write(f"\t.text.{i:03} {start:#x} : {{ *(.text.{i:03}) }}\n")
        f.write(f"\t.rodata {named_banner(elf):#x} : {{ *(.rodata) }}\n")
        f.write(f"\t__ex_table {table:#x} : {{ *(__ex_table) }}\n")
        f.write(f"\t.altinstructions {alt:#x} : {{ *(.altinstructions) }}\n")
        f.write(f"\t.altinstr_replacement {repl:#x} : {{ *(.altinstr_replacement) }}\n")
        f.write(f"\t.orc_unwind_ip {ip_at:#x} : {{ *(.orc_unwind_ip) }}\n")
        f.write(f"\t.orc_unwind {elf.names['.orc_unwind'][3]:#x} : {{ *(.orc_unwind) }}\n")
        f.write("\t/DISCARD/ : { *(.text) *(.data) *(.bss) *(.note.gnu.property) }\n}\n")
    print(f"{len(chosen)} functions, {len(used)} of {len(entries)} entries, {len(pieces)} pieces, "
          f"{sum(e - s for s, e in pieces)} bytes, {len(calls)} calls, {len(alternatives)} alternatives", file=sys.stderr)


def named_banner(elf):
    """linux_banner is data, so it is not among the code symbols."""
    symtab = elf.names[".symtab"]
    strings = elf.sections[symtab[6]]
    for at in range(symtab[4], symtab[4] + symtab[5], 24):
        name, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", elf.map, at)
        if elf.string(strings, name) == "linux_banner":
            return value
    raise KeyError("linux_banner")


main(*sys.argv[1:])
