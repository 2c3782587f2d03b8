#!/usr/bin/env python3
"""Cuts an ELF dump down to some of its pages: what is left unwinds to the same, if they are those that were read.

usage: cut.py DUMP OUT.xz < PAGES

PAGES are numbers of physical pages, one a line, after any word. Those in this folder are all pages that `unwind` read
(for 6.1-log: `symbolize`, up to where it has found the kernel), noted by a line in Dump::read_physical() that is not in
the tree. Headers and notes stay as they are.
"""
import lzma
import struct
import sys

PHDR = struct.Struct("<IIQQQQQQ")
PAGE = 4096


def main():
    dump = open(sys.argv[1], "rb")
    pages = sorted({int(line.split()[-1]) for line in sys.stdin})
    header = bytearray(dump.read(64))
    (offset,) = struct.unpack_from("<Q", header, 32)
    (count,) = struct.unpack_from("<H", header, 56)
    dump.seek(offset)
    segments = [list(PHDR.unpack(dump.read(PHDR.size))) for _ in range(count)]
    notes = [s for s in segments if s[0] == 4]
    loads = [s for s in segments if s[0] == 1]
    runs = []
    for page in pages:
        at = page * PAGE
        segment = next((s for s in loads if s[4] <= at and at + PAGE <= s[4] + s[5]), None)
        if segment is None:
            continue
        dump.seek(segment[2] + at - segment[4])
        data = dump.read(PAGE)
        if runs and runs[-1][0] + len(runs[-1][1]) == at:
            runs[-1][1].extend(data)
        else:
            runs.append((at, bytearray(data)))
    struct.pack_into("<Q", header, 32, 64)
    # No section headers.
    struct.pack_into("<Q", header, 40, 0)
    struct.pack_into("<HHHHH", header, 54, PHDR.size, len(notes) + len(runs), 0, 0, 0)
    at = 64 + PHDR.size * (len(notes) + len(runs))
    table, body = b"", b""
    for s in notes:
        dump.seek(s[2])
        table += PHDR.pack(s[0], s[1], at + len(body), s[3], s[4], s[5], s[6], s[7])
        body += dump.read(s[5])
    for start, data in runs:
        table += PHDR.pack(1, 0, at + len(body), 0, start, len(data), len(data), 0)
        body += data
    with lzma.open(sys.argv[2], "wb", preset=9 | lzma.PRESET_EXTREME) as out:
        out.write(bytes(header) + table + body)


main()
