#!/usr/bin/env python3
"""Turns expected.in (symbolic) into expected.tsv (addresses).

usage: expect.py DIR expected.in   where DIR holds FILE.sym, the output of
`objdump -t` of each fixture taken while the T_* labels were still in it.

A line `[file]` opens a fixture. The other lines are
    pc caller certainty functions reason
where pc is a label without its T_ (a trailing * takes all that match) and may
carry +N; caller is `-` or a label behind a call. Every label must be used. Both may
also be a plain 0x address.
"""
import fnmatch
import os
import re
import sys

SYMBOL = re.compile(r"^([0-9a-f]{8,16}) .{7} (\S+)\t[0-9a-f]+ +(?:\.\w+ )?(\S+)$")
CERTAINTY = ("exact", "ambiguous", "unknown")


def labels(path):
    found = {}
    for line in open(path):
        if m := SYMBOL.match(line.rstrip("\n")):
            if m[3].startswith("T_"):
                found[m[3][2:]] = (m[2], int(m[1], 16), len(m[1]))
    return found


def main(directory, source):
    print("# file\tpc\tcaller\tcertainty\tfunctions\treason")
    name, table, used, problems = None, {}, set(), []

    def address(label, plus=0):
        section, value, _ = table[label]
        value += plus
        return f"{section}+{value:#x}" if name.endswith(".ko") else f"{value:#x}"

    def close():
        problems.extend(f"{name}: label T_{l} has no row" for l in sorted(set(table) - used))

    for number, line in enumerate(open(source), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        if m := re.fullmatch(r"\[(\S+)\]", line):
            close()
            name, used = m[1], set()
            path = f"{directory}/{name}.sym"
            table = labels(path) if os.path.exists(path) else {}
            continue
        pc, caller, certainty, functions, reason = line.split()
        assert certainty in CERTAINTY, (number, certainty)
        assert functions == ",".join(sorted(functions.split(","))), (number, functions)
        assert (certainty == "ambiguous") == ("," in functions), number
        assert (certainty == "unknown") == (functions == "-"), number
        if pc.startswith("0x"):
            print(name, pc, caller, certainty, functions, reason, sep="\t")
            continue
        pc, _, plus = pc.partition("+")
        hits = [l for l in table if fnmatch.fnmatchcase(l, pc)]
        if not hits or (caller != "-" and caller not in table):
            problems.append(f"{source}:{number}: no such label in {name}: {pc} {caller}")
            continue
        used.update(hits + [caller])
        for label in sorted(hits, key=lambda l: table[l]):
            print(name, address(label, int(plus or "0", 0)),
                  "-" if caller == "-" else address(caller),
                  certainty, functions, reason, sep="\t")
    close()
    if problems:
        sys.exit("\n".join(problems))


main(*sys.argv[1:])
