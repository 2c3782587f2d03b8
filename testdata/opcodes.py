#!/usr/bin/env python3
"""Counts how common opcodes are, for the tables of src/insn/align.rs.

usage: opcodes.py VMLINUX...

Disassembles three pieces of each kernel's text, and prints bits of information as base-36 digits: one-byte opcodes,
those behind 0x0f (a row per upper half), REX prefixes, other prefixes; then opcodes that mostly have a REX prefix.
"""
import collections
import math
import re
import subprocess
import sys

PIECES = (0xFFFFFFFF81010000, 0xFFFFFFFF81300000, 0xFFFFFFFF81600000)
ROW = re.compile(r"^[0-9a-f]{16}:\t((?:[0-9a-f]{2} )+)")
LEGACY = bytes.fromhex("6667f0f2f32e363e266465")
DIGITS = "0123456789abcdefghijk"


def instructions(path):
    for start in PIECES:
        ends = [f"--start-address={start:#x}", f"--stop-address={start + 0x60000:#x}"]
        command = ["objdump", "-d", "-w", "--insn-width=16", *ends, path]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        yield from (bytes.fromhex(row[1]) for row in map(ROW.match, out.splitlines()) if row)


def main():
    one, two, rex, prefixes, with_rex, total = (collections.Counter() for _ in range(6))
    for path in sys.argv[1:]:
        for insn in instructions(path):
            total["all"] += 1
            rest = insn.lstrip(LEGACY)
            prefixes.update(insn[: len(insn) - len(rest)])
            extended = bool(rest) and rest[0] >> 4 == 4
            if extended:
                rex[rest[0] & 15] += 1
                rest = rest[1:]
            if not rest:
                continue
            key = rest[:2] if rest[0] == 0x0F else rest[:1]
            (two if rest[0] == 0x0F else one)[key[-1]] += 1
            with_rex[key.hex()] += 1 if extended else -1

    def digit(counts, key):
        return DIGITS[min(20, round(-math.log2((counts[key] + 0.25) / total["all"])))]

    for counts in (one, two):
        for row in range(16):
            print("".join(digit(counts, row * 16 + column) for column in range(16)))
        print()
    print("".join(digit(rex, key) for key in range(16)))
    print({hex(key): DIGITS.index(digit(prefixes, key)) for key in LEGACY})
    print([key for key, balance in sorted(with_rex.items()) if balance > 40])


if __name__ == "__main__":
    main()
