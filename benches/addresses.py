#!/usr/bin/env python3
"""Random text addresses of an ELF file, one a line: bytes of its sized FUNC symbols, each as likely as any other.

usage: benches/addresses.py ELF COUNT [SEED]
"""
import mmap
import random
import struct
import sys


def functions(path):
    """The spans that sized FUNC symbols of executable sections cover, merged, in order."""
    with open(path, "rb") as f:
        elf = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
    (start,) = struct.unpack_from("<Q", elf, 40)
    size, count = struct.unpack_from("<HH", elf, 58)
    # name, type, flags, address, offset, size, link, info, alignment, entry size
    sections = [struct.unpack_from("<IIQQQQIIQQ", elf, start + i * size) for i in range(count)]
    symtab = next(s for s in sections if s[1] == 2)
    spans = []
    for _, info, _, section, value, length in struct.iter_unpack("<IBBHQQ", elf[symtab[4]:symtab[4] + symtab[5]]):
        if info & 15 == 2 and length and 0 < section < count and sections[section][2] & 4:
            spans.append((value, value + length))
    merged = []
    for low, high in sorted(spans):
        if merged and low <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], high)
        else:
            merged.append([low, high])
    return merged


def main():
    path, count, *seed = sys.argv[1:]
    spans = functions(path)
    dice = random.Random(int(seed[0]) if seed else 1)
    for low, high in dice.choices(spans, weights=[high - low for low, high in spans], k=int(count)):
        print(f"{dice.randrange(low, high):#x}")


main()
