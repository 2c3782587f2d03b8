#!/usr/bin/env python3
"""Asks other programs for the source lines and inlined calls of every instruction of the fixtures.

usage: expect.py FIXTURES LIST     (build.sh calls it; the table goes to standard output)

LIST has a row per fixture: its path, what peers read in its place where none can read it ("-": itself), and its
twin, the same code with other debug information ("-": none). Expected is what llvm-symbolizer says of the twin, or
of the fixture when it has none. For every place one of the others has to agree: addr2line, eu-addr2line or, if
there is a twin, any of the three on the other file. A place that none of them confirms ends the run. Who confirmed
how many places goes to standard error.
"""
import collections
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

LLVM = "llvm-symbolizer-19"
ENV = dict(os.environ, LC_ALL="C")
COMP_DIR = "/build/mini"
# By the name of the outermost function, where it differs.
COMP_DIRS = {"path_from_sub": "/build/mini/sub", "path_mapped": "."}
# A longer name is left mangled.
MAX_NAME = 4096

notes = collections.Counter()


def run(args, stdin=None, cwd=None):
    return subprocess.run(args, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENV, check=True, text=True, timeout=60, cwd=cwd).stdout


demangled = {}


def demangle(name):
    """Without hashes, as libiberty has it for Rust; what that cannot follow to an end stays."""
    if not name.startswith(("_R", "_ZN")):
        return name
    if name not in demangled:
        demangled[name] = name
        try:
            out = run(["sh", "-c", 'ulimit -v 1000000; exec timeout 2 c++filt -i -s rust "$0"', name]).strip()
            if 0 < len(out) <= MAX_NAME:
                demangled[name] = out
        except subprocess.CalledProcessError:
            notes["c++filt came to no end, name left mangled"] += 1
    return demangled[name]


class Elf:
    """Section headers, read with struct."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as f:
            b = f.read()
        self.relocatable = struct.unpack_from("<H", b, 16)[0] == 1
        self.place = {}
        if self.relocatable:
            self.shoff = struct.unpack_from("<Q", b, 40)[0]
            shnum, strndx = struct.unpack_from("<HH", b, 60)
            headers = [struct.unpack_from("<IIQQQQIIQQ", b, self.shoff + 64 * i) for i in range(shnum)]
            names = headers[strndx][4]
            end = 0x10000
            for i, h in enumerate(headers):
                name = b[names + h[0] : b.find(b"\0", names + h[0])].decode()
                if h[2] & 2:
                    at = -(-end // max(h[8], 1)) * max(h[8], 1)
                    self.place[name] = (i, at)
                    end = at + h[5] + 64
                elif name == ".debug_aranges":
                    self.place[name] = (i, None)

    def placed_copy(self, path):
        """Peers add the address of a section to what is relative to it, so each gets one. .debug_aranges is made
        empty: it is read without its relocations."""
        shutil.copyfile(self.path, path)
        with open(path, "r+b") as f:
            for i, at in self.place.values():
                f.seek(self.shoff + 64 * i + (16 if at is not None else 32))
                f.write(struct.pack("<Q", at or 0))


def instructions(elf):
    """(what is asked of fixtrace, section, offset in it or address) of every instruction."""
    section = symbol = None
    out = []
    for line in run(["objdump", "-d", "--no-show-raw-insn", elf.path]).splitlines():
        if m := re.match(r"Disassembly of section (.*):", line):
            section = m[1]
        elif m := re.match(r"([0-9a-f]+) <(.*)>:", line):
            symbol = (m[2], int(m[1], 16))
        elif m := re.match(r" *([0-9a-f]+):\t", line):
            at = int(m[1], 16)
            out.append(("%s+%#x" % (symbol[0], at - symbol[1]) if elf.relocatable else "%#x" % at, section, at))
    return out


def frame(function, file, line, column):
    """(function, file, line, column); no file without a line."""
    line, column = int(line), int(column)
    function = None if function in ("", "??") else demangle(re.sub(r"(\.(cold|isra|part|constprop|lto_priv|llvm)(\.\d+)?)+$", "", function))
    return (function, file if line else None, line, column if line else 0)


def llvm(path, addresses):
    text = "".join("%#x\n" % a for a in addresses)
    ask = lambda *how: [json.loads(l)["Symbol"] for l in run([LLVM, "--output-style=JSON", "--no-demangle", "--inlines", *how, "--obj=" + os.path.basename(path)], text, os.path.dirname(path)).splitlines()]
    short, linkage = ask("--functions=short"), ask("--functions=linkage")
    assert len(short) == len(linkage) == len(addresses)
    for s, l in zip(short, linkage):
        frames = [
            frame(l["FunctionName"] if l["FunctionName"].startswith(("_R", "_ZN")) and s["FunctionName"] else s["FunctionName"], s["FileName"], s["Line"], s["Column"])
            for s, l in zip(s, l, strict=True)
        ]
        yield [] if frames == [(None, None, 0, 0)] else frames


def pairs(text, count):
    lines = text.splitlines()
    starts = [i for i, l in enumerate(lines) if re.match(r"0x[0-9a-f]+$", l)]
    assert len(starts) == count
    for i, j in zip(starts, starts[1:] + [len(lines)]):
        frames = []
        for function, place in zip(lines[i + 1 : j : 2], lines[i + 2 : j : 2]):
            m = re.match(r"(.*?):([0-9]+|\?)(?::([0-9]+))?(?: \(discriminator \d+\))?$", place)
            frames.append(frame(re.sub(r" inlined at .*", "", function), m[1], m[2].replace("?", "0"), m[3] or 0))
        yield frames


def gnu(path, addresses):
    return list(pairs(run(["addr2line", "-a", "-i", "-f", "-e", os.path.basename(path)], "".join("%#x\n" % a for a in addresses), os.path.dirname(path)), len(addresses)))


def elfutils(path, places, relocatable):
    """Lays out a relocatable file itself, so is asked by section."""
    answers = {}
    for section in {p[0] for p in places}:
        at = [a for s, a in places if s == section]
        which = ["-j", section] if relocatable else []
        out = run(["eu-addr2line", "-a", "-i", "-f", *which, "-e", os.path.basename(path)], "".join("%#x\n" % a for a in at), os.path.dirname(path))
        answers.update(zip([(section, a) for a in at], pairs(out, len(at))))
    return [answers[p] for p in places]


def normal(frames):
    """Files relative to the build directory, if below it."""
    base = COMP_DIRS.get(frames[-1][0], BASE) if frames else None
    out = []
    for function, file, line, column in frames:
        if file is not None:
            file = os.path.normpath(os.path.join(base, file))
            if file.startswith(base + "/"):
                file = file[len(base) + 1 :]
        out.append((function, file, line, column))
    return out


def agrees(frames, other):
    """Whether another program says the same. Columns count if it has them. It may know a function by its symbol
    where DWARF names none, and takes that for an answer where there is no DWARF at all."""
    if not frames:
        return len(other) <= 1 and not any(line for _, _, line, _ in other)
    return len(frames) == len(other) and all(
        (function is None or function == f) and (file, line) == (p, l) and (not c or column == c)
        for (function, file, line, column), (f, p, l, c) in zip(frames, other)
    )


def answers(path, elf, places):
    with tempfile.TemporaryDirectory() as temp:
        if elf.relocatable:
            placed = os.path.join(temp, "placed.ko")
            Elf(path).placed_copy(placed)
            for extra in os.listdir(os.path.dirname(path)):
                if extra.endswith(".dwo"):
                    shutil.copy(os.path.join(os.path.dirname(path), extra), temp)
            addresses = [elf.place[s][1] + a for s, a in places]
        else:
            placed, addresses = path, [a for _, a in places]
        asks = (
            lambda: llvm(placed, addresses),
            lambda: gnu(placed, addresses),
            lambda: elfutils(path, places, elf.relocatable),
        )
        out = []
        for ask in asks:
            try:
                out.append([normal(f) for f in ask()])
            except subprocess.CalledProcessError:
                out.append([[]] * len(places))
        return out


def shown(frames):
    def one(function, file, line, column):
        place = "" if not line else "|%s:%d" % (file, line) + (":%d" % column if column else "")
        return (function or "?") + place

    return " < ".join(one(*f) for f in frames) or "-"


def main():
    global BASE
    top, rows = sys.argv[1:]
    tables, bad = collections.OrderedDict(), []
    for row in open(rows):
        name, instead, twin = row.rstrip("\n").split("\t")
        fixture = os.path.join(top, name)
        elf = Elf(fixture)
        BASE = "." if name.startswith("split") else COMP_DIR
        asked = instructions(elf)
        places = [(s, a) for _, s, a in asked]
        path = instead if instead != "-" else fixture
        l, g, e = answers(path, elf if instead == "-" else Elf(path), places)
        twins = answers(twin, Elf(twin), places) if twin != "-" else ([], [], [])
        if twin != "-":
            assert instructions(Elf(twin)) == asked, twin
            l, own = twins[0], l
        table = collections.OrderedDict()
        tally = collections.Counter()
        for i, (query, *_) in enumerate(asked):
            votes = [("addr2line", g[i]), ("eu-addr2line", e[i])]
            if twin != "-":
                votes += [("llvm-symbolizer", own[i]), ("addr2line of twin", twins[1][i]), ("eu-addr2line of twin", twins[2][i])]
            agree = [who for who, frames in votes if agrees(l[i], frames)]
            tally[", ".join(agree)] += 1
            if not agree:
                bad.append((name, query, shown(l[i]), *(shown(v[1]) for v in votes)))
            table.setdefault(shown(l[i]), []).append(query)
        print(name, len(asked), dict(tally), file=sys.stderr)
        tables.setdefault(tuple((c, tuple(q)) for c, q in table.items()), []).append(name)
    write(tables)
    for note in sorted(notes.items()):
        print(*note, file=sys.stderr)
    for b in bad:
        print(*b, sep="\n    ", file=sys.stderr)
    if bad:
        sys.exit("expect.py: %d places that nobody agrees on" % len(bad))


def write(tables):
    print("# Made by testdata/src/dwarf/expect.py: fixtures of the same answers, then call chains and where they are.")
    rows = collections.OrderedDict()
    for number, (table, names) in enumerate(tables.items()):
        print("=%d" % number, *names)
        for chain, queries in table:
            places = " ".join(q.removeprefix("0x") for q in queries)
            rows.setdefault(chain, []).append("%d: %s" % (number, places))
    for chain, places in rows.items():
        print(chain, *places, sep="\t")


main()
