#!/usr/bin/env python3
"""Damages a real vmlinux in many ways, and holds `fixtrace validate` to finding each damage, by its id and nothing else.

usage: testdata/faults.py [options] FIXTRACE VMLINUX
       testdata/faults.py --list

  --places N      places for each kind (20)
  --seed N        another seed takes other places (1)
  --kind NAME     this kind only; may be given again, and may hold * and ?
  --single        each place in an image of its own; else all places of a kind are in one, in functions of their own
  --together      places of all kinds in as few images as hold them
  --globals N     images of each kind whose damage is no function's own (as --places)
  --show          says what would be done, and runs nothing
  --write DIR     the same, and writes the first image of each kind there
  --sample N      as `validate` has it (64): entries and lines are damaged in units that it reads
  --option WORD   given to `validate`, too (--option=--check); may be given again

The image is copied once (to TMPDIR). Bytes of the copy are changed, `validate --json` is run, and they are put back. What
the undamaged image has is left out, by id, function, kind of place and message. Each damage has the ids that are right for
it, the code at which it may be found, and how many findings it is: one, but two rows for two rows that were exchanged.
Whatever else is found is a fault of the validator, and so is a damage that is not found.

A place is taken where the damage changes what the kernel does: the row is that of an instruction that can be reached, two
rows differ, the landing has another CFA. Kinds that begin with `harmless-` change bytes where nothing changes by it: there
nothing may be found. The table at the end has for each kind the places, how many were found, how many of these by a right
id, what else was found, and what of that kind cannot be seen. Where there are fewer places than asked for, the image has no
more. The exit status is 1 if anything was missed or said without need.

Needs objdump (binutils), which decodes the instructions. Nothing here is shared with the Rust code.
"""
import argparse
import bisect
import collections
import fnmatch
import itertools
import json
import mmap
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

MASK = (1 << 64) - 1
# Functions in which places are looked for.
POOL = 4000
# What went wrong, of each kind at most.
SHOWN = int(os.environ.get("SHOWN", 6))
ENV = dict(os.environ, LC_ALL="C")

# The image ------------------------------------------------------------------------------------------------------------

Section = collections.namedtuple("Section", "index name type flags addr off size header")
Function = collections.namedtuple("Function", "start end name entry")
Row = collections.namedtuple("Row", "sp bp sp_reg bp_reg kind signal raw")
Insn = collections.namedtuple("Insn", "at len raw text op operands target")
Fde = collections.namedtuple("Fde", "off body end cie start size")
Cfa = collections.namedtuple("Cfa", "off op args loc end")
Entry = collections.namedtuple("Entry", "index off insn landing data")

# Numbers of registers in rows. Source: arch/x86/include/asm/orc_types.h, Linux 4.18-7.0 and 7.1.
OLD_REGS = ["UNDEFINED", "PREV_SP", "DX", "DI", "BP", "SP", "R10", "R13", "BP_INDIRECT", "SP_INDIRECT"]
NEW_REGS = ["UNDEFINED", "AX", "DX", "SP", "BP", "DI", "R10", "R13", "PREV_SP", "SP_INDIRECT", "BP_INDIRECT"]
HEADERS = {
    "db84aed4103b31dd51e017f8f79783ca985c2c51": 2,
    "fe5d32bf581bd63b2ca9a5c65ba5a625eab3fe24": 3,
    "137c36ad7627c4dd55932176bb0ecdbd5041fc82": 4,
}
KINDS = ["UNDEFINED", "END", "CALL", "REGS", "PARTIAL"]
# Calls of these do not come back.
NORETURN = {
    "panic", "__stack_chk_fail", "do_exit", "make_task_dead", "rewind_stack_and_make_dead", "nmi_panic_self_stop",
    "fortify_panic", "__fortify_panic", "vpanic", "kthread_exit", "kthread_complete_and_exit", "cpu_bringup_and_idle",
    "rewind_stack_do_exit", "rust_begin_unwind", "machine_real_restart", "do_group_exit", "stop_this_cpu",
    "__module_put_and_kthread_exit", "x86_64_start_reservations", "sev_es_terminate", "hlt_play_dead", "usercopy_abort",
}


class Skip(Exception):
    """This image has no such thing."""


class World:
    """A copy of an image: it is read once, and then its bytes change."""

    def __init__(self, path, copy, rng):
        shutil.copyfile(path, copy)
        self.path = copy
        self.file = open(copy, "r+b")
        self.data = mmap.mmap(self.file.fileno(), 0)
        self.rng = rng
        self._sections()
        self._symbols()
        self._orc()
        self._extable()
        self._frames()
        self.insn_cache = {}
        self.reach_cache = {}
        self.sites = self._alternatives()

    # ELF

    def _sections(self):
        data = self.data
        shoff, = struct.unpack_from("<Q", data, 0x28)
        entsize, count, strings = struct.unpack_from("<HHH", data, 0x3A)
        raw = [struct.unpack_from("<IIQQQQIIQQ", data, shoff + i * entsize) for i in range(count)]
        base = raw[strings][4]
        self.by_index, self.sections = [], {}
        for i, (name, kind, flags, addr, off, size, *_) in enumerate(raw):
            end = data.find(b"\0", base + name)
            name = data[base + name:end].decode()
            self.by_index.append(Section(i, name, kind, flags, addr, off, size, shoff + i * entsize))
            self.sections.setdefault(name, self.by_index[-1])
        # Sections with code, by address.
        text = [s for s in self.by_index if s.flags & 4 and s.type == 1 and s.size and s.flags & 2]
        self.text = sorted((s for s in text), key=lambda s: s.addr)

    def section(self, name):
        if name not in self.sections:
            raise Skip(f"there is no {name}")
        return self.sections[name]

    def bytes(self, section):
        return self.data[section.off:section.off + section.size]

    def offset(self, addr):
        """Where the byte at an address is in the file."""
        for s in self.text:
            if s.addr <= addr < s.addr + s.size:
                return s.off + addr - s.addr
        raise Skip(f"{addr:#x} is not in text")

    def in_text(self, addr):
        return any(s.addr <= addr < s.addr + s.size for s in self.text)

    def _symbols(self):
        symtab, strtab = self.section(".symtab"), self.section(".strtab")
        self.strings = self.bytes(strtab)
        self.symbols = []
        functions = {}
        self.by_name = collections.defaultdict(list)
        self.aliases = collections.Counter()
        self.names = []
        at = symtab.off
        for name, info, other, index, value, size in struct.iter_unpack("<IBBHQQ", self.bytes(symtab)):
            if name:
                self.names.append(name)
            if index:
                word = self.string(name)
                if info & 15 != 3:
                    self.by_name[word].append((value, size, at, name, info & 15))
                if info & 15 == 2 and size:
                    self.aliases[value] += 1
                    known = functions.get(value)
                    if known is None or value + size > known.end:
                        functions[value] = Function(value, value + size, word, at)
                elif info & 15 in (0, 2):
                    self.aliases[value] += 1
            at += 24
        self.names.sort()
        self.functions = [functions[a] for a in sorted(functions)]
        self.starts = [f.start for f in self.functions]
        self.number = {f.start: i for i, f in enumerate(self.functions)}

    def string(self, off):
        return self.strings[off:self.strings.index(b"\0", off)].decode(errors="replace")

    def own_string(self, off):
        """Whether no other symbol's name is within the string at `off`, or around it."""
        end = self.strings.index(b"\0", off)
        begin = self.strings.rfind(b"\0", 0, off) + 1
        inside = self.names[bisect.bisect_left(self.names, begin):bisect.bisect_right(self.names, end)]
        return set(inside) <= {off, begin} and self.strings[begin:off] in (b"", b"__pfx_")

    def function(self, addr):
        i = bisect.bisect_right(self.starts, addr) - 1
        if i >= 0 and addr < self.functions[i].end:
            return self.functions[i]
        return None

    def symbol(self, name):
        if name not in self.by_name:
            raise Skip(f"there is no {name}")
        return self.by_name[name][0]

    # ORC

    def _orc(self):
        ip, rows = self.section(".orc_unwind_ip"), self.section(".orc_unwind")
        self.ip_section, self.row_section = ip, rows
        self.count = ip.size // 4
        values = struct.unpack(f"<{self.count}i", self.bytes(ip))
        self.ips = [ip.addr + 4 * i + v for i, v in enumerate(values)]
        header = self.sections.get(".orc_header")
        self.version = HEADERS[self.bytes(header).hex()] if header else 1
        self.regs = NEW_REGS if self.version == 4 else OLD_REGS

    def row(self, i):
        off = self.row_section.off + 6 * i
        raw = self.data[off:off + 6]
        sp, bp, flags = struct.unpack("<hhH", raw)
        name = lambda n: self.regs[n] if n < len(self.regs) else n
        sp_reg, bp_reg = name(flags & 15), name(flags >> 4 & 15)
        if self.version >= 3:
            kind = flags >> 8 & 7
            kind = KINDS[kind] if kind < 5 else kind
            signal = bool(flags & 1 << 11)
        else:
            end = flags & 1 << (11 if self.version == 2 else 10)
            kind = ["CALL", "REGS", "PARTIAL", 3][flags >> 8 & 3]
            if sp_reg == "UNDEFINED":
                kind = "END" if end else "UNDEFINED"
            signal = bool(flags & 1 << 10) if self.version == 2 else kind in ("REGS", "PARTIAL")
        return Row(sp, bp, sp_reg, bp_reg, kind, signal, raw)

    def cfa(self, i):
        r = self.row(i)
        return r.sp_reg, r.sp, r.kind

    def changed(self, i, sp=None, bp=None, sp_reg=None, bp_reg=None, kind=None, signal=None, bits=0):
        """The patch that changes these parts of a row. Registers are names or numbers."""
        old_sp, old_bp, flags = struct.unpack("<hhH", self.row(i).raw)
        number = lambda r: r if isinstance(r, int) else self.regs.index(r)
        if sp_reg is not None:
            flags = flags & ~0xF | number(sp_reg)
        if bp_reg is not None:
            flags = flags & ~0xF0 | number(bp_reg) << 4
        if kind is not None:
            if self.version >= 3:
                flags = flags & ~0x700 | (kind if isinstance(kind, int) else KINDS.index(kind)) << 8
            elif kind in ("UNDEFINED", "END"):
                flags = (1 << (11 if self.version == 2 else 10)) if kind == "END" else 0
            else:
                flags = flags & ~0x300 | (kind if isinstance(kind, int) else ["CALL", "REGS", "PARTIAL"].index(kind)) << 8
        if signal is not None:
            bit = 1 << (11 if self.version >= 3 else 10)
            flags = flags & ~bit | (bit if signal else 0)
        raw = struct.pack("<hhH", old_sp if sp is None else sp, old_bp if bp is None else bp, flags | bits)
        return self.row_section.off + 6 * i, raw

    def content(self, i, raw):
        return self.row_section.off + 6 * i, raw

    def moved(self, i, ip):
        return self.ip_section.off + 4 * i, struct.pack("<i", ip - (self.ip_section.addr + 4 * i))

    def row_of(self, addr):
        return bisect.bisect_right(self.ips, addr) - 1

    def rows(self, f):
        """Rows that begin in a function, each at an address of its own."""
        first, last = bisect.bisect_left(self.ips, f.start), bisect.bisect_left(self.ips, f.end)
        ips = self.ips
        return [i for i in range(first, last)
                if 0 < i < self.count - 1 and ips[i] != ips[i - 1] and ips[i] != ips[i + 1]]

    def span(self, i):
        return self.ips[i], self.ips[i + 1]

    def room(self, i):
        """Where the damage of a row may be found: a return address may be just behind it."""
        return self.ips[i], self.ips[i + 1] + 1

    def own(self, f, i):
        """Whether the row ends before the next function begins: rows of functions that follow may be left out as equal."""
        n = self.number[f.start] + 1
        return n >= len(self.starts) or self.ips[i + 1] <= self.starts[n]

    # Exception table

    def _extable(self):
        self.entries = []
        s = self.sections.get("__ex_table")
        if not s:
            return
        for i in range(s.size // 12):
            a, b, c = struct.unpack_from("<iiI", self.data, s.off + 12 * i)
            at = s.addr + 12 * i
            self.entries.append(Entry(i, s.off + 12 * i, at + a, at + 4 + b, c))
        # Before 5.16 the third word points to a handler.
        self.handlers = all(e.data > 0xFFFF and self.in_text(self.handler(e)) for e in self.entries)

    def handler(self, e):
        s = self.section("__ex_table")
        return s.addr + 12 * e.index + 8 + (e.data ^ 1 << 31) - (1 << 31)

    def entry(self, e, insn=None, landing=None, data=None, handler=None, index=None):
        """The patch that writes these parts of an entry, in its place or that of `index`."""
        index = e.index if index is None else index
        s = self.section("__ex_table")
        at = s.addr + 12 * index
        insn = e.insn if insn is None else insn
        landing = e.landing if landing is None else landing
        if self.handlers:
            handler = self.handler(e) if handler is None else handler
            third = handler - at - 8 & 0xFFFFFFFF
        else:
            third = e.data if data is None else data
        return s.off + 12 * index, struct.pack("<iiI", insn - at, landing - at - 4, third)

    # Debug information

    def units(self):
        """Units of debug information: offset, size and version."""
        s = self.sections.get(".debug_info")
        at, out = 0, []
        while s and at + 11 < s.size:
            size, version = struct.unpack_from("<IH", self.data, s.off + at)
            out.append((at, size, version))
            at += 4 + size
        return out

    def sampled(self, functions, step):
        """Those of `functions` whose unit is one of those that are read."""
        s = self.sections.get(".debug_aranges")
        if not s:
            return []
        read = {u[0] for u in self.units()[::step]}
        at, ranges = s.off, []
        while at + 12 < s.off + s.size:
            size, _, unit = struct.unpack_from("<IHI", self.data, at)
            pairs = self.data[at + 16:at + 4 + size]
            if unit in read:
                ranges += [(a, a + n) for a, n in struct.iter_unpack("<QQ", pairs[:len(pairs) // 16 * 16]) if n]
            at += 4 + size
        ranges.sort()
        starts = [a for a, _ in ranges]
        inside = lambda f: starts and f.start < ranges[bisect.bisect_right(starts, f.start) - 1][1]
        return [f for f in functions if inside(f) and f.start >= starts[0]]

    # Call-frame information

    def _frames(self):
        self.fdes = {}
        self.cies = collections.defaultdict(list)
        self.frame = self.sections.get(".debug_frame")
        if not self.frame:
            return
        data, base = self.bytes(self.frame), self.frame.off
        at = 0
        while at + 4 <= len(data):
            size, = struct.unpack_from("<I", data, at)
            if size >= 20 and data[at + 4:at + 8] != b"\xff\xff\xff\xff":
                cie, start, length = struct.unpack_from("<IQQ", data, at + 4)
                fde = Fde(base + at, base + at + 24, base + at + 4 + size, base + cie, start, length)
                self.fdes[start] = fde
                self.cies[fde.cie].append(fde)
            at += 4 + size

    def uleb(self, at):
        n = shift = 0
        while True:
            b = self.data[at]
            n |= (b & 127) << shift
            shift += 7
            at += 1
            if b < 128:
                return n, at

    def program(self, fde):
        """The instructions of an FDE: where they are, what they are, and the address before each."""
        at, loc, out = fde.body, fde.start, []
        while at < fde.end:
            begin, op, args = at, self.data[at], []
            at += 1
            before = loc
            if op >= 0x40:
                op, low = op & 0xC0, op & 0x3F
                args = [low]
                if op == 0x40:
                    loc += low
                elif op == 0x80:
                    n, at = self.uleb(at)
                    args.append(n)
            elif op in (2, 3, 4):
                size = 1 << op - 2
                n = int.from_bytes(self.data[at:at + size], "little")
                at += size
                loc += n
                args, op = [n], op
            elif op in (0x0C, 0x05, 0x09, 0x14):
                a, at = self.uleb(at)
                b, at = self.uleb(at)
                args = [a, b]
            elif op in (0x06, 0x07, 0x08, 0x0D, 0x0E, 0x2E, 0x13):
                a, at = self.uleb(at)
                args = [a]
            elif op in (0x0F, 0x10, 0x16):
                if op != 0x0F:
                    a, at = self.uleb(at)
                    args = [a]
                n, at = self.uleb(at)
                at += n
            elif op not in (0, 0x0A, 0x0B):
                return []
            out.append(Cfa(begin, op, args, before, at))
        return out

    # Code

    def _alternatives(self):
        """Code that is replaced when the kernel boots, as ranges."""
        s = self.sections.get(".altinstructions")
        if not s:
            return []
        # The flags of a feature are 2 bytes wide, since 6.3 they are 4.
        size = 14 if s.size % 14 == 0 and (s.size % 12 or self.version >= 3) else 12
        out = []
        for i in range(s.size // size):
            at = struct.unpack_from("<i", self.data, s.off + size * i)[0] + s.addr + size * i
            out.append((at, at + self.data[s.off + size * i + size - 2]))
        return sorted(out)

    def replaced(self, f):
        i = bisect.bisect_left(self.sites, (f.start, 0))
        return i < len(self.sites) and self.sites[i][0] < f.end

    def in_site(self, addr):
        i = bisect.bisect_right(self.sites, (addr, MASK)) - 1
        return i >= 0 and addr < self.sites[i][1]

    def insns(self, f):
        if f.start not in self.insn_cache:
            self.decode([f])
        return self.insn_cache[f.start]

    def decode(self, functions):
        """Has objdump read functions: their bytes alone, which is 100 times faster than to have it read the image."""
        functions = [f for f in functions if f.start not in self.insn_cache]
        if not functions:
            return
        with tempfile.NamedTemporaryFile(suffix=".bin") as flat:
            bases, at = [], 0
            for f in functions:
                off = self.offset(f.start)
                code = self.data[off:off + f.end - f.start] + b"\xcc" * 16
                flat.write(code)
                bases.append(at)
                at += len(code)
            flat.flush()
            args = ["objdump", "-D", "-w", "-b", "binary", "-m", "i386:x86-64", flat.name]
            text = subprocess.run(args, stdout=subprocess.PIPE, env=ENV, check=True, text=True).stdout
        found = [[] for _ in functions]
        n = 0
        for line in text.splitlines():
            part = line.split("\t")
            if len(part) < 3 or not part[0].endswith(":"):
                continue
            at = int(part[0][:-1], 16)
            while n + 1 < len(bases) and at >= bases[n + 1]:
                n += 1
            f = functions[n]
            if at - bases[n] >= f.end - f.start:
                continue
            raw = bytes.fromhex(part[1].replace(" ", ""))
            words = part[2].split("#")[0].split(None, 1)
            while len(words) > 1 and words[0] in ("lock", "rep", "repz", "repnz", "notrack", "bnd", "ds", "cs", "gs", "es"):
                words = words[1].split(None, 1)
            op = words[0] if words else ""
            operands = words[1].strip() if len(words) > 1 else ""
            target = None
            if re.match(r"(j|call|loop|xbegin)", op) and re.match(r"0x[0-9a-f]+$", operands):
                target = int(operands, 16) - bases[n] + f.start & MASK
            found[n].append(Insn(f.start + at - bases[n], len(raw), raw, part[2].strip(), op, operands, target))
        for f, insns in zip(functions, found):
            self.insn_cache[f.start] = insns

    def reached(self, f):
        """Addresses of instructions that can be reached from a function's first one, as far as direct jumps tell."""
        if f.start in self.reach_cache:
            return self.reach_cache[f.start]
        by_at = {i.at: i for i in self.insns(f)}
        seen, todo = set(), [f.start]
        while todo:
            at = todo.pop()
            while at in by_at and at not in seen:
                seen.add(at)
                insn = by_at[at]
                if insn.op.startswith("j"):
                    if insn.target is not None:
                        todo.append(insn.target)
                    if insn.op.startswith("jmp"):
                        break
                elif insn.op.startswith(("ret", "ud", "int3", "iret", "sysret", "hlt", "(bad)")):
                    break
                elif insn.op.startswith("call") and insn.target is not None:
                    callee = self.function(insn.target)
                    if callee is None or callee.name in NORETURN:
                        break
                at += insn.len
        self.reach_cache[f.start] = seen
        return seen

    def live(self, f, i):
        """Reachable instructions of a row."""
        lo, hi = self.span(i)
        reached = self.reached(f)
        return [insn for insn in self.insns(f) if lo <= insn.at < hi and insn.at in reached]

    def plain(self):
        """C functions whose code can be known, at random."""
        def fits(f):
            fde = self.fdes.get(f.start)
            return (fde and fde.size == f.end - f.start and self.aliases[f.start] == 1 and 32 <= fde.size <= 4000
                    and len(self.by_name[f.name]) == 1 and not f.name.startswith("__pfx_") and self.in_text(f.start))
        out = [f for f in self.functions if fits(f)]
        self.rng.shuffle(out)
        return out


# Damage ---------------------------------------------------------------------------------------------------------------

class Fault:
    """Bytes that change, the code at which that may be found (None: anywhere), and what was done."""

    def __init__(self, patches, where, what, limit=None, claims=()):
        self.patches = [p for p in patches]
        self.where = where
        self.what = what
        self.limit = limit
        # Functions that it needs for itself.
        self.claims = claims


class Kind:
    def __init__(self, name, over, pick, ids, limit, note):
        self.name = name
        # What is tried: "function", "read" (those whose entries are read), "entry", "cold", or "image" for faults that need an image each.
        self.over = over
        self.pick = pick
        self.ids = ids
        self.limit = limit
        self.note = note


ALL = []
# Where two families see the same, either is right.
CFA = ("agree-cfa", "flow-cfa", "flow-base", "flow-entry")
BP = ("agree-bp", "flow-bp")
KIND = ("agree-return",)
# Nothing is known of code that runs.
HOLE = ("orc-gap", "orc-return", "orc-function", "agree-hole-orc")
NO_CFI = ("agree-extent", "agree-unreadable")
# Offsets that no frame has.
OFFSET = ("orc-offset",)


def kind(name, over, ids, limit=1, note=""):
    def add(pick):
        ALL.append(Kind(name, over, pick, ids if isinstance(ids, tuple) else (ids,), limit, note))
        return pick
    return add


def shuffled(w, things):
    things = list(things)
    w.rng.shuffle(things)
    return things


def usable(w, f, want=lambda w, f, i: True):
    """Rows of a function that its code uses: a frame on the stack, at an instruction that can be reached."""
    for i in shuffled(w, w.rows(f)):
        r = w.row(i)
        if r.kind == "CALL" and r.sp_reg in ("SP", "BP") and w.own(f, i) and want(w, f, i) and w.live(f, i):
            yield i


def say(w, i):
    r = w.row(i)
    return f"row {i} at {w.ips[i]:#x} ({r.kind} {r.sp_reg}{r.sp:+}, BP {r.bp_reg}{r.bp:+})"


def simple(name, ids, change, want=lambda r: True, note=""):
    """A kind that changes parts of one row."""
    @kind(name, "function", ids, note=note)
    def pick(w, f):
        for i in usable(w, f, lambda w, f, i: want(w.row(i))):
            patch = w.changed(i, **change(w, w.row(i)))
            if patch[1] != w.row(i).raw:
                return Fault([patch], [w.room(i)], say(w, i))


# The ORC table

@kind("orc-swap-rows", "function", CFA, 2, "rows of equal contents; rows of padding")
def _(w, f):
    def want(w, f, i):
        return i + 2 < w.count and w.ips[i + 1] < f.end and w.cfa(i)[:2] != w.cfa(i + 1)[:2] \
            and w.row(i + 1).kind == "CALL" and w.ips[i + 1] != w.ips[i + 2]
    for i in usable(w, f, want):
        if w.live(f, i + 1) and w.own(f, i + 1):
            patches = [w.content(i, w.row(i + 1).raw), w.content(i + 1, w.row(i).raw)]
            return Fault(patches, [(w.ips[i], w.ips[i + 2] + 1)], say(w, i))


def ignored_offset(name):
    return f"{name} of rows whose base is a register that only an exception saves: the kernel ignores it"


simple("orc-sp-plus-8", CFA, lambda w, r: {"sp": r.sp + 8}, note=ignored_offset("sp_offset"))
simple("orc-sp-minus-8", CFA + OFFSET, lambda w, r: {"sp": r.sp - 8}, lambda r: r.sp >= 16)
simple("orc-sp-plus-16", CFA, lambda w, r: {"sp": r.sp + 16})
simple("orc-sp-odd", OFFSET + CFA, lambda w, r: {"sp": r.sp + 1})
simple("orc-bp-plus-8", BP, lambda w, r: {"bp": r.bp + 8}, lambda r: r.bp_reg == "PREV_SP" and r.bp < -16,
       "bp_offset of rows that do not restore BP")
simple("orc-bp-minus-8", BP + OFFSET, lambda w, r: {"bp": r.bp - 8}, lambda r: r.bp_reg == "PREV_SP")
simple("orc-sp-reg-bp", CFA, lambda w, r: {"sp_reg": "BP"}, lambda r: r.sp_reg == "SP")
simple("orc-sp-reg-sp", CFA + OFFSET, lambda w, r: {"sp_reg": "SP"}, lambda r: r.sp_reg == "BP",
       "where BP and SP are the same at that instruction")
simple("orc-sp-reg-di", CFA, lambda w, r: {"sp_reg": "DI"}, lambda r: r.sp_reg == "SP")
# Right behind its push RBP still holds what was pushed; three words further down it mostly does not.
simple("orc-bp-forgotten", BP, lambda w, r: {"bp_reg": "UNDEFINED", "bp": 0},
       lambda r: r.bp_reg == "PREV_SP" and (r.sp_reg == "BP" or r.sp + r.bp >= 24))
simple("orc-bp-invented", BP, lambda w, r: {"bp_reg": "PREV_SP", "bp": -16},
       lambda r: r.bp_reg == "UNDEFINED" and r.sp >= 24 and r.sp_reg == "SP")
simple("orc-kind-regs", KIND + CFA, lambda w, r: {"kind": "REGS"})
simple("orc-kind-partial", KIND + CFA, lambda w, r: {"kind": "PARTIAL"})
simple("orc-kind-undefined", HOLE,
       lambda w, r: {"kind": "UNDEFINED", "sp": 0, "bp": 0, "sp_reg": 0, "bp_reg": 0, "signal": False})
simple("orc-kind-undefined-rest", HOLE + ("orc-type",), lambda w, r: {"kind": "UNDEFINED"})
simple("orc-kind-end", KIND, lambda w, r: {"kind": "END"})


@kind("orc-signal", "function", ("orc-signal", "orc-offset", *KIND), note="before 6.3 the type says it")
def _(w, f):
    if w.version < 2:
        raise Skip("rows have no such bit")
    for i in usable(w, f, lambda w, f, i: not w.row(i).signal):
        return Fault([w.changed(i, signal=True)], [w.room(i)], say(w, i))


simple("orc-sp-reg-unknown", "orc-register", lambda w, r: {"sp_reg": 15})
simple("orc-bp-reg-unknown", "orc-register", lambda w, r: {"bp_reg": 15})
simple("orc-bp-reg-unused", "orc-register", lambda w, r: {"bp_reg": "DX"})
simple("orc-kind-unknown", "orc-type", lambda w, r: {"kind": 7 if w.version >= 3 else 3})
simple("orc-reserved-bits", "orc-bits", lambda w, r: {"bits": 1 << (13 if w.version >= 2 else 12)})


def differs(w, f, i):
    """The row is not that of what is before it, and both are of the function."""
    before = i - 1
    return before >= 0 and w.ips[before] >= f.start and w.cfa(before)[:2] != w.cfa(i)[:2] and w.row(before).kind == "CALL"


@kind("orc-row-lost", "function", CFA, note="rows that restore BP only, where BP is not changed in between")
def _(w, f):
    for i in usable(w, f, differs):
        lo, hi = w.span(i)
        calls = [c for c in w.live(f, i) if c.op.startswith("call")]
        if any(lo <= c.at + c.len - 1 < hi for c in calls):
            patches = [w.moved(i, w.ips[i - 1]), w.content(i, w.row(i - 1).raw)]
            return Fault(patches, [(lo, hi)], say(w, i))


@kind("orc-row-late-1", "function", CFA, 1)
def _(w, f):
    for i in usable(w, f, differs):
        lo, hi = w.span(i)
        if w.live(f, i)[0].at == lo and lo + 1 < hi:
            return Fault([w.moved(i, lo + 1)], [(lo, lo + 2)], say(w, i))


@kind("orc-row-early-1", "function", CFA + HOLE,
      note="behind an instruction that is no call: nothing asks for its last byte")
def _(w, f):
    # Compilers place a call that does not return at the end, and its return address is in what follows.
    i = bisect.bisect_left(w.ips, f.end)
    last = w.insns(f)[-1]
    if i + 1 >= w.count or w.ips[i] != f.end or w.ips[i + 1] == f.end or not last.op.startswith("call"):
        return None
    if last.at in w.reached(f) and w.ips[i - 1] < f.end - 1 and w.cfa(i) != w.cfa(i - 1):
        after = w.function(f.end)
        return Fault([w.moved(i, f.end - 1)], [(last.at, f.end + 1)], say(w, i), claims=[after] if after else [])


@kind("orc-row-late", "function", CFA)
def _(w, f):
    for i in usable(w, f, differs):
        lo, hi = w.span(i)
        first = w.live(f, i)[0]
        if first.at == lo and lo + first.len < hi:
            return Fault([w.moved(i, lo + first.len)], [(lo, lo + first.len)], say(w, i))


@kind("orc-row-early", "function", CFA)
def _(w, f):
    for i in usable(w, f, differs):
        lo, _ = w.span(i)
        before = [c for c in w.live(f, i - 1) if c.at + c.len == lo]
        if before and before[0].at > w.ips[i - 1]:
            return Fault([w.moved(i, before[0].at)], [(before[0].at, lo)], say(w, i))


@kind("orc-swap-addresses", "function", "orc-unsorted")
def _(w, f):
    for i in usable(w, f, differs):
        patches = [w.moved(i - 1, w.ips[i]), w.moved(i, w.ips[i - 1])]
        return Fault(patches, [(f.start, f.end)], say(w, i))


@kind("orc-unsorted", "image", "orc-unsorted", 2)
def _(w):
    for f in shuffled(w, w.plain_list):
        for i in usable(w, f):
            j = (i + w.count // 2) % w.count
            patches = [w.moved(i, w.ips[j]), w.moved(j, w.ips[i]), w.content(i, w.row(j).raw), w.content(j, w.row(i).raw)]
            yield Fault(patches, None, f"{say(w, i)} and {say(w, j)}")
            break


@kind("orc-row-outside", "image", "orc-outside", note="the row stays between its neighbours only at the end of a section")
def _(w):
    for s in w.text:
        i = w.row_of(s.addr + s.size)
        if s.name == ".altinstr_replacement" or not s.addr <= w.ips[i] <= s.addr + s.size:
            continue
        above = w.ips[i + 1] if i + 1 < w.count else s.addr + s.size + 0x2000
        if above > s.addr + s.size + 0x20 and not w.in_text(s.addr + s.size + 0x10):
            yield Fault([w.moved(i, s.addr + s.size + 0x10)], None, f"the last row of {s.name}: {say(w, i)}")
    first = w.text[0]
    yield Fault([w.moved(0, first.addr - 0x100)], None, f"the first row: {say(w, 0)}")


@kind("orc-end-lost", "image", ("orc-terminator", "orc-padding"),
      note="ends of functions before the end of a section: what follows is padding, or has rows of its own")
def _(w):
    for s in w.text:
        i = w.row_of(s.addr + s.size)
        if s.flags & 1:
            # Data that may be run: rows of the few functions in it end with these.
            continue
        last = [n for n in range(max(0, i - 20), i + 1) if w.row(n).kind != "UNDEFINED"]
        if w.row(i).kind == "UNDEFINED" and s.addr <= w.ips[i] <= s.addr + s.size and last and w.ips[last[-1]] >= s.addr:
            patches = [w.content(n, w.row(last[-1]).raw) for n in range(last[-1] + 1, i + 1)]
            yield Fault(patches, None, f"the last row of {s.name}: {say(w, i)}")


@kind("orc-padding", "function", "orc-padding", note="it changes nothing: padding does not run")
def _(w, f):
    # What is before the row has no instruction that could be asked for: only padding.
    first = bisect.bisect_left(w.ips, f.start)
    if not 1 < first < w.count - 1 or w.ips[first] != f.start or w.row(first - 1).kind != "UNDEFINED":
        return None
    if not w.ips[first - 2] < w.ips[first - 1] < w.ips[first] or w.function(w.ips[first - 1]):
        return None
    return Fault([w.content(first - 1, w.row(first).raw)], [(w.ips[first - 1] - 16, w.ips[first])], f"padding before {f.name}")


def resized(section, size):
    return section.header + 0x20, struct.pack("<Q", size)


@kind("orc-deleted", "image", CFA + ("orc-size",), 2, "that symbols of the linker and the size differ is a second finding")
def _(w):
    for f in shuffled(w, w.plain_list):
        for i in usable(w, f, differs):
            ips = w.ips[:i] + w.ips[i + 1:]
            slot = w.ip_section.addr
            tail = b"".join(struct.pack("<i", ips[n] - slot - 4 * n) for n in range(i, len(ips)))
            rows = w.row_section.off
            content = w.data[rows + 6 * i + 6:rows + 6 * w.count]
            patches = [(w.ip_section.off + 4 * i, tail), (rows + 6 * i, content)]
            patches += [resized(w.ip_section, 4 * len(ips)), resized(w.row_section, 6 * len(ips))]
            yield Fault(patches, [w.room(i)], say(w, i))
            break


@kind("orc-truncated-row", "image", "orc-size")
def _(w):
    yield Fault([resized(w.row_section, 6 * w.count - 6)], None, "the last row of .orc_unwind")


@kind("orc-truncated-bytes", "image", "orc-size")
def _(w):
    yield Fault([resized(w.row_section, 6 * w.count - 3)], None, "the last 3 bytes of .orc_unwind")


@kind("orc-truncated-ip", "image", "orc-size")
def _(w):
    yield Fault([resized(w.ip_section, 4 * w.count - 4)], None, "the last address of .orc_unwind_ip")
    yield Fault([resized(w.ip_section, 4 * w.count - 1)], None, "the last byte of .orc_unwind_ip")


@kind("orc-truncated-both", "image", ("orc-size", "orc-terminator"))
def _(w):
    n = w.count - 1
    yield Fault([resized(w.ip_section, 4 * n), resized(w.row_section, 6 * n)], None, "the last row of both")


@kind("orc-header-other", "image", ("orc-version", "orc-header"))
def _(w):
    header = w.section(".orc_header")
    for known, version in HEADERS.items():
        if version != w.version:
            yield Fault([(header.off, bytes.fromhex(known))], None, f"that of version {version}")


@kind("orc-header-unknown", "image", "orc-header")
def _(w):
    header = w.section(".orc_header")
    yield Fault([(header.off, bytes(range(20)))], None, "numbers from 0 to 19")
    old = w.bytes(header)
    yield Fault([(header.off + 7, bytes([old[7] ^ 0x10]))], None, "one bit")


@kind("orc-header-cut", "image", ("orc-header", "orc-version", "orc-size"))
def _(w):
    yield Fault([resized(w.section(".orc_header"), 16)], None, "16 bytes")


@kind("orc-renumbered", "image", ("orc-version", "orc-header"))
def _(w):
    w.section(".orc_header")
    other = OLD_REGS if w.regs is NEW_REGS else NEW_REGS
    table = bytearray(w.bytes(w.row_section))
    number = [other.index(r) if r in other else 0 for r in w.regs] + [0] * 16
    for i in range(4, len(table), 6):
        b = table[i]
        table[i] = number[b & 15] | number[b >> 4] << 4
    yield Fault([(w.row_section.off, bytes(table))], None, "registers as before 7.1, or since")


# The exception table

def faulting(w, e):
    f = w.function(e.insn)
    if not f or f.end - f.start > 40000 or not w.in_text(e.insn):
        return None, None, None
    insns = w.insns(f)
    for n, insn in enumerate(insns):
        if insn.at == e.insn:
            return f, insn, insns[n + 1] if n + 1 < len(insns) else None
    return None, None, None


def order(w, e, insn):
    """Whether the table stays sorted, and each row alone, if this one is for `insn`."""
    before = w.entries[e.index - 1].insn if e.index else 0
    after = w.entries[e.index + 1].insn if e.index + 1 < len(w.entries) else MASK
    return before < insn < after


def told(w, e):
    third = f"handler {w.handler(e):#x}" if w.handlers else f"data {e.data:#x}"
    return f"entry {e.index}, {e.insn:#x} to {e.landing:#x}, {third}"


def around(w, *addrs):
    """The functions of addresses, as code and as claims."""
    found = [w.function(a) for a in addrs]
    return [f for f in found if f]


def at_entry(name, ids, limit=1, note=""):
    def add(change):
        @kind(name, "entry", ids, limit, note)
        def pick(w, e):
            f, insn, after = faulting(w, e)
            if not f:
                return None
            changed = change(w, e, f, insn, after)
            if not changed:
                return None
            where = [(e.insn, e.insn + insn.len)]
            if "insn" in changed:
                where.append((changed["insn"], changed["insn"] + 16))
            landing = changed.get("landing", e.landing)
            where.append((landing, landing + 1))
            return Fault([w.entry(e, **changed)], where, f"{told(w, e)}: {show(changed)}", claims=around(w, e.insn, landing))
        return pick
    return add


def show(changed):
    return ", ".join(f"{k} {v:#x}" for k, v in changed.items())


@at_entry("extable-insn-plus-1", "extable-boundary")
def _(w, e, f, insn, after):
    return insn.len > 1 and order(w, e, e.insn + 1) and {"insn": e.insn + 1}


@at_entry("extable-insn-minus-1", "extable-boundary")
def _(w, e, f, insn, after):
    before = [i for i in w.insns(f) if i.at + i.len == e.insn]
    return before and before[0].len > 1 and order(w, e, e.insn - 1) and {"insn": e.insn - 1}


def cannot_fault(insn):
    plain = ("mov", "add", "sub", "xor", "and", "or", "test", "cmp", "lea", "inc", "dec", "shl", "shr", "nop", "xchg", "j")
    return insn.op.startswith(plain) and (insn.op.startswith(("lea", "nop", "j")) or "(" not in insn.operands) \
        and "%cr" not in insn.operands and "%dr" not in insn.operands and ":" not in insn.operands \
        and not re.search(r"%[cdefgs]s\b", insn.operands) and not insn.operands.startswith("*") \
        and not insn.text.startswith(("rep", "lock"))


@at_entry("extable-insn-cannot-fault", "extable-safe")
def _(w, e, f, insn, after):
    return after and not w.in_site(after.at) and cannot_fault(after) and order(w, e, after.at) and {"insn": after.at}


@kind("extable-insn-outside", "image", "extable-outside",
      note="the table stays sorted only if it is the last row or the first")
def _(w):
    first, last = w.entries[0], w.entries[-1]
    end = w.text[-1].addr + w.text[-1].size
    yield Fault([w.entry(last, insn=end + 0x40)], None, told(w, last))
    yield Fault([w.entry(first, insn=w.text[0].addr - 0x40)], None, told(w, first))


@at_entry("extable-landing-plus-1", "extable-landing-boundary",
          note="a landing of one byte: the next is an instruction, too")
def _(w, e, f, insn, after):
    g = w.function(e.landing)
    there = g and [i for i in w.insns(g) if i.at == e.landing]
    return there and there[0].len > 1 and {"landing": e.landing + 1}


def elsewhere(w, e):
    for g in shuffled(w, w.plain_list[:400]):
        if g.start != w.function(e.insn).start and not w.replaced(g) and ".cold" not in g.name:
            return g


@at_entry("extable-landing-elsewhere", ("fixup-crosses", "fixup-orc"))
def _(w, e, f, insn, after):
    g = elsewhere(w, e)
    cfa = w.cfa(w.row_of(e.insn))
    for i in shuffled(w, w.insns(g)):
        if i.at in w.reached(g) and i.at > g.start + 16 and w.cfa(w.row_of(i.at)) != cfa:
            return {"landing": i.at}


@at_entry("extable-landing-elsewhere-same-cfa", "fixup-crosses")
def _(w, e, f, insn, after):
    g = elsewhere(w, e)
    cfa = w.cfa(w.row_of(e.insn))
    for i in shuffled(w, w.insns(g)):
        if i.at in w.reached(g) and i.at > g.start + 16 and w.cfa(w.row_of(i.at)) == cfa:
            return {"landing": i.at}


@at_entry("extable-landing-start", ("fixup-function", "fixup-handler", "fixup-orc"))
def _(w, e, f, insn, after):
    return {"landing": elsewhere(w, e).start}


@at_entry("extable-landing-other-cfa", "fixup-orc",
          note="a landing at another instruction of the function with the same CFA: only the source knows which is meant")
def _(w, e, f, insn, after):
    cfa = w.cfa(w.row_of(e.insn))
    for i in shuffled(w, w.insns(f)):
        if i.at in w.reached(f) and i.at != f.start and w.cfa(w.row_of(i.at))[:2] != cfa[:2] \
                and w.row(w.row_of(i.at)).kind == "CALL":
            return {"landing": i.at}


@at_entry("extable-landing-outside", "extable-landing-outside")
def _(w, e, f, insn, after):
    s = w.section(".rodata")
    return {"landing": s.addr + w.rng.randrange(s.size // 16) * 16}


def typed(w):
    if w.handlers:
        raise Skip("before 5.16 there are no types")


@at_entry("extable-type-zero", "extable-none")
def _(w, e, f, insn, after):
    typed(w)
    return {"data": e.data & ~0xFF}


@at_entry("extable-type-unknown", "extable-unknown")
def _(w, e, f, insn, after):
    typed(w)
    return {"data": e.data & ~0xFF | 60}


@at_entry("extable-type-msr", "extable-instruction",
          note="a type that does the same for the same instruction: DEFAULT and UACCESS differ in a warning only")
def _(w, e, f, insn, after):
    typed(w)
    return insn.op.startswith("mov") and e.data & 0xFF in (1, 3) and {"data": 8}


@at_entry("extable-reg-unused", "extable-argument")
def _(w, e, f, insn, after):
    typed(w)
    return e.data in (1, 2, 3, 5, 6, 8, 9) and {"data": e.data | 3 << 8}


@at_entry("extable-flag-unused", "extable-argument")
def _(w, e, f, insn, after):
    typed(w)
    return e.data in (5, 6, 8) and {"data": e.data | 4 << 12}


@at_entry("extable-imm-unused", "extable-argument")
def _(w, e, f, insn, after):
    typed(w)
    return e.data in (1, 2, 3, 5, 6, 8, 9) and {"data": e.data | 7 << 16}


@at_entry("extable-handler-plus-1", "extable-handler")
def _(w, e, f, insn, after):
    if not w.handlers:
        raise Skip("since 5.16 there are no handlers")
    return {"handler": w.handler(e) + 1}


@at_entry("extable-handler-function", ("extable-unknown", "extable-handler"))
def _(w, e, f, insn, after):
    if not w.handlers:
        raise Skip("since 5.16 there are no handlers")
    return {"handler": elsewhere(w, e).start}


@at_entry("extable-handler-msr", "extable-instruction")
def _(w, e, f, insn, after):
    if not w.handlers:
        raise Skip("since 5.16 there are no handlers")
    wrong = w.symbol("ex_handler_wrmsr_unsafe")[0]
    return insn.op.startswith("mov") and w.handler(e) != wrong and {"handler": wrong}


@kind("extable-duplicate", "entry", ("extable-ambiguous", "extable-twice"),
      note="a row that is missing: that an access may fault is not in the image")
def _(w, e):
    if e.index + 1 >= len(w.entries):
        return None
    after = w.entries[e.index + 1]
    if faulting(w, e)[0] is None or after.landing == e.landing or w.function(after.insn) is None:
        return None
    where = [(e.insn, e.insn + 16), (e.landing, e.landing + 1)]
    claims = around(w, e.insn, after.insn, e.landing, after.landing)
    return Fault([w.entry(e, landing=after.landing, index=e.index + 1)], where, told(w, e), claims=claims)


@kind("extable-swap", "image", "extable-unsorted", 2)
def _(w):
    for e in shuffled(w, w.entries):
        other = w.entries[(e.index + len(w.entries) // 2) % len(w.entries)]
        patches = [w.entry(e, index=other.index), w.entry(other, index=e.index)]
        yield Fault(patches, None, f"{told(w, e)} and {told(w, other)}")


@kind("extable-truncated-row", "image", "extable-size")
def _(w):
    s = w.section("__ex_table")
    yield Fault([resized(s, s.size - 12)], None, "the last row")


@kind("extable-truncated-bytes", "image", "extable-size")
def _(w):
    s = w.section("__ex_table")
    yield Fault([resized(s, s.size - 5)], None, "the last 5 bytes")


# Code

def own_code(w, f):
    """The code is the function's alone: no part of it lies elsewhere, none is replaced at boot."""
    return f"{f.name}.cold" not in w.by_name and f"{f.name}.cold.0" not in w.by_name and not w.replaced(f) \
        and not any(i.op.startswith("jmp") and (i.target is None or not f.start <= i.target < f.end)
                    and not is_return(w, i) for i in w.insns(f))


def is_return(w, insn):
    target = insn.target is not None and w.by_name.get("__x86_return_thunk")
    return bool(target) and target[0][0] == insn.target


def code(name, want, change, ids=("flow-cfa", "flow-base", "flow-return"), limit=1, note=""):
    @kind(name, "function", ids, limit, note)
    def pick(w, f):
        if f.end - f.start > 1500 or not own_code(w, f):
            return None
        for insn in shuffled(w, w.insns(f)):
            row = w.row(w.row_of(insn.at))
            if insn.at in w.reached(f) and want(insn) and row.kind == "CALL" and row.sp_reg == "SP":
                new = change(insn)
                assert len(new) == insn.len
                return Fault([(w.offset(insn.at), new)], [(f.start, f.end)], f"{insn.at:#x} {insn.text}: {new.hex()}")


code("code-push-lost", lambda i: i.op == "push" and i.len == 1, lambda i: b"\x90")
code("code-push-added", lambda i: i.op in ("mov", "xor", "test", "add") and i.len == 2 and "%" in i.operands
     and "(" not in i.operands, lambda i: b"\x41\x54")
code("code-push-for-nop", lambda i: i.op == "xchg" and i.len == 2 or i.text == "nop", lambda i: b"\x41\x54"[2 - i.len:]
     if i.len == 2 else b"\x53")
code("code-sub-plus-8", lambda i: i.op == "sub" and i.operands.endswith(",%rsp") and i.len == 4 and i.raw[3] < 0x70,
     lambda i: i.raw[:3] + bytes([i.raw[3] + 8]))
code("code-sub-minus-8", lambda i: i.op == "sub" and i.operands.endswith(",%rsp") and i.len == 4 and 8 < i.raw[3] < 0x70,
     lambda i: i.raw[:3] + bytes([i.raw[3] - 8]))
code("code-add-plus-8", lambda i: i.op == "add" and i.operands.endswith(",%rsp") and i.len == 4 and i.raw[3] < 0x70,
     lambda i: i.raw[:3] + bytes([i.raw[3] + 8]))
code("code-pop-lost", lambda i: i.op == "pop" and i.len == 1, lambda i: b"\x90")
code("code-add-lost", lambda i: i.op == "add" and i.operands.endswith(",%rsp") and i.len == 4, lambda i: b"\x0f\x1f\x40\x00")


# Call-frame information

def cfi_of(w, f):
    fde = w.fdes.get(f.start)
    return w.program(fde) if fde else []


def covers(w, f, program, n):
    """The first reachable instruction to which what stands at `n` applies, until the next of its kind."""
    at = program[n].loc
    later = [p.loc for p in program[n + 1:] if p.op in (0x0C, 0x0D, 0x0E, 0x0B, 0x0F) and p.loc > at]
    end = later[0] if later else f.end
    same = [p for p in program[n + 1:] if p.loc == at and p.op in (0x0C, 0x0D, 0x0E, 0x0B, 0x0F)]
    live = [i for i in w.insns(f) if at <= i.at < end and i.at in w.reached(f)]
    return live[0] if live and not same else None


def offset_kind(name, delta):
    @kind(name, "function", "agree-cfa", note="the same value at an address where another one follows")
    def pick(w, f):
        program = cfi_of(w, f)
        for n in shuffled(w, range(len(program))):
            p = program[n]
            if p.op == 0x0E and 16 <= p.args[0] < 120 and p.end - p.off == 2 and covers(w, f, program, n):
                return Fault([(p.off + 1, bytes([p.args[0] + delta]))], [(p.loc, f.end)], f"{f.name}: CFA {p.args[0]} at {p.loc:#x}")


offset_kind("cfi-offset-plus-8", 8)
offset_kind("cfi-offset-minus-8", -8)


@kind("cfi-advance", "function", "agree-cfa", note="an advance to an instruction that cannot be reached")
def _(w, f):
    program = cfi_of(w, f)
    last = [n for n, p in enumerate(program) if p.op == 0x40]
    if not last or any(p.op in (2, 3, 4) for p in program[last[-1]:]):
        return None
    p = program[last[-1]]
    to = p.loc + p.args[0]
    then = program[last[-1] + 1:]
    changes = [n for n, q in enumerate(then) if q.op in (0x0C, 0x0E)]
    delta = w.rng.choice([1, 2, 3])
    if not changes or p.args[0] + delta > 63 or to not in w.reached(f) or to + delta >= f.end:
        return None
    # What is there before must be another CFA.
    if w.cfa(w.row_of(to)) == w.cfa(w.row_of(to - 1)):
        return None
    return Fault([(p.off, bytes([0x40 | p.args[0] + delta]))], [(to, to + delta)], f"{f.name}: {to:#x} by {delta}")


@kind("cfi-bp-factor", "function", "agree-bp", note="where ORC has no rule for BP, and BP is not changed")
def _(w, f):
    program = cfi_of(w, f)
    for n, p in enumerate(program):
        if p.op == 0x80 and p.args[0] == 6 and p.args[1] < 100:
            live = [i for i in w.insns(f) if i.at >= p.loc and i.at in w.reached(f)]
            if live and w.row(w.row_of(p.loc)).bp_reg == "PREV_SP":
                return Fault([(p.end - 1, bytes([p.args[1] + 1]))], [(p.loc, f.end)], f"{f.name}: BP at {p.loc:#x}")


@kind("cfi-halved", "function", NO_CFI)
def _(w, f):
    fde = w.fdes[f.start]
    half = [i.at for i in w.insns(f) if i.at >= f.start + fde.size // 2]
    if half and any(at in w.reached(f) for at in half):
        return Fault([(fde.off + 16, struct.pack("<Q", half[0] - f.start))], [(f.start, f.end)], f"{f.name}: to {half[0]:#x}")


@kind("cfi-moved", "function", NO_CFI + ("agree-cfa",))
def _(w, f):
    fde = w.fdes[f.start]
    if len({w.cfa(i) for i in w.rows(f)}) > 1 and w.program(fde):
        return Fault([(fde.off + 8, struct.pack("<Q", f.start + 16))], [(f.start, f.end + 16)], f"{f.name}: by 16")


@kind("cfi-empty", "function", NO_CFI)
def _(w, f):
    fde = w.fdes[f.start]
    return Fault([(fde.off + 16, struct.pack("<Q", 0))], [(f.start, f.end)], f.name)


@kind("cfi-no-cie", "function", NO_CFI)
def _(w, f):
    fde = w.fdes[f.start]
    return Fault([(fde.off + 4, struct.pack("<I", fde.off - w.frame.off))], [(f.start, f.end)], f.name)


def alignment_kind(name, which, value):
    @kind(name, "function", ("agree-cfa", "agree-bp", "agree-return", *NO_CFI), None)
    def pick(w, f):
        cie = w.fdes[f.start].cie
        group = w.cies[cie]
        # Version 1 or 3, no augmentation, then the code's and the data's alignment.
        if len(group) > 3 or w.data[cie + 9] or w.data[cie + 10] != 1 or w.data[cie + 11] != 0x78:
            return None
        functions = [w.function(d.start) for d in group]
        program = cfi_of(w, f)
        moves = [p for p in program if p.op == 0x40]
        saves = [p for p in program if p.op == 0x80 and p.args[0] == 6]
        if any(g is None for g in functions) or len(moves) < 2 or not saves:
            return None
        where = [(g.start, g.end) for g in functions]
        return Fault([(cie + which, value)], where, f"{f.name}", claims=functions)


alignment_kind("cfi-code-alignment", 10, b"\x02")
alignment_kind("cfi-data-alignment", 11, b"\x7c")


@kind("cfi-cut", "image", NO_CFI)
def _(w):
    s = w.section(".debug_frame")
    yield Fault([resized(s, s.size // 2 // 8 * 8 + 12)], None, "the second half")
    yield Fault([resized(s, s.size - 12)], None, "the last 12 bytes")


# Symbols

def in_symtab(f, value=None, size=None):
    if value is not None:
        return f.entry + 8, struct.pack("<Q", value)
    return f.entry + 16, struct.pack("<Q", size)


@kind("symbol-halved", "read", ("lines-extent", "agree-extent"), note="the second half has no name")
def _(w, f):
    half = [i.at for i in w.insns(f) if i.at >= (f.start + f.end) // 2 and i.at in w.reached(f)]
    if f.end - f.start >= 64 and half:
        return Fault([in_symtab(f, size=half[0] - f.start)], [(f.start, f.end)], f"{f.name}: to {half[0]:#x}")


@kind("symbol-doubled", "read", ("lines-extent", "agree-extent"))
def _(w, f):
    n = w.number[f.start]
    after = w.functions[n + 1] if n + 1 < len(w.functions) else None
    if after and after.end < f.end + 64:
        size = after.start - f.start + (after.end - after.start) // 2
        return Fault([in_symtab(f, size=size)], [(f.start, after.end)], f"{f.name}: over {after.name}", claims=[after])


@kind("symbol-moved", "read", ("lines-function", "lines-extent", "lines-row", "agree-extent"))
def _(w, f):
    first = w.insns(f)[0]
    if first.len > 1:
        return Fault([in_symtab(f, value=f.start + 1)], [(f.start, f.end + 1)], f.name)


def renamed(w, f, new):
    """The patch of a name. Since 6.2 it may be the end of another one: that of the padding before the function."""
    name = w.by_name[f.name][0][3]
    if w.own_string(name):
        return w.section(".strtab").off + name, new


@kind("symbol-renamed", "read", "lines-function", note="that names of assembler are others: nothing else has them")
def _(w, f):
    if f"{f.name}.cold" in w.by_name or "." in f.name or len(f.name) < 6:
        return None
    patch = renamed(w, f, b"x" + f.name.encode()[1:-2] + b"zq")
    return patch and Fault([patch], [(f.start, f.end)], f.name)


@kind("symbol-cold-renamed", "cold", ("livepatch-orphan", "lines-function"))
def _(w, f):
    if len(w.by_name[f.name]) != 1 or len(w.by_name.get(f.name[:-5], ())) != 1:
        return None
    patch = renamed(w, f, b"zq" + f.name.encode()[2:])
    if patch and patch[1][:-5].decode() not in w.by_name:
        return Fault([patch], [(f.start, f.end)], f.name)


# Debug information

def shorter(name, section, share):
    @kind(name, "image", ("lines-section", "lines-unit", "lines-program"))
    def pick(w):
        s = w.section(section)
        yield Fault([resized(s, int(s.size * share) | 1)], None, f"{section} to {share:.0%}")


shorter("debug-info-cut", ".debug_info", 0.5)
shorter("debug-abbrev-cut", ".debug_abbrev", 0.5)
shorter("debug-line-cut", ".debug_line", 0.5)
shorter("debug-str-cut", ".debug_str", 0.3)


@kind("debug-unit-version", "image", "lines-unit")
def _(w):
    s = w.section(".debug_info")
    for at, size, version in shuffled(w, [u for u in w.units() if u[1] > 10000]):
        yield Fault([(s.off + at + 4, struct.pack("<H", 77))], None, f".debug_info+{at:#x}: version {version} to 77")


@kind("debug-unit-length", "image", "lines-unit")
def _(w):
    s = w.section(".debug_info")
    for at, size, version in shuffled(w, [u for u in w.units() if u[1] > 10000]):
        yield Fault([(s.off + at, struct.pack("<I", size + 100))], None, f".debug_info+{at:#x}: length {size} to {size + 100}")


@kind("debug-line-header", "image", ("lines-program", "lines-unit"), note="behind what --sample leaves out")
def _(w):
    s = w.section(".debug_line")
    at, all_at = s.off, []
    while at + 16 < s.off + s.size:
        size, version = struct.unpack_from("<IH", w.data, at)
        all_at.append((at, at + (8 if version >= 5 else 6), size))
        at += 4 + size
    # Units and their programs are in one order.
    if len(all_at) == len(w.units()):
        all_at = all_at[::w.sample]
    for at, length in shuffled(w, [p[:2] for p in all_at if p[2] > 2000]):
        yield Fault([(length, struct.pack("<I", 0x7FFFFFFF))], None, f".debug_line+{at - s.off:#x}")


@kind("debug-low-pc", "read", ("lines-function", "lines-extent", "lines-row"), 1, "behind what --sample leaves out")
def _(w, f):
    if f.end - f.start <= 200:
        return None
    s = w.section(".debug_info")
    word = struct.pack("<Q", f.start)
    at = w.data.find(word, s.off, s.off + s.size)
    if at >= 0 and w.data.find(word, at + 1, s.off + s.size) < 0:
        return Fault([(at, struct.pack("<Q", f.start + 64))], [(f.start, f.end + 64)], f.name)


# What changes nothing

@kind("harmless-bp-offset", "function", (), 0)
def _(w, f):
    for i in usable(w, f, lambda w, f, i: w.row(i).bp_reg == "UNDEFINED"):
        return Fault([w.changed(i, bp=-24)], [w.room(i)], say(w, i))


# Runs -----------------------------------------------------------------------------------------------------------------

def found(options, image):
    args = [options.fixtrace, "validate", "--json", *options.option, image]
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV)
    try:
        return json.loads(done.stdout.splitlines()[0])["findings"], None
    except (ValueError, IndexError, KeyError):
        return [], f"status {done.returncode}: {done.stderr.strip()[-300:]}"


def key(finding):
    return finding["id"], finding["function"], finding["place"], finding["message"]


def address(finding):
    return None if finding["address"] is None else int(str(finding["address"]), 0)


def brief(finding):
    at = address(finding)
    place = "image" if at is None else f"{at:#x} {finding['function']}+{finding['offset'] or 0:#x}"
    return f"{finding['id']} at {place}: {finding['message']}"


# What is found where no damage of any kind is.
NOBODY = "elsewhere"


class Baseline:
    """What the undamaged image has: each finding, and each id and address, where a message may have other numbers."""

    def __init__(self):
        self.keys = collections.Counter()
        self.places = set()


class Tally:
    def __init__(self):
        self.places = self.found = self.right = self.others = 0
        self.skip = ""
        self.seconds = 0.0
        self.by_id = collections.Counter()
        self.lines = []


def run(w, options, baseline, faults, tallies):
    """Runs an image with all `faults`, pairs of kind and fault."""
    undo = []
    for _, fault in faults:
        for off, new in fault.patches:
            undo.append((off, w.data[off:off + len(new)]))
            w.data[off:off + len(new)] = new
    begin = time.time()
    findings, error = found(options, w.path)
    for off, old in reversed(undo):
        w.data[off:off + len(old)] = old
    seconds = time.time() - begin
    left = collections.Counter(baseline.keys)
    new = []
    for finding in findings:
        if left[key(finding)] > 0:
            left[key(finding)] -= 1
        elif (finding["id"], finding["address"]) not in baseline.places or finding["address"] is None:
            new.append(finding)
    mine = [[] for _ in faults]
    for finding in new:
        at = address(finding)
        owner = None
        for n, (_, fault) in enumerate(faults):
            if fault.where is None or (at is None and len(faults) == 1):
                owner = n
            elif at is not None and any(lo <= at < hi for lo, hi in fault.where):
                owner = n
                break
        if owner is None:
            kinds = {k.name for k, _ in faults}
            tally = tallies[kinds.pop() if len(kinds) == 1 else NOBODY]
            tally.others += 1
            tally.lines.append(f"  without need: {brief(finding)}" + ("" if len(faults) > 1 else f", for {faults[0][1].what}"))
        else:
            mine[owner].append(finding)
    for (k, fault), hits in zip(faults, mine):
        tally = tallies[k.name]
        tally.seconds += seconds / len(faults)
        tally.places += 1
        right = [h for h in hits if h["id"] in k.ids]
        wrong = [h for h in hits if h["id"] not in k.ids]
        limit = k.limit
        tally.by_id.update(h["id"] for h in hits)
        if not k.ids:
            tally.found += not hits
            tally.right += not hits
        else:
            tally.found += bool(hits)
            tally.right += bool(right)
        tally.others += len(wrong)
        if error:
            tally.lines.append(f"  no answer: {fault.what}: {error}")
        elif k.ids and not hits:
            tally.lines.append(f"  missed: {fault.what}")
        for h in wrong[:3]:
            tally.lines.append(f"  wrong id: {fault.what}: {brief(h)}")
        if limit is not None and len(right) > limit:
            tally.others += len(right) - limit
            tally.lines.append(f"  {len(right)} findings for one: {fault.what}:")
            tally.lines += [f"    {brief(h)}" for h in right[:4]]
    return error


def choose(w, k, places, used, taken):
    """Places for a kind; functions in `used` belong to another damage of the same image, `taken` had a finding before."""
    out = []
    if k.over == "image":
        return list(itertools.islice(k.pick(w), places))
    things = {"function": w.plain_list, "read": w.read_list, "entry": w.entries, "cold": w.colds}[k.over]
    for thing in shuffled(w, things):
        if len(out) >= places:
            break
        home = w.function(thing.insn) if k.over == "entry" else thing
        if not home or free(w, [home], used, taken) is None:
            continue
        fault = k.pick(w, thing)
        if not fault:
            continue
        mine = free(w, [home, *fault.claims], used, taken)
        if mine is None:
            continue
        used |= mine
        out.append(fault)
    return out


def free(w, functions, used, taken):
    """Numbers of functions with their neighbours, if none is used."""
    numbers = {w.number[f.start] for f in functions}
    if numbers & used or numbers & taken:
        return None
    return {n + d for n in numbers for d in (-1, 0, 1)}


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("fixtrace", nargs="?")
    parser.add_argument("vmlinux", nargs="?")
    parser.add_argument("--places", type=int, default=20)
    parser.add_argument("--globals", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", default=[])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--together", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--write", metavar="DIR")
    parser.add_argument("--sample", type=int, default=64)
    parser.add_argument("--option", action="append", default=[])
    options = parser.parse_args()
    kinds = [k for k in ALL if not options.kind or any(fnmatch.fnmatch(k.name, p) for p in options.kind)]
    if options.list:
        for k in kinds:
            print(f"{k.name:36} {k.over:9} {' '.join(k.ids) or 'nothing'}")
        return 0
    if not options.vmlinux or not kinds:
        parser.error("a program and an image are needed, or there is no such kind")
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, os.path.basename(options.vmlinux))
        return work(options, kinds, World(options.vmlinux, copy, random.Random(options.seed)))


def work(options, kinds, w):
    w.sample = options.sample
    options.option += ["--sample", str(options.sample)]
    plain = w.plain()
    w.read_list = w.sampled(plain, options.sample)
    w.plain_list = plain[:POOL]
    w.colds = [f for f in w.functions if f.name.endswith(".cold")]
    w.decode(w.plain_list)
    baseline, taken = Baseline(), set()
    if not options.write and not options.show:
        findings, error = found(options, w.path)
        if error:
            sys.exit(f"the undamaged image: {error}")
        baseline.keys.update(map(key, findings))
        baseline.places |= {(f["id"], f["address"]) for f in findings}
        print(f"{len(findings)} findings of the undamaged image: {dict(collections.Counter(f['id'] for f in findings))}")
        for f in findings:
            at = address(f)
            home = at is not None and w.function(at)
            if home:
                taken.add(w.number[home.start])
    tallies = {k.name: Tally() for k in kinds}
    tallies[NOBODY] = Tally()
    images = []
    used = set()
    for k in kinds:
        # Each kind has its own dice, so that it takes the same places alone and among others.
        w.rng = random.Random(f"{options.seed} {k.name}")
        limit = options.places
        if k.over == "image" and options.globals is not None:
            limit = options.globals
        begin = time.time()
        try:
            before = set(used) if options.together and k.over != "image" else set()
            faults = choose(w, k, limit, before, taken)
            joins = options.together and used and k.over != "image"
            if joins and len(faults) < limit:
                # The image is full: the next one.
                w.rng = random.Random(f"{options.seed} {k.name}")
                before, joins = set(), False
                faults = choose(w, k, limit, before, taken)
            if k.over != "image":
                used = before
            if options.verbose:
                print(f"{k.name}: {len(faults)} places in {time.time() - begin:.1f} s", file=sys.stderr, flush=True)
        except Skip as why:
            tallies[k.name].skip = str(why)
            continue
        if k.over == "image" or options.single:
            images += [[(k, f)] for f in faults]
        elif faults and joins:
            shared += [(k, f) for f in faults]
        elif faults:
            shared = [(k, f) for f in faults]
            images.append(shared)
    if options.write or options.show:
        for k in kinds:
            if tallies[k.name].skip:
                print(f"{k.name}: {tallies[k.name].skip}")
        for faults in images:
            show_image(options, w, faults)
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cut = False
    try:
        for n, faults in enumerate(images):
            run(w, options, baseline, faults, tallies)
            if sys.stderr.isatty():
                print(f"\r{n + 1}/{len(images)}", end="", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"stopped after {n} of {len(images)} images")
        cut = True
    return report(kinds, tallies) or cut


def show_image(options, w, faults):
    path = faults[0][0].name
    if options.write:
        os.makedirs(options.write, exist_ok=True)
        path = os.path.join(options.write, path)
        if not os.path.exists(path):
            shutil.copyfile(w.path, path)
            with open(path, "r+b") as file:
                for _, fault in faults:
                    for off, new in fault.patches:
                        file.seek(off)
                        file.write(new)
    print(f"{path}: {len(faults)}")
    for k, fault in faults:
        where = " ".join(f"{lo:#x}-{hi:#x}" for lo, hi in fault.where or [])
        print(f"  {fault.what} [{where}] {' '.join(k.ids)}")


def report(kinds, tallies):
    print(f"{'kind':36} places found right others seconds  ids; what of it cannot be seen")
    bad = 0
    for k in kinds:
        t = tallies[k.name]
        ids = " ".join(f"{i}:{n}" for i, n in t.by_id.most_common(4))
        note = f"(none: {t.skip})" if t.skip else "; ".join(filter(None, [ids, k.note]))
        print(f"{k.name:36} {t.places:6} {t.found:5} {t.right:5} {t.others:6} {t.seconds:7.1f}  {note}")
        bad += t.places - t.right + t.others
    right = {k.name: " or ".join(k.ids) or "nothing" for k in kinds}
    for name, tally in tallies.items():
        if tally.lines:
            print(f"\n{name} (right: {right.get(name, 'nothing')}):")
            print("\n".join(tally.lines[:SHOWN]))
            if len(tally.lines) > SHOWN:
                print(f"  and {len(tally.lines) - SHOWN} more")
    bad += tallies[NOBODY].others
    total = sum(t.places for t in tallies.values())
    seen = sum(t.right for t in tallies.values())
    others = sum(t.others for t in tallies.values())
    print(f"\n{len(kinds)} kinds, {total} places, {seen} right, {others} findings without need")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
