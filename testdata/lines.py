#!/usr/bin/env python3
"""Asks other programs for the source lines and inlined calls of random text addresses of the real kernels.

usage: testdata/lines.py [-f] [VERSION...]

Reads the kernels that testdata/fetch-kernels.sh unpacked (environment: FIXTRACE_KERNELS) and writes
truth-lines/VERSION.tsv beside them, for 11,000 addresses of vmlinux and 500 of modules each; the
tests hold fixtrace to them. A table made by this very script with the same peers is kept (-f makes it anew). Needs
llvm-symbolizer (package llvm), addr2line (binutils) and eu-addr2line (elfutils). Nothing here is shared with the
Rust code.

Columns, tab-separated:
  where      an address of vmlinux, or MODULE:SECTION+OFFSET, hexadecimal
  kind       what the place was drawn from: "function", the bytes of sized FUNC symbols (10,000; all of those in
             modules); "label", other bytes of text up to 256 behind an unsized symbol (500); "gap", the rest of
             text (500)
  symbols    the FUNC symbols that cover the place, comma-separated
  llvm       the chain of calls that llvm-symbolizer prints
  gnu        that of addr2line
  elfutils   that of eu-addr2line, which is slow, so only where the first two differ in more than columns and
             names that DWARF lacks; else empty
A chain is "function|file|line|column", innermost first, joined by " <- "; "?" is what a peer does not know.
Functions are named as DWARF names them (a symbol's .cold or .isra.0 is not in it), those of Rust demangled. Where
DWARF names none, llvm-symbolizer's answer from the symbol table begins with "~"; the others do not tell.
Files of the kernel are relative to the top of its source.
"""
import bisect
import glob
import hashlib
import json
import mmap
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile

RELEASES = {
    "5.10": "5.10.0-32-cloud-amd64",
    "6.1": "6.1.0-50-cloud-amd64",
    "6.12": "6.12.107+deb13-cloud-amd64",
    "7.2": "7.2.13+deb14-cloud-amd64",
}
MODULES = ("kvm", "kvm-intel", "kvm-amd", "fat", "vfat", "nls_utf8")
PEERS = {"llvm-symbolizer": "llvm", "addr2line": "binutils", "eu-addr2line": "elfutils"}
VMLINUX = {"function": 10_000, "label": 500, "gap": 500}
IN_MODULES = 500
# How far behind a label its code is taken to reach, bytes.
LABEL_REACH = 256
ENV = dict(os.environ, LC_ALL="C")


def run(args, stdin=None):
    return subprocess.run(args, input=stdin, stdout=subprocess.PIPE, env=ENV, check=True, text=True).stdout


class Elf:
    """Text sections and code symbols of an ELF file, read with struct."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as f:
            b = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        self.relocatable = struct.unpack_from("<H", b, 16)[0] == 1
        shoff, shnum, strndx = struct.unpack_from("<Q", b, 40)[0], *struct.unpack_from("<HH", b, 60)
        # name, type, flags, addr, offset, size, link, info, align, entsize
        self.headers = [struct.unpack_from("<IIQQQQIIQQ", b, shoff + 64 * i) for i in range(shnum)]
        self.shoff = shoff
        cstr = lambda table, at: b[self.headers[table][4] + at : b.find(b"\0", self.headers[table][4] + at)].decode()
        self.names = [cstr(strndx, h[0]) for h in self.headers]
        # Loaded, executable, not writable; a module's sections are laid out one after the other.
        self.text, self.place, end = {}, {}, 0x10000
        for i, h in enumerate(self.headers):
            if h[2] & 2:
                at = h[3] if not self.relocatable else -(-end // max(h[8], 1)) * max(h[8], 1)
                self.place[i] = at
                end = at + h[5] + 64
                if h[2] & 5 == 4 and h[5]:
                    self.text[i] = (at, at + h[5])
        self.funcs, self.labels = [], []
        symtab = next(h for h in self.headers if h[1] == 2)
        for at in range(symtab[4], symtab[4] + symtab[5], 24):
            name, info, _, shndx, value, size = struct.unpack_from("<IBBHQQ", b, at)
            if shndx not in self.text or info & 15 not in (0, 2):
                continue
            value += self.place[shndx] if self.relocatable else 0
            if not self.text[shndx][0] <= value < self.text[shndx][1]:
                continue
            if info & 15 == 2 and size:
                self.funcs.append((value, value + size, cstr(symtab[6], name)))
            elif size == 0:
                self.labels.append(value)
        self.funcs.sort()
        self.longest = max(e - s for s, e, _ in self.funcs)

    def covering(self, at):
        """Names of the FUNC symbols that cover `at`."""
        first = bisect.bisect_left(self.funcs, (at - self.longest,))
        last = bisect.bisect_right(self.funcs, (at, 1 << 64))
        return sorted({n for s, e, n in self.funcs[first:last] if at < e})

    def kinds(self):
        """Ranges of bytes by what they are drawn from."""
        functions = merge([(s, e) for s, e, _ in self.funcs])
        rest = subtract(merge(self.text.values()), functions)
        labels = intersect(rest, merge([(a, a + LABEL_REACH) for a in self.labels]))
        return {"function": functions, "label": labels, "gap": subtract(rest, labels)}

    def placed_copy(self, path):
        """A copy of a relocatable file whose sections have addresses, so that peers can tell them apart: they add
        `sh_addr` to what is relative to a section. .debug_aranges is made empty, for llvm-symbolizer reads it
        without its relocations."""
        shutil.copyfile(self.path, path)
        with open(path, "r+b") as f:
            for i, name in enumerate(self.names):
                if i in self.place:
                    f.seek(self.shoff + 64 * i + 16)
                    f.write(struct.pack("<Q", self.place[i]))
                elif name.endswith(".debug_aranges"):
                    f.seek(self.shoff + 64 * i + 32)
                    f.write(bytes(8))

    def section_of(self, at):
        i = next(i for i, (s, e) in self.text.items() if s <= at < e)
        return self.names[i], at - self.text[i][0]


def merge(ranges):
    out = []
    for s, e in sorted(ranges):
        if out and s <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], e))
        else:
            out.append((s, e))
    return out


def subtract(ranges, without):
    out = []
    for s, e in ranges:
        for ws, we in without[max(0, bisect.bisect_right(without, (s,)) - 1) :]:
            if ws >= e:
                break
            if we > s:
                if ws > s:
                    out.append((s, ws))
                s = max(s, we)
        if s < e:
            out.append((s, e))
    return out


def intersect(a, b):
    return subtract(a, subtract(a, b))


def draw(rng, ranges, count):
    """`count` different bytes of `ranges`, each as likely as the other."""
    upto = [0]
    for s, e in ranges:
        upto.append(upto[-1] + e - s)
    picks = rng.sample(range(upto[-1]), min(count, upto[-1]))
    return [ranges[i][0] + p - upto[i] for p in picks for i in [bisect.bisect_right(upto, p) - 1]]


def file_name(name):
    """Relative to the top of the source: the kernels were built in a directory below it."""
    if name in ("", "??"):
        return "?"
    below = r"^(/build/reproducible-path/linux-[0-9.]+/)?(debian/build/build_amd64_none_cloud-amd64/)?"
    return os.path.normpath(re.sub(below, "", name))


def frame(function, file, line, column):
    known = lambda n: str(n) if int(n) > 0 else "?"
    if known(line) == "?" and "/" not in file:
        file = "?"  # named by the symbol table
    return "|".join((function if function not in ("", "??") else "?", file_name(file), known(line), known(column)))


def chain(frames):
    frames = [frame(*f) for f in frames]
    return " <- ".join(frames) if frames != ["?|?|?|?"] else "-"


def llvm(path, addresses):
    """Short names are those of DWARF; a second run gives the paths of Rust functions."""
    text = "".join("%#x\n" % a for a in addresses)

    def ask(names):
        lines = run(["llvm-symbolizer", "--output-style=JSON", "--functions=" + names, "--obj=" + path], text)
        return [json.loads(l)["Symbol"] for l in lines.splitlines()]

    for short, full in zip(ask("short"), ask("linkage"), strict=True):
        names = [(s["FunctionName"], f["FunctionName"]) for s, f in zip(short, full, strict=True)]
        names = [f and "~" + f if not s else f if "::" in f else s for s, f in names]
        yield chain((n, f["FileName"], f["Line"], f["Column"]) for n, f in zip(names, full))


def pairs(lines, addresses):
    """Output of programs that print the address, then a line for the function and one for the place per call."""
    lines = lines.splitlines()
    starts = [i for i, l in enumerate(lines) if re.match(r"0x[0-9a-f]+$", l)]
    # eu-addr2line adds the start of the section.
    assert len({int(lines[i], 16) - a for i, a in zip(starts, addresses, strict=True)}) <= 1
    for i, j in zip(starts, starts[1:] + [len(lines)]):
        frames = []
        for function, place in zip(lines[i + 1 : j : 2], lines[i + 2 : j : 2]):
            m = re.match(r"(.*?):([0-9]+|\?)(?::([0-9]+))?(?: \(discriminator \d+\))?$", place)
            function = re.sub(r" inlined at .*", "", function)
            frames.append((function, m[1], m[2].replace("?", "0"), m[3] or 0))
        yield chain(frames)


def gnu(path, addresses):
    text = "".join("%#x\n" % a for a in addresses)
    return pairs(run(["addr2line", "-a", "-i", "-f", "-C", "-e", path], text), addresses)


def elfutils(elf, addresses):
    """Lays out a relocatable file itself, so is asked by section."""
    by_section = {}
    for at in addresses:
        section, offset = elf.section_of(at) if elf.relocatable else (None, at)
        by_section.setdefault(section, []).append((offset, at))
    for section, places in by_section.items():
        text = "".join("%#x\n" % offset for offset, _ in places)
        which = ["-j", section] if section else []
        out = run(["eu-addr2line", "-a", "-i", "-f", "-C", *which, "-e", elf.path], text)
        yield from zip((at for _, at in places), pairs(out, [offset for offset, _ in places]))


def same(a, b):
    """Whether chains are equal but for columns and for names that DWARF lacks."""
    a, b = ([f.split("|") for f in c.split(" <- ")] if c != "-" else [["?"] * 4] for c in (a, b))
    return len(a) == len(b) and all(f[1:3] == g[1:3] and (f[0] == g[0] or f[0][0] in "~?") for f, g in zip(a, b))


def sample(elf, rng, wanted):
    out = []
    for kind, ranges in elf.kinds().items():
        if ranges:
            out += [(a, kind) for a in draw(rng, ranges, wanted[kind])]
    return sorted(out)


def rows(elf, path, places, name):
    addresses = [a for a, _ in places]
    l, g = list(llvm(path, addresses)), list(gnu(path, addresses))
    apart = [a for a, l, g in zip(addresses, l, g) if not same(l, g)]
    third = dict(elfutils(elf, apart))
    for (at, kind), l, g in zip(places, l, g):
        where = "%#x" % at if name is None else "%s:%s+%#x" % (name, *elf.section_of(at))
        yield "\t".join((where, kind, ",".join(elf.covering(at)), l, g, third.get(at, "")))


def make(version, top):
    rng = random.Random("fixtrace " + version)
    elf = Elf(os.path.join(top, "debug", "boot", "vmlinux-" + RELEASES[version]))
    out = list(rows(elf, elf.path, sample(elf, rng, VMLINUX), None))
    modules = []
    for name in MODULES:
        below = os.path.join(glob.escape(top), "debug/lib/modules", RELEASES[version], "kernel")
        (path,) = glob.glob(os.path.join(below, "**", name + ".ko"), recursive=True)
        modules.append((name, Elf(path)))
    size = lambda elf: sum(e - s for s, e in elf.kinds()["function"])
    total = sum(size(elf) for _, elf in modules)
    # By size, but some of each module.
    counts = [max(10, round(IN_MODULES * size(elf) / total)) for _, elf in modules]
    counts[0] -= sum(counts) - IN_MODULES
    with tempfile.TemporaryDirectory() as temp:
        for (name, elf), count in zip(modules, counts):
            path = os.path.join(temp, name + ".ko")
            elf.placed_copy(path)
            out += rows(elf, path, sample(elf, rng, {"function": count, "label": 0, "gap": 0}), name)
            os.unlink(path)
    return out


def main():
    args = sys.argv[1:]
    if args[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return
    anew = args[:1] == ["-f"]
    versions = args[anew:] or list(RELEASES)
    missing = [package for peer, package in PEERS.items() if not shutil.which(peer)]
    if missing:
        sys.exit("lines: a peer is missing: apt-get install " + " ".join(missing))
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    kernels = os.environ.get("FIXTRACE_KERNELS") or os.path.join(cache, "fixtrace-test", "kernels")
    with open(os.path.abspath(__file__), "rb") as f:
        script = hashlib.sha256(f.read()).hexdigest()[:16]
    peers = [re.search(r"[0-9]+\.[0-9.]+[0-9]", run([peer, "--version"]))[0] for peer in PEERS]
    out = os.path.join(kernels, "truth-lines")
    for v in versions:
        top, table = os.path.join(kernels, v), os.path.join(out, v + ".tsv")
        if not os.path.exists(os.path.join(top, ".complete")):
            sys.exit("lines: no kernel %s below %s: run testdata/fetch-kernels.sh" % (v, kernels))
        with open(os.path.join(top, ".complete"), "rb") as f:
            kernel = hashlib.sha256(f.read()).hexdigest()[:16]
        head = "# script %s kernel %s %s\n" % (script, kernel, " ".join(map("%s %s".__mod__, zip(PEERS, peers))))
        if not anew and os.path.exists(table):
            with open(table) as f:
                if f.readline() == head:
                    print(v + ": kept")
                    continue
        made = make(v, top)
        os.makedirs(out, exist_ok=True)
        with open(table + ".new", "w") as f:
            f.write(head + "where\tkind\tsymbols\tllvm\tgnu\telfutils\n" + "".join(r + "\n" for r in made))
        os.rename(table + ".new", table)
        print("%s: %d places" % (v, len(made)))


if __name__ == "__main__":
    main()
