#!/usr/bin/env python3
"""Writes testdata/truth/: facts about four real kernels, found without any fixtrace code.

usage: testdata/truth.py [-o DIR] [VERSION...]

Reads the kernels that testdata/fetch-kernels.sh unpacked (environment: FIXTRACE_KERNELS).
Symbols, section headers, notes and disassembly of vmlinux come from the binutils programs
readelf, nm, objdump and addr2line; table words are read with struct. Modules, which are
relocatable, are read with struct alone. Nothing here is shared with the Rust code, so that
the two can be compared.

Per kernel: VERSION.json          summary
            VERSION.extable.tsv   every __ex_table entry of vmlinux
            VERSION.modules.tsv   every __ex_table entry of every module
and for 5.10 5.10.fixups.tsv      a forward walk from every landing outside all functions

Terms: entry = (insn, fixup, third word); landing = the fixup address; a function = a symbol
of type FUNC or NOTYPE with size > 0 in an executable section. When several cover an address
the choice is: FUNC before NOTYPE, then the later start, then the smaller size, then GLOBAL
before WEAK before LOCAL, then the name; the names of equal extent are listed as aliases.
"-" in a tsv column means none.
"""
import bisect
import collections
import glob
import hashlib
import json
import lzma
import os
import re
import struct
import subprocess
import sys

RELEASES = {
    "5.10": "5.10.0-32-cloud-amd64",
    "6.1": "6.1.0-50-cloud-amd64",
    "6.12": "6.12.107+deb13-cloud-amd64",
    "7.2": "7.2.13+deb14-cloud-amd64",
}
TYPED = {"5.10": False, "6.1": True, "6.12": True, "7.2": True}
ENV = dict(os.environ, LC_ALL="C")
BIND_RANK = {"GLOBAL": 0, "WEAK": 1, "LOCAL": 2}


def run(*args, stdin=None):
    return subprocess.run(args, input=stdin, stdout=subprocess.PIPE, env=ENV, check=True, text=True).stdout


def is_cold(name):
    return re.search(r"\.cold(\.\d+)?$", name) is not None


Sym = collections.namedtuple("Sym", "start size kind bind name")


class Funcs:
    """Sized FUNC/NOTYPE symbols of one address space."""

    def __init__(self, syms):
        self.syms = sorted((s for s in syms if s.size > 0), key=lambda s: (s.start, s.size, s.name))
        self.starts = [s.start for s in self.syms]
        self.maxend, end = [], 0  # the largest end among the symbols up to here
        for s in self.syms:
            end = max(end, s.start + s.size)
            self.maxend.append(end)

    def covering(self, addr):
        """All symbols covering addr, the chosen one first."""
        out = []
        i = bisect.bisect_right(self.starts, addr) - 1
        while i >= 0 and self.maxend[i] > addr:
            if self.syms[i].start + self.syms[i].size > addr:
                out.append(self.syms[i])
            i -= 1
        out.sort(key=lambda s: (s.kind != "FUNC", -s.start, s.size, BIND_RANK.get(s.bind, 3), s.name))
        return out

    def at(self, addr):
        c = self.covering(addr)
        return c[0] if c else None

    def name(self, addr):
        s = self.at(addr)
        return s.name if s else None

    def names(self, addr):
        """All names with the extent of the chosen symbol."""
        c = self.covering(addr)
        return [s.name for s in c if (s.start, s.size) == (c[0].start, c[0].size)] if c else []

    def gap(self, addr):
        """The unsized range around addr: end of what is before, start of what follows, and the name before."""
        i = bisect.bisect_right(self.starts, addr)
        lo = self.maxend[i - 1]
        before = max((s for s in self.syms[:i] if s.start + s.size == lo), key=lambda s: (s.kind == "FUNC", s.start, s.name))
        return lo, self.syms[i].start, before.name

    def where(self, addr):
        s = self.at(addr)
        return "%s+0x%x" % (s.name, addr - s.start) if s else "-"


class Vmlinux:
    def __init__(self, path):
        self.path = path
        self.sections = {}
        self.exec_index = set()
        self.entsize = {}
        for line in run("readelf", "-SW", path).splitlines():
            m = re.match(r"\s*\[\s*(\d+)\]\s+(\S+)\s+(\S+)\s+([0-9a-f]+)\s+([0-9a-f]+)\s+([0-9a-f]+)\s+([0-9a-f]+)\s+(\S*)\s+\d+\s+\d+\s+\d+$", line)
            if not m:
                continue
            idx, name, kind, addr, off, size, ent, flags = m.groups()
            self.sections[name] = (kind, int(addr, 16), int(off, 16), int(size, 16))
            self.entsize[name] = int(ent, 16)
            if "X" in flags:
                self.exec_index.add(int(idx))
        self.symbols = []  # FUNC/NOTYPE in executable sections, sized or not
        for line in run("readelf", "-sW", path).splitlines():
            f = line.split()
            if len(f) < 8 or not f[0].endswith(":") or not f[6].isdigit():
                continue
            if f[3] in ("FUNC", "NOTYPE") and int(f[6]) in self.exec_index:
                self.symbols.append(Sym(int(f[1], 16), int(f[2], 0), f[3], f[4], f[7]))
        self.funcs = Funcs(self.symbols)
        self.nm = collections.defaultdict(list)  # address -> names
        self.addr = {}  # name -> address, for names that occur once
        for line in run("nm", path).splitlines():
            f = line.split()
            if len(f) == 3:
                self.nm[int(f[0], 16)].append(f[2])
                self.addr[f[2]] = None if f[2] in self.addr else int(f[0], 16)

    def data(self, name):
        kind, addr, off, size = self.sections[name]
        assert kind != "NOBITS", name
        with open(self.path, "rb") as f:
            f.seek(off)
            b = f.read(size)
        assert len(b) == size, name
        return addr, b

    def build_id(self):
        return re.search(r"Build ID: ([0-9a-f]+)", run("readelf", "-nW", self.path)).group(1)

    def sha256(self):
        h = hashlib.sha256()
        with open(self.path, "rb") as f:
            for b in iter(lambda: f.read(1 << 20), b""):
                h.update(b)
        return h.hexdigest()


def orc(vm):
    base, ips = vm.data(".orc_unwind_ip")
    _, raw = vm.data(".orc_unwind")
    n = len(ips) // 4
    assert len(ips) == 4 * n and len(raw) == 6 * n, "ORC tables of different length"
    ip = [base + 4 * i + w for i, (w,) in enumerate(struct.iter_unpack("<i", ips))]
    rows = [raw[6 * i:6 * i + 6] for i in range(n)]
    stride = n // 40
    show = lambda i: ["%016x" % ip[i], rows[i].hex()]
    res = {
        "rows": n,
        "distinct_values": len(set(rows)),
        "duplicate_ips": n - len(set(ip)),
        "sorted": all(a <= b for a, b in zip(ip, ip[1:])),
        "first": [show(i) for i in range(3)],
        "last": [show(i) for i in range(n - 3, n)],
        "sample_stride": stride,
        "sample": [[i] + show(i) for i in range(0, 40 * stride, stride)],
        "header": vm.data(".orc_header")[1].hex() if ".orc_header" in vm.sections else None,
    }
    return res


Entry = collections.namedtuple("Entry", "insn fixup third third_addr")


def extable(vm):
    base, b = vm.data("__ex_table")
    assert len(b) % 12 == 0
    out = []
    for i, (a, f, t) in enumerate(struct.iter_unpack("<iii", b)):
        p = base + 12 * i
        out.append(Entry(p + a, p + 4 + f, t, p + 8 + t))
    return out


def addr2line(vm, addrs):
    lines = run("addr2line", "-f", "-e", vm.path, stdin="".join("0x%x\n" % a for a in addrs)).splitlines()
    assert len(lines) == 2 * len(addrs), "addr2line: two lines for each address expected"
    return lines[0::2]


def extable_facts(vm, entries, typed):
    fn = vm.funcs
    hist = collections.Counter()
    for e in entries:
        if typed:
            hist[str(e.third & 0xff)] += 1
        else:
            hist["/".join(sorted(vm.nm.get(e.third_addr, ["?"])))] += 1
    outside = [e for e in entries if not fn.at(e.fixup)]
    outside_func = [e for e in entries if not any(s.kind == "FUNC" for s in fn.covering(e.fixup))]
    other, cold = [], 0
    aliases = {}
    for e in entries:
        a, l = fn.at(e.insn), fn.at(e.fixup)
        for addr in (e.insn, e.fixup):
            names = fn.names(addr)
            if len(names) > 1:
                aliases[names[0]] = sorted(names[1:])
        if l and (not a or (a.start, a.size) != (l.start, l.size)):
            other.append(["%016x" % e.insn, a.name if a else None, "%016x" % e.fixup, l.name])
        if a and l and any(n in ("%s.cold" % m for m in fn.names(e.insn)) for n in fn.names(e.fixup)):
            cold += 1
    return {
        "entries": len(entries),
        "stride": 12,
        "sh_entsize": vm.entsize["__ex_table"],
        "sorted": all(a.insn <= b.insn for a, b in zip(entries, entries[1:])),
        "third_word": "type" if typed else "handler",
        "histogram": dict(hist),
        "landing_outside_functions": len(outside),
        "landing_outside_func_symbols": len(outside_func),
        "landing_outside_functions_distinct": len({e.fixup for e in outside}),
        "insn_outside_functions": ["%016x" % e.insn for e in entries if not fn.at(e.insn)],
        "fixup_is_insn": sum(e.fixup == e.insn for e in entries),
        "landing_in_other_function": other,
        "landing_in_cold_of_insn_function": cold,
        "aliases": aliases,
    }


def write_extable(vm, entries, path):
    names = addr2line(vm, [e.insn for e in entries])
    with open(path, "w") as f:
        f.write("insn\tfixup\tthird\tfunction\taddr2line\n")
        for e, n in zip(entries, names):
            f.write("%016x\t%016x\t%d\t%s\t%s\n" % (e.insn, e.fixup, e.third, vm.funcs.name(e.insn) or "-", n))


# ---- the walk through code outside all functions (5.10) -----------------------------------

Insn = collections.namedtuple("Insn", "addr length flow target text")


def disassemble(vm, lo, hi):
    """{address: Insn}; flow is next, cond, jmp, ret or stop."""
    out = {}
    text = run("objdump", "-d", "-w", "--start-address=0x%x" % lo, "--stop-address=0x%x" % hi, vm.path)
    for line in text.splitlines():
        m = re.match(r"\s*([0-9a-f]{8,16}):\t((?:[0-9a-f]{2} )+)\s*\t?(.*)$", line)
        if not m:
            continue
        addr, nbytes, asm = int(m.group(1), 16), len(m.group(2).split()), m.group(3).strip()
        words = asm.split()
        op = next((w for w in words if w not in ("bnd", "notrack", "cs", "ds", "data16", "rep", "repz", "repnz", "lock")), "")
        flow, target = "next", None
        t = re.search(r"\s([0-9a-f]{8,16})(?: <.*>)?$", asm)
        if op.startswith("j"):
            target = int(t.group(1), 16) if t and "*" not in asm else None
            flow = ("jmp" if op in ("jmp", "jmpq") else "cond") if target else "stop"
        elif op.startswith("ret") or op.startswith("iret"):
            flow = "ret"
        elif op.startswith("ud2") or op in ("(bad)", "hlt", "int3"):
            flow = "stop"
        out[addr] = Insn(addr, nbytes, flow, target, asm)
    return out


def walk(start, code, inside, vm):
    """Instructions from start on that are inside, and the ways out: (kind, address or None)."""
    seen, exits, todo = {}, [], [start]
    while todo:
        a = todo.pop()
        if a in seen:
            continue
        if not inside(a):
            if ("fall", a) not in exits:
                exits.append(("fall", a))
            continue
        i = code[a]  # KeyError: the disassembly is not in step, which must not pass unseen
        seen[a] = i
        if i.flow in ("next", "cond"):
            todo.append(a + i.length)
        if i.flow in ("jmp", "cond"):
            names = vm.nm.get(i.target, [])
            if "__x86_return_thunk" in names:
                out = ("ret-thunk", i.target)
            elif inside(i.target):
                todo.append(i.target)
                continue
            else:
                out = ("jmp" if vm.funcs.at(i.target) else "tail", i.target)
            if out not in exits:
                exits.append(out)
        elif i.flow in ("ret", "stop"):
            if (i.flow, None) not in exits:
                exits.append((i.flow, None))
    return [seen[a] for a in sorted(seen)], exits


def fixups(vm, entries, path):
    lo, hi = vm.addr["__static_call_text_end"], vm.addr["__indirect_thunk_start"]
    fn = vm.funcs
    in_fixup = lambda a: lo <= a < hi and not fn.at(a)
    code = disassemble(vm, lo, hi)
    by_landing = collections.defaultdict(list)
    for e in entries:
        if not fn.at(e.fixup):
            by_landing[e.fixup].append(e)
    # First the landings in the .fixup text, then the unsized gaps they or other entries reach.
    blocks = {}
    for l in by_landing:
        if in_fixup(l):
            blocks[l] = walk(l, code, in_fixup, vm)
    gap_starts = {l for l in by_landing if l not in blocks}
    gap_starts |= {t for _, ex in blocks.values() for k, t in ex if k == "tail"}
    gaps = {}
    for g in gap_starts:
        glo, ghi, before = fn.gap(g)
        gaps[g] = (glo, ghi, before)
        dis = disassemble(vm, glo, ghi)
        blocks[g] = walk(g, dis, lambda a, glo=glo, ghi=ghi: glo <= a < ghi, vm)
    # Origins: the functions of the faulting instructions; passed on along "tail" exits, and to
    # entries whose instruction itself lies in such a block. Repeated until nothing changes.
    origins = {l: {fn.name(e.insn) for e in by_landing.get(l, ()) if fn.at(e.insn)} for l in blocks}
    holds = collections.defaultdict(set)  # instruction -> landings whose block holds it
    for l, (insns, _) in blocks.items():
        for i in insns:
            holds[i.addr].add(l)
    changed = True
    while changed:
        changed = False
        for l, (_, exits) in blocks.items():
            gain = [(t, origins[l]) for k, t in exits if k == "tail"]
            for e in by_landing.get(l, ()):
                if not fn.at(e.insn):
                    gain += [(l, origins[h]) for h in holds[e.insn]]
            for t, o in gain:
                if not o <= origins[t]:
                    origins[t] |= o
                    changed = True
    of_insn = {a: set().union(*(origins[l] for l in ls)) for a, ls in holds.items()}

    def leave(k, t):
        if k in ("ret", "stop"):
            return k
        if k == "tail":
            b, _, name = fn.gap(t)
            return "tail %016x after %s+0x%x" % (t, name, t - max(s.start for s in fn.syms if s.name == name and s.start + s.size == b))
        return "%s %016x %s" % (k, t, fn.where(t))

    ends = collections.Counter()
    with open(path, "w") as f:
        f.write("landing\tplace\tentries\torigins\tinstructions\tleaves\torigins_of_shared_instructions\n")
        for l in sorted(blocks):
            insns, exits = blocks[l]
            place = "fixup" if l not in gaps else "after " + gaps[l][2]
            shared = ["%016x=%s" % (i.addr, ",".join(sorted(of_insn[i.addr]))) for i in insns if len(of_insn[i.addr]) > 1]
            if place == "fixup":
                back = {t for k, t in exits if k == "jmp" and fn.name(t) in origins[l]}
                kinds = {"back into an origin function" if (k == "jmp" and t in back) else "jump to another function" if k == "jmp" else k for k, t in exits}
                ends["; ".join(sorted(kinds))] += 1
            f.write("\t".join([
                "%016x" % l, place, str(len(by_landing.get(l, ()))), ",".join(sorted(origins[l])) or "-",
                ",".join("%016x:%d" % (i.addr, i.length) for i in insns),
                "; ".join(leave(k, t) for k, t in exits), "; ".join(shared) or "-"]) + "\n")
    fix = {a for a in holds if in_fixup(a)}
    return {
        "landings": len(blocks),
        "landings_in_fixup_text": sum(l not in gaps for l in blocks),
        "landings_with_one_origin": sum(len(o) == 1 for o in origins.values()),
        "fixup_landings_with_one_origin": sum(len(origins[l]) == 1 for l in blocks if l not in gaps),
        "fixup_instructions": len(fix),
        "fixup_instructions_with_one_origin": sum(len(of_insn[a]) == 1 for a in fix),
        "fixup_instructions_not_reached": len([a for a in code if in_fixup(a) and a not in holds]),
        "other_instructions": len(holds) - len(fix),
        "fixup_ends": dict(ends),
        "tails": [["%016x" % l, gaps[l][2], len(by_landing.get(l, ())), sorted(origins[l])] for l in sorted(gaps)],
        "prior_symbol": dict(prior(vm, [e.fixup for e in entries if not fn.at(e.fixup)])),
    }


def prior(vm, addrs):
    """What a lookup that ignores sizes says."""
    keys = sorted(a for a in vm.nm if any(not n.startswith("$") for n in vm.nm[a]))
    c = collections.Counter()
    for a in addrs:
        c["/".join(sorted(vm.nm[keys[bisect.bisect_right(keys, a) - 1]]))] += 1
    return c


# ---- modules ------------------------------------------------------------------------------


class Module:
    """A relocatable 64-bit little-endian ELF file."""

    def __init__(self, blob):
        assert blob[:6] == b"\x7fELF\x02\x01"
        shoff, = struct.unpack_from("<Q", blob, 0x28)
        shentsize, shnum, shstrndx = struct.unpack_from("<HHH", blob, 0x3a)
        if shnum == 0 or shstrndx == 0xffff:  # counts that do not fit are in section 0
            size0, link0 = struct.unpack_from("<QI", blob, shoff + 32)
            shnum = shnum or size0
            shstrndx = link0 if shstrndx == 0xffff else shstrndx
        self.blob = blob
        self.sh = []  # (name, type, flags, offset, size, link, info)
        for i in range(shnum):
            n, t, fl, _, off, size, link, info = struct.unpack_from("<IIQQQQII", blob, shoff + i * shentsize)
            self.sh.append([n, t, fl, off, size, link, info])
        stroff = self.sh[shstrndx][3]
        for s in self.sh:
            s[0] = self.cstr(stroff + s[0])

    def cstr(self, off):
        return self.blob[off:self.blob.index(b"\0", off)].decode()

    def index(self, name):
        return next((i for i, s in enumerate(self.sh) if s[0] == name), None)

    def load_symbols(self):
        tab = next(s for s in self.sh if s[1] == 2)
        stroff = self.sh[tab[5]][3]
        self.syms = []  # (name, type, bind, section index, value, size)
        for off in range(tab[3], tab[3] + tab[4], 24):
            n, info, _, shndx, value, size = struct.unpack_from("<IBBHQQ", self.blob, off)
            self.syms.append((self.cstr(stroff + n), info & 15, info >> 4, shndx, value, size))
        per = collections.defaultdict(list)
        for name, t, b, shndx, value, size in self.syms:
            if t in (0, 2) and name and 0 < shndx < 0xff00 and self.sh[shndx][2] & 4:
                per[shndx].append(Sym(value, size, "FUNC" if t == 2 else "NOTYPE", {0: "LOCAL", 1: "GLOBAL", 2: "WEAK"}.get(b, "?"), name))
        self.funcs = {i: Funcs(v) for i, v in per.items()}

    def func(self, sec, off):
        f = self.funcs.get(sec)
        return f.at(off) if f else None

    def entries(self):
        """[(insn section, offset), (fixup section, offset), third: symbol name or int]"""
        ex = self.index("__ex_table")
        off, size = self.sh[ex][3], self.sh[ex][4]
        assert size % 12 == 0
        words = [None] * (size // 4)
        for s in self.sh:
            if s[1] == 4 and s[6] == ex:
                for r in range(s[3], s[3] + s[4], 24):
                    where, info, addend = struct.unpack_from("<QQq", self.blob, r)
                    kind, sym = info & 0xffffffff, info >> 32
                    assert kind == 2 and where % 4 == 0 and words[where // 4] is None, "relocation of unexpected kind"
                    words[where // 4] = (self.syms[sym], addend)
        out = []
        for i in range(0, len(words), 3):
            # PC-relative to the word itself, so the target is symbol + addend.
            place = [(s[3], s[4] + a) for s, a in words[i:i + 2]]
            if words[i + 2]:
                s, a = words[i + 2]
                third = s[0] if a == 0 and s[0] else "%s+0x%x" % (s[0] or self.sh[s[3]][0], a)
            else:
                third, = struct.unpack_from("<i", self.blob, off + 4 * (i + 2))
            out.append((place[0], place[1], third))
        return out


def modules(top, tsv):
    table, out_of, hists = {}, collections.Counter(), {}
    count = 0
    with open(tsv, "w") as f:
        f.write("module\tindex\tinsn_section\tinsn_offset\tfunction\tlanding_section\tlanding_offset\tlanding_function\n")
        paths = glob.glob(os.path.join(glob.escape(top), "**", "*.ko*"), recursive=True)
        for path in sorted(paths, key=os.path.basename):
            name = os.path.basename(path).split(".ko")[0]
            with open(path, "rb") as g:
                blob = g.read()
            m = Module(lzma.decompress(blob) if path.endswith(".xz") else blob)
            count += 1
            if m.index("__ex_table") is None:
                continue
            m.load_symbols()
            ents = m.entries()
            assert name not in table, "two modules named " + name
            n = collections.Counter({"fixup": 0, "cold": 0, "elsewhere": 0})
            hist = collections.Counter()
            for i, (a, l, third) in enumerate(ents):
                fa, fl = m.func(*a), m.func(*l)
                lsec = m.sh[l[0]][0]
                kind = "fixup" if lsec == ".fixup" else "cold" if fl and is_cold(fl.name) else "elsewhere"
                n[kind] += 1
                same = a[0] == l[0] and fa and fl and fa[:2] == fl[:2]
                if kind == "elsewhere" and not same:
                    out_of[(name, "elsewhere", fa.name if fa else None, fl.name if fl else None, lsec)] += 1
                elif kind == "cold":
                    own = fa and re.sub(r"\.cold(\.\d+)?$", "", fl.name) in m.funcs[a[0]].names(a[1])
                    out_of[(name, "cold of the function" if own else "cold of another function" if not same else "cold, insn in it too", fa.name if fa else None, fl.name, lsec)] += 1
                elif kind == "fixup" and fl:
                    out_of[(name, "named in .fixup", "*", fl.name, lsec)] += 1
                hist[third if isinstance(third, str) else str(third & 0xff)] += 1
                f.write("\t".join([name, str(i), m.sh[a[0]][0], "%x" % a[1], fa.name if fa else "-", lsec, "%x" % l[1], fl.name if fl else "-"]) + "\n")
            table[name] = dict(n, entries=len(ents))
            if name in ("kvm", "kvm-intel"):
                hists[name] = dict(hist)
    total = collections.Counter()
    for v in table.values():
        total.update(v)
    return {
        "modules": count,
        "with_extable": len(table),
        "total": dict(total),
        "table": table,
        "histogram": hists,
        "out_of_function": sorted(([*k, c] for k, c in out_of.items()), key=str),
    }


def pretty(obj):
    """Sorted and indented, lists and objects without further nesting on one line."""
    text = json.dumps(obj, indent=1, sort_keys=True)
    flat = lambda m: re.sub(r"\n\s*", " ", m.group(0))
    return re.sub(r"\[[^\[\]{}]*\]|\{[^\[\]{}]*\}", flat, text) + "\n"


def main():
    args = sys.argv[1:]
    out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "truth")
    if args[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return
    if args[:1] == ["-o"]:
        out, args = args[1], args[2:]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    kernels = os.environ.get("FIXTRACE_KERNELS") or os.path.join(cache, "fixtrace-test", "kernels")
    os.makedirs(out, exist_ok=True)
    for v in args or list(RELEASES):
        rel = RELEASES[v]
        top = os.path.join(kernels, v)
        vm = Vmlinux(os.path.join(top, "debug", "boot", "vmlinux-" + rel))
        entries = extable(vm)
        prefix = os.path.join(out, v)
        res = {
            "release": rel,
            "build_id": vm.build_id(),
            "vmlinux_sha256": vm.sha256(),
            "orc": orc(vm),
            "extable": extable_facts(vm, entries, TYPED[v]),
        }
        write_extable(vm, entries, prefix + ".extable.tsv")
        if v == "5.10":
            names = ("__static_call_text_end", ".E_copy", "__indirect_thunk_start")
            res["fixup_text"] = {n: "%016x" % vm.addr[n] for n in names}
            res["fixup_walk"] = fixups(vm, entries, prefix + ".fixups.tsv")
        res["modules"] = modules(os.path.join(top, "lib", "modules", rel), prefix + ".modules.tsv")
        with open(prefix + ".json", "w") as f:
            f.write(pretty(res))
        print("%s: %d ORC rows, %d entries, %d modules with entries" % (v, res["orc"]["rows"], len(entries), res["modules"]["with_extable"]))


if __name__ == "__main__":
    main()
