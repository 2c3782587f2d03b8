"""Indexes whose checksums are right, whatever is in them."""

import hostile_runner
import pathlib
import random
import struct
import subprocess
import zlib
from hostile_runner import Case

DATA = pathlib.Path(__file__).resolve().parent.parent
VMLINUX = DATA / "fixtures" / "demo-5.10.elf"
SNAPSHOT = DATA / "demo.fxs"
BASE = 0xffffffff81000000
# The form of an index: see src/world/index/format.rs.
HEADER, CHECKSUM, ENTRY, ALIGN = 80, 76, 24, 16


def parts(index):
    """Its header, and [id, bytes] of each section."""
    count = struct.unpack_from("<I", index, 12)[0]
    all = []
    for n in range(count):
        id, _, offset, size = struct.unpack_from("<IIQQ", index, HEADER + ENTRY * n)
        all.append([id, index[offset:offset + size]])
    return index[:HEADER], all


def joined(header, sections):
    """An index of them, all checksums right."""
    table, body = b"", b""
    at = HEADER + ENTRY * len(sections)
    for id, data in sections:
        pad = -(at + len(body)) % ALIGN
        body += bytes(pad)
        table += struct.pack("<IIQQ", id, zlib.crc32(data), at + len(body), len(data))
        body += data
    size = at + len(body)
    header = bytearray(header)
    struct.pack_into("<I", header, 12, len(sections))
    struct.pack_into("<QI", header, 64, size, 0)
    struct.pack_into("<I", header, CHECKSUM, zlib.crc32(table, zlib.crc32(bytes(header[:CHECKSUM]))))
    return bytes(header) + table + body


def changed(data, seed):
    """What a section may be instead."""
    some = random.Random(seed)
    half = len(data) // 2
    yield "ones", b"\xff" * len(data)
    yield "zeroes", bytes(len(data))
    yield "cut", data[:half]
    yield "none", b""
    yield "noise", some.randbytes(len(data))
    yield "doubled", data + data
    # A count or two at its beginning is right, the rest is not.
    yield "head", data[:16] + some.randbytes(max(len(data) - 16, 0))
    yield "large", data[:16] + b"\xff" * (1 << 19)
    yield "long", data[:half] + some.randbytes(1 << 19)
    for n in range(6):
        words = bytearray(data)
        for _ in range(1 + n):
            if len(words) >= 4:
                at = some.randrange(len(words) - 3)
                value = some.choice([0, 1, 0x7f, 0xff, 0xffff, 1 << 20, 0x7fffffff, 0xffffffff, some.getrandbits(32)])
                struct.pack_into("<I", words, at, value)
        yield f"words-{n}", bytes(words)


def cases(dir):
    made = dir / "whole.fxi"
    subprocess.run([hostile_runner.FIXTRACE, "index", "-q", "-o", made, VMLINUX], check=True)
    header, sections = parts(made.read_bytes())
    assert joined(header, sections) == made.read_bytes()
    addresses = [f"{BASE + 0x2c0000 + n * 61:#x}" for n in range(2000)]
    for number, (id, data) in enumerate(sections):
        for name, other in changed(data, id):
            path = dir / f"index-{id}-{name}.fxi"
            path.write_bytes(joined(header, [[i, other if n == number else d] for n, (i, d) in enumerate(sections)]))
            for verb, args in (
                ("verify", ["index", "--verify", path]),
                ("lookup", ["lookup", "--json", "--vmlinux", path, *addresses]),
                ("fixups", ["inspect", "fixups", "--vmlinux", path]),
                ("unwind", ["unwind", "--vmlinux", path, "--force", SNAPSHOT]),
            ):
                yield Case(f"index-{id}-{name}: {verb}", args, [path], (0, 1, 2, 3))
