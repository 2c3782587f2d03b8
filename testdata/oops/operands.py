#!/usr/bin/env python3
"""Writes what page and double faults say of themselves, for each distinct one in kernel logs.

usage: operands.py LOGDIR > operands.tsv

All *.txt below LOGDIR are read. A fault is a line that names it, and behind it Code:, registers and CR2.
Columns: log, exception, bytes from the marked one on, RSP to R15 as name=value, GS base, CR2.
"""
import pathlib
import re
import sys

DOUBLE = re.compile(r"stack guard page|double fault:")
START = re.compile(r"#PF: |BUG: unable to handle page fault|BUG: kernel NULL pointer|" + DOUBLE.pattern)
CODE = re.compile(r"Code: (.*)")
REG = re.compile(r"\b(R[A-Z0-9]{1,2}): ?(?:[0-9]{4}:)?([0-9a-f]{16})")
GS = re.compile(r"\bGS:\s*([0-9a-f]{16})")
CR2 = re.compile(r"CR2: ([0-9a-f]{16})")


def reports(lines):
    """Groups of lines from the start of a page fault's report to its CR2."""
    report = None
    for line in lines:
        if START.search(line):
            report = report or []
        if report is None:
            continue
        report.append(line)
        if CR2.search(line):
            yield "\n".join(report)
            report = None


def main():
    seen = set()
    for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.txt")):
        for report in reports(path.read_text(errors="replace").splitlines()):
            code, gs, cr2 = CODE.search(report), GS.search(report), CR2.search(report)
            if not (code and gs and cr2 and "<" in code[1] and "RIP: 0010:" in report):
                continue
            words = code[1].split()
            mark = next(n for n, w in enumerate(words) if w.startswith("<"))
            code = "".join(w.strip("<>") for w in words[mark:])
            regs = [(name.lower().replace("r0", "r"), int(value, 16)) for name, value in REG.findall(report)]
            values = [f"{name}={value:x}" for name, value in regs if name != "rip"]
            trap = "#DF" if DOUBLE.search(report) else "#PF"
            row = (trap, code, " ".join(values), f"{int(gs[1], 16):x}", f"{int(cr2[1], 16):x}")
            if row not in seen:
                seen.add(row)
                print(f"{path.parent.name}/{path.name}", *row, sep="\t")


if __name__ == "__main__":
    main()
