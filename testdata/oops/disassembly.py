#!/usr/bin/env python3
"""Writes what objdump says of the instructions in the Code: lines of kernel logs.

usage: disassembly.py LOGDIR > disassembly.tsv

All *.txt below LOGDIR are read. Of each line all instructions from the marked byte on are taken, and before it those
that most starts agree on. Columns: address, bytes, text with white space squeezed.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

SLOT = 128
CODE = re.compile(rb"Code: ((?:<?[0-9a-f]{2}>? ?)+)")
ROW = re.compile(r"^\s*([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*\t?(.*)$")


def objdump(blob):
    """(address, length, text) of each instruction of blob."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(blob)
        file.flush()
        # One line per instruction, however long it is.
        command = ["objdump", "-D", "-b", "binary", "-m", "i386:x86-64", "-M", "att", "--insn-width=16", file.name]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        row = ROW.match(line)
        if row:
            yield int(row[1], 16), len(row[2].split()), " ".join(row[3].split())


def code_lines(directory):
    """(bytes, mark) of each distinct Code: line."""
    lines = set()
    for path in sorted(pathlib.Path(directory).rglob("*.txt")):
        for found in CODE.finditer(path.read_bytes()):
            words = found[1].split()
            marks = [n for n, w in enumerate(words) if w.startswith(b"<")]
            if len(marks) == 1:
                lines.add((bytes(int(w.strip(b"<>"), 16) for w in words), marks[0]))
    return sorted(lines)


def slots(pieces):
    """Instructions of each piece, decoded from its first byte; offsets are within the piece."""
    blob = b"".join(piece.ljust(SLOT, b"\x90") for piece in pieces)
    found = [[] for _ in pieces]
    position = {}
    for address, length, text in objdump(blob):
        slot, offset = divmod(address, SLOT)
        if offset != position.get(slot, 0):
            continue
        if offset + length <= len(pieces[slot]):
            found[slot].append((offset, length, text))
        position[slot] = offset + length
    return found


def main():
    wanted = set()
    for code, mark in code_lines(sys.argv[1]):
        for offset, length, text in slots([code[mark:]])[0]:
            wanted.add(code[mark + offset : mark + offset + length])
        starts = [(s, rows) for s, rows in enumerate(slots([code[s:mark] for s in range(mark)]))]
        votes = {}
        voters = 0
        for start, rows in starts:
            if rows and start + rows[-1][0] + rows[-1][1] == mark and "(bad)" not in str(rows):
                voters += 1
                for offset, length, _ in rows:
                    key = (start + offset, length)
                    votes[key] = votes.get(key, 0) + 1
        for (offset, length), count in votes.items():
            if count > 3 and count * 2 > min(voters, offset + 1):
                wanted.add(code[offset : offset + length])
    wanted = sorted(wanted)
    for n, text in enumerate(slots_at(wanted)):
        if text:
            print(f"{n * SLOT:#x}\t{wanted[n].hex()}\t{text}")


def slots_at(pieces):
    """The text of each piece at the address of its slot; empty for what is no whole instruction."""
    texts = [""] * len(pieces)
    blob = b"".join(piece.ljust(SLOT, b"\x90") for piece in pieces)
    for address, length, text in objdump(blob):
        slot, offset = divmod(address, SLOT)
        if offset == 0 and length == len(pieces[slot]) and "(bad)" not in text:
            texts[slot] = text
    return texts


if __name__ == "__main__":
    main()
