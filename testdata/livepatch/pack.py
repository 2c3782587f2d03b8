#!/usr/bin/env python3
"""pack.py PACK BASE.elf [DUMP.elf...]: packs dumps of one boot; 220 MB become 0.4 MB each, the first one 10 MB.
pack.py -u PACK DIR [NAME.elf...]: unpacks all of them, or those named, bit for bit, and compares checksums.

The first dump is stored whole; of the others, pages that it has too are references. PACK/pack.json says what there is:
file, kind (whole, delta), size, sha256, packed (the name in PACK). A delta, before zstd, has: '<4sIIQ' the magic VMD1,
length of the header, number N of blocks of 4096 bytes, size of the file; the header; a bitmap of N bits, set for blocks
that are literal; N uint32, (block of the base - own block) mod 2^32; the literal blocks; what is left after the last
block. Blocks begin where the header, all before the first PT_LOAD segment, ends. Needs zstd."""

import hashlib
import json
import os
import struct
import subprocess
import sys

PAGE = 4096
HEAD = "<4sIIQ"


def header_size(dump):
    table = struct.unpack_from("<Q", dump, 32)[0]
    count = struct.unpack_from("<H", dump, 56)[0]
    segments = [struct.unpack_from("<IIQ", dump, table + 56 * i) for i in range(count)]
    return min(offset for kind, _, offset in segments if kind == 1)


def blocks(dump, header):
    for i in range((len(dump) - header) // PAGE):
        yield i, dump[header + i * PAGE : header + (i + 1) * PAGE]


def zstd(path, data):
    subprocess.run(["zstd", "-q", "-f", "-12", "--long=27", "-o", path], input=data, check=True)


def delta(dump, known):
    header = header_size(dump)
    count = (len(dump) - header) // PAGE
    bitmap, references, literal = bytearray((count + 7) // 8), [], []
    for i, block in blocks(dump, header):
        k = known.get(block)
        references.append(0 if k is None else (k - i) & 0xFFFFFFFF)
        if k is None:
            literal.append(block)
            bitmap[i >> 3] |= 1 << (i & 7)
    parts = [struct.pack(HEAD, b"VMD1", header, count, len(dump)), dump[:header], bytes(bitmap)]
    parts.append(struct.pack("<%dI" % count, *references))
    return b"".join(parts + literal + [dump[header + count * PAGE :]])


def rebuilt(packed, base):
    _, header, count, _ = struct.unpack_from(HEAD, packed)
    at = struct.calcsize(HEAD)
    out = [packed[at : at + header]]
    at += header
    bitmap = packed[at : at + (count + 7) // 8]
    at += len(bitmap)
    references = struct.unpack_from("<%dI" % count, packed, at)
    at += 4 * count
    start = header_size(base)
    for i in range(count):
        if bitmap[i >> 3] >> (i & 7) & 1:
            out.append(packed[at : at + PAGE])
            at += PAGE
        else:
            k = start + ((references[i] + i) & 0xFFFFFFFF) * PAGE
            out.append(base[k : k + PAGE])
    return b"".join(out + [packed[at:]])


def pack(folder, files):
    os.makedirs(folder, exist_ok=True)
    entries, known, base = [], {}, None
    for path in files:
        with open(path, "rb") as f:
            dump = f.read()
        name = os.path.basename(path)
        entry = {"file": name, "size": len(dump), "sha256": hashlib.sha256(dump).hexdigest()}
        if base is None:
            base = name
            for i, block in blocks(dump, header_size(dump)):
                known.setdefault(block, i)
            entry.update(kind="whole", packed=name + ".zst")
            zstd(os.path.join(folder, entry["packed"]), dump)
        else:
            entry.update(kind="delta", base=base, packed=name + ".delta.zst")
            zstd(os.path.join(folder, entry["packed"]), delta(dump, known))
        entries.append(entry)
    with open(os.path.join(folder, "pack.json"), "w") as f:
        json.dump(entries, f, indent=1)


def unpack(folder, to, names):
    os.makedirs(to, exist_ok=True)
    with open(os.path.join(folder, "pack.json")) as f:
        entries = json.load(f)
    missing = set(names) - {e["file"] for e in entries}
    base = None
    for entry in entries:
        wanted = not names or entry["file"] in names
        if not wanted and entry["kind"] == "delta":
            continue
        path = os.path.join(folder, entry["packed"])
        data = subprocess.run(["zstd", "-q", "-d", "-c", "--long=27", path], capture_output=True, check=True).stdout
        if entry["kind"] == "whole":
            base = data
        else:
            data = rebuilt(data, base)
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            sys.exit("pack.py: %s is not what was packed" % entry["file"])
        if wanted:
            with open(os.path.join(to, entry["file"]), "wb") as f:
                f.write(data)
    if missing:
        sys.exit("pack.py: not in the pack: %s" % " ".join(sorted(missing)))


def main(args):
    if args[:1] == ["-u"] and len(args) >= 3:
        unpack(args[1], args[2], args[3:])
    elif len(args) >= 2 and args[0] != "-u":
        pack(args[0], args[1:])
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
