"""Images that cost much for their size: counts and references of a file make work and memory that its bytes do not."""

import struct
import zlib
from functools import partial

from hostile_runner import Case

BASE = 0xFFFFFFFF81000000
ALLOC, EXEC, WRITE, COMPRESSED = 2, 4, 1, 0x800
FUNC, NOTYPE, GLOBAL = 2, 0, 1 << 4


def p16(n):
    return struct.pack("<H", n & 0xFFFF)


def p32(n):
    return struct.pack("<I", n & 0xFFFFFFFF)


def p64(n):
    return struct.pack("<Q", n & 0xFFFFFFFFFFFFFFFF)


def uleb(n):
    out = bytearray()
    while True:
        byte, n = n & 0x7F, n >> 7
        out.append(byte | (0x80 if n else 0))
        if not n:
            return bytes(out)


class Image:
    """An ELF file in the making. Section 1 is its text, at BASE."""

    def __init__(self, code=b"\xc3" * 64, kind=2):
        self.kind = kind
        self.sections = [dict(name=b"", data=b"", kind=0)]
        self.names = bytearray(b"\0")
        self.add(".text", code, flags=ALLOC | EXEC, addr=BASE, align=16)

    def add(self, name, data=b"", kind=1, flags=0, addr=0, link=0, info=0, entsize=0, align=1, like=None, size=None):
        """`like`: takes the bytes of that section instead of its own."""
        self.sections.append(dict(name=name.encode(), data=data, kind=kind, flags=flags, addr=addr, link=link, info=info,
                                  entsize=entsize, align=align, like=like, size=size))
        return len(self.sections) - 1

    def symbols(self, all, strings):
        """`all`: (offset of name, address, size, info); the rest by hand."""
        table = bytearray(24)
        for name, value, size, info, *section in all:
            table += struct.pack("<IBBHQQ", name, info, 0, *(section or [1]), value & 0xFFFFFFFFFFFFFFFF, size)
        link = self.add(".strtab", strings, kind=3)
        self.add(".symtab", bytes(table), kind=2, link=link, info=1, entsize=24, align=8)
        return self

    def named(self, all):
        """Symbols by name: (name, address, size, info)."""
        strings, known, rows = bytearray(b"\0"), {}, []
        for name, *rest in all:
            if name not in known:
                known[name] = len(strings)
                strings += name.encode() + b"\0"
            rows.append((known[name], *rest))
        return self.symbols(rows, bytes(strings))

    def write(self, path):
        names, offsets = bytearray(b"\0"), {}
        self.add(".shstrtab", b"", kind=3)
        for s in self.sections:
            if s["name"] not in offsets:
                offsets[s["name"]] = len(names)
                names += s["name"] + b"\0"
        self.sections[-1]["data"] = bytes(names)
        out, places = bytearray(64), []
        for s in self.sections:
            if s.get("like") is not None:
                places.append(places[s["like"]])
                s["data"] = self.sections[s["like"]]["data"]
                continue
            out += b"\0" * (-len(out) % 16)
            places.append(len(out))
            if s["kind"] != 8:
                out += s["data"]
        out += b"\0" * (-len(out) % 8)
        table = len(out)
        for s, place in zip(self.sections, places):
            size = s.get("size")
            out += struct.pack("<IIQQQQIIQQ", offsets[s["name"]], s["kind"], s.get("flags", 0),
                               s.get("addr", 0) & 0xFFFFFFFFFFFFFFFF, place if s["kind"] else 0,
                               len(s["data"]) if size is None else size, s.get("link", 0), s.get("info", 0),
                               s.get("align", 0), s.get("entsize", 0))
        count = len(self.sections)
        # Beyond 0xff00 sections the first header has the numbers.
        if count >= 0xFF00:
            struct.pack_into("<Q", out, table + 32, count)
            struct.pack_into("<I", out, table + 40, count - 1)
        out[:64] = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", self.kind, 62, 1, BASE, 0, table, 0, 64, 0, 0,
                               64, 0 if count >= 0xFF00 else count, 0xFFFF if count >= 0xFF00 else count - 1)
        path.write_bytes(out)
        return path


# Debug information.

C = 0x0C  # DW_LANG_C99
CU, SUB, INLINED, TYPEDEF, STRUCT, MEMBER = 0x11, 0x2E, 0x1D, 0x16, 0x13, 0x0D
NAME, STMT, LOW, HIGH, LANG, RANGES, ORIGIN, SPEC, TYPE = 0x03, 0x10, 0x11, 0x12, 0x13, 0x55, 0x31, 0x47, 0x49
ADDR, DATA1, DATA2, DATA4, DATA8, STRP, REF4, SEC, STRING, LINE_STRP = 0x01, 0x0B, 0x05, 0x06, 0x07, 0x0E, 0x13, 0x17, 0x08, 0x1F


def abbrev(code, tag, children, *fields):
    out = uleb(code) + uleb(tag) + bytes([children])
    for name, form in fields:
        out += uleb(name) + uleb(form)
    return out + b"\0\0"


def unit(body, abbrevs=0):
    """DWARF 4, addresses of 8 bytes."""
    rest = p16(4) + p32(abbrevs) + b"\x08" + body
    return p32(len(rest)) + rest


def debug(image, info, abbrevs, **more):
    image.add(".debug_info", bytes(info))
    image.add(".debug_abbrev", bytes(abbrevs))
    for name, data in more.items():
        image.add(f".debug_{name}", bytes(data))
    return image


def line_program(body, files=b"a.c\0\0\0\0", version=4, tables=None):
    head = b"\x01\x01\x01\xfb\x0e\x0d" + b"\0\1\1\1\1\0\0\0\1\0\0\1"
    head += tables if tables is not None else b"\0" + files + b"\0"
    front = p16(version) + (b"\x08\0" if version == 5 else b"")
    rest = front + p32(len(head)) + head + body
    return p32(len(rest)) + rest


def set_address(at):
    return b"\0\x09\x02" + p64(at)


END = b"\0\1\1"


def text(size=1 << 16):
    return b"\x90" * (size - 1) + b"\xc3"


def kernel(code=None, symbols=None):
    """An image that is taken for a kernel's."""
    image = Image(code if code is not None else text())
    image.add("__ksymtab", b"\0" * 12, flags=ALLOC, addr=BASE + (1 << 28))
    image.named(symbols if symbols is not None else [("f", BASE, len(image.sections[1]["data"]), FUNC | GLOBAL)])
    return image


def units_with(count, fields, values, abbrevs=None, tail=b"", **more):
    """`count` units, unit i with the root `values(i)`."""
    table = abbrev(1, CU, 0, *fields) if abbrevs is None else abbrevs
    info = b"".join(unit(b"\x01" + values(i) + tail) for i in range(count))
    return debug(kernel(), info, table, **more)


def abbreviations_shared():
    table = abbrev(1, CU, 0, (LOW, ADDR), (HIGH, DATA4))
    table += b"".join(abbrev(i, 0x24, 0) for i in range(2, 60000)) + b"\0"
    return units_with(12000, None, lambda i: p64(BASE + i) + p32(1), abbrevs=table)


def abbreviations_overlap():
    """Each unit's table begins a little behind the one before, and goes on to the end."""
    one = abbrev(1, CU, 0, (LOW, ADDR), (HIGH, DATA4))
    table = b"".join(one + abbrev(2, 0x24, 0)[:0] for _ in range(1)) + b"".join(
        abbrev(1 + i, CU, 0, (LOW, ADDR), (HIGH, DATA4)) for i in range(1, 20000)) + b"\0"
    info, at, cuts = bytearray(), 0, []
    for i in range(1, 20000):
        cuts.append((at, i))
        at += len(abbrev(i, CU, 0, (LOW, ADDR), (HIGH, DATA4)))
    for at, code in cuts[:12000]:
        info += unit(uleb(code) + p64(BASE + code) + p32(1), at)
    return debug(kernel(), info, table)


def lines_shared(version=4):
    rows = set_address(BASE) + b"\x21\x13" * 150000 + END
    program = line_program(rows)
    return units_with(12000, [(STMT, SEC), (LOW, ADDR), (HIGH, DATA4)], lambda i: p32(0) + p64(BASE + i) + p32(1), line=program)


def file_table_of_nothing():
    tables = b"\0" + uleb((1 << 32) - 1) + b"\0" + uleb((1 << 32) - 1)
    program = line_program(set_address(BASE) + b"\x01" + END, version=5, tables=tables)
    return units_with(4, [(STMT, SEC), (LOW, ADDR), (HIGH, DATA4)], lambda i: p32(0) + p64(BASE + i * 64) + p32(64), line=program)


def file_table_of_constants():
    # One format whose form takes no bytes.
    tables = b"\x01\x01\x19" + uleb(1 << 31) + b"\x01\x01\x19" + uleb(1 << 31)
    program = line_program(set_address(BASE) + b"\x01" + END, version=5, tables=tables)
    return units_with(4, [(STMT, SEC), (LOW, ADDR), (HIGH, DATA4)], lambda i: p32(0) + p64(BASE + i * 64) + p32(64), line=program)


def long_paths():
    """All files in one long directory."""
    count = 60000
    tables = b"\x01\x01" + uleb(LINE_STRP) + b"\x01" + p32(0) + b"\x02\x01" + uleb(LINE_STRP) + b"\x02\x0b" + uleb(count)
    tables += b"".join(p32(i) + b"\0" for i in range(count))
    rows = set_address(BASE) + b"".join(b"\x04" + uleb(i) + b"\x13" for i in range(count)) + END
    program = line_program(rows, version=5, tables=tables)
    # The file is that of one function.
    return units_with(1, [(STMT, SEC), (LOW, ADDR), (HIGH, DATA4)], lambda i: p32(0) + p64(BASE) + p32(60000), line=program,
                      line_str=b"d" * 200000 + b"\0")


def long_function_names():
    count = 40000
    table = abbrev(1, CU, 1, (LANG, DATA1), (LOW, ADDR), (HIGH, DATA4)) + abbrev(2, SUB, 0, (NAME, STRP), (LOW, ADDR), (HIGH, DATA1)) + b"\0"
    body = b"\x01" + bytes([C]) + p64(BASE) + p32(count)
    body += b"".join(b"\x02" + p32(i) + p64(BASE + i) + b"\x01" for i in range(count)) + b"\0"
    return debug(kernel(), unit(body), table, str=b"n" * 400000 + b"\0")


def long_names(kind=2):
    count = 20000
    image = Image(text(1 << 16), kind)
    base = 0 if kind == 1 else BASE
    if kind == 1:
        image.sections[1]["addr"] = 0
    else:
        image.add("__ksymtab", b"\0" * 12, flags=ALLOC, addr=BASE + (1 << 28))
    return image.symbols([(i, base + i * 2, 2, FUNC | GLOBAL) for i in range(count)], b"n" * 500000 + b"\0")


def long_import_names():
    count = 20000
    image = Image(text(1 << 16), 1)
    image.sections[1]["addr"] = 0
    all = [(i, 0, 0, GLOBAL, 0) for i in range(count)]
    return image.symbols(all, b"n" * 500000 + b"\0")


def names_of_one_place(size=4):
    """Symbols of one address."""
    return Image(text(1 << 12)).symbols([(i * 7 + 1, BASE + 64, size, FUNC | GLOBAL) for i in range(30000)],
                                        b"\0" + b"".join(b"%06d\0" % i for i in range(30000)))


def one_name():
    """One name of all symbols, and its cold parts."""
    image = kernel(symbols=[])
    image.sections = [s for s in image.sections if s["name"] not in (b".symtab", b".strtab")]
    count = 20000
    cold = [("f.cold", BASE + count + i, 1, FUNC) for i in range(count)]
    return image.named([("f", BASE + i, 1, FUNC) for i in range(count)] + cold)


def symbol_sizes():
    """Every symbol reaches to the end."""
    return Image(text(1 << 16)).named([(f"s{i}", BASE + i, (1 << 16) - i, FUNC) for i in range(30000)])


def sections_of_all(name, flags, kind=2, count=6000, data=None, addr=None):
    image = Image(text(1 << 12), kind)
    image.add("__ksymtab", b"\0" * 12, flags=ALLOC, addr=BASE + (1 << 28))
    big = image.add(".rodata", data or b"\x90" * 500000, flags=ALLOC, addr=BASE + (1 << 27))
    for i in range(count):
        image.add(name, flags=flags, addr=BASE + (1 << 20) if addr is None else addr(i), like=big, kind=7 if name == ".note" else 1)
    return image.named([("f", BASE, 1 << 12, FUNC | GLOBAL)])


def relocated_sections():
    """A module, each of whose sections is all of one, with a relocation."""
    image = Image(text(1 << 12), 1)
    image.sections[1]["addr"] = 0
    big = image.add(".rodata", b"\0" * 500000, flags=ALLOC)
    # Each with one of its own.
    rela = image.add(".rela.rodata", struct.pack("<QQq", 0, 1 << 32 | 1, 0), kind=4, info=big, link=0, entsize=24)
    for i in range(3000):
        own = image.add(".data", flags=ALLOC | WRITE, like=big)
        image.add(".rela.data", kind=4, info=own, link=0, entsize=24, like=rela)
    image.named([("f", 0, 1 << 12, FUNC | GLOBAL)])
    table = len(image.sections) - 1
    for s in image.sections:
        if s["kind"] == 4:
            s["link"] = table
    return image


def relocation_lists():
    """Many lists of relocations of one section, all of them one."""
    image = Image(text(1 << 12), 1)
    image.sections[1]["addr"] = 0
    big = image.add(".data", b"\0" * 4096, flags=ALLOC | WRITE)
    rela = image.add(".rela.data", struct.pack("<QQq", 0, 1 << 32 | 1, 0) * 20000, kind=4, info=big, entsize=24)
    for i in range(4000):
        image.add(".rela.data", kind=4, info=big, entsize=24, like=rela)
    image.named([("f", 0, 1 << 12, FUNC | GLOBAL)])
    table = len(image.sections) - 1
    for s in image.sections:
        if s["kind"] == 4:
            s["link"] = table
    return image


def ranges_shared(count=12000):
    list = b"".join(p64(BASE + 2 * i) + p64(BASE + 2 * i + 1) for i in range(20000)) + bytes(16)
    return units_with(count, [(RANGES, SEC)], lambda i: p32(0), ranges=list)


def ranges_nested(count=30000):
    """Ranges of one unit, each within the one before."""
    set = p16(2) + p32(0) + b"\x08\0" + bytes(4) + b"".join(p64(BASE + i) + p64(2 * (count - i)) for i in range(count)) + bytes(16)
    image = units_with(2, [(LOW, ADDR), (HIGH, DATA4)], lambda i: p64(BASE) + p32(1 << 16))
    image.add(".debug_aranges", p32(len(set)) + set)
    return image


def inlined(deep, count=40000, size=1 << 16):
    table = abbrev(1, CU, 1, (LANG, DATA1), (LOW, ADDR), (HIGH, DATA4)) + abbrev(2, SUB, 1, (NAME, STRING), (LOW, ADDR), (HIGH, DATA4))
    table += abbrev(3, INLINED, deep, (LOW, ADDR), (HIGH, DATA4)) + b"\0"
    body = b"\x01" + bytes([C]) + p64(BASE) + p32(size) + b"\x02f\0" + p64(BASE) + p32(size)
    if deep:
        body += b"".join(b"\x03" + p64(BASE) + p32(size) for i in range(count)) + b"\0" * count
    else:
        body += b"".join(b"\x03" + p64(BASE + i) + p32(size - i) for i in range(count))
    return debug(kernel(), unit(body + b"\0\0"), table)


def origins(sibling=False):
    """Functions that have their names from others, in a ring and in a chain, across units."""
    count = 15000
    table = abbrev(1, CU, 1, (LANG, DATA1)) + abbrev(2, SUB, 0, (LOW, ADDR), (HIGH, DATA1), (ORIGIN, 0x10)) + b"\0"
    size = 11 + 2 + 14 + 1
    info = b""
    for i in range(count):
        # The entry of the unit before.
        to = ((i - 1) % count) * size + 11 + 2
        info += unit(b"\x01" + bytes([C]) + b"\x02" + p64(BASE + i) + b"\x01" + p32(to) + b"\0")
    return debug(kernel(), info, table)


def type_chain():
    """Typedefs of typedefs, and structures in each other."""
    count = 30000
    table = abbrev(1, CU, 1, (LANG, DATA1)) + abbrev(2, STRUCT, 1, (NAME, STRING), (0x0B, DATA4)) + abbrev(3, MEMBER, 0, (TYPE, REF4)) + b"\0"
    body, at = bytearray(b"\x01" + bytes([C])), 11 + 2
    first = at
    for i in range(count):
        own = b"\x02" + (b"task_struct\0" if i == 0 else b"\0") + p32(8)
        # Two unnamed members of the next.
        nxt = at + len(own) + 5 * 2 + 1
        body += own + (b"\x03" + p32(nxt)) * 2 + b"\0"
        at = nxt
    return debug(kernel(), unit(bytes(body) + b"\0"), table)


def cfi(common, own, count, section=".debug_frame", size=1 << 16, same=True):
    """`count` descriptions of the code of all text, with one part in common."""
    def entry(id, rest):
        rest += b"\0" * (-(len(rest) + 8) % 8)
        return p32(4 + len(rest)) + p32(id) + rest

    out = bytearray(entry(0xFFFFFFFF, b"\x01\0\x01\x78\x10" + common))
    for i in range(count):
        out += entry(0, p64(BASE + (0 if same else i * (size // count))) + p64(size if same else size // count) + own)
    image = kernel(symbols=[(f"f{i}", BASE + i * 16, 16, FUNC | GLOBAL) for i in range(size // 16)])
    image.add(section, bytes(out))
    # So that there is something to hold it to.
    starts = range(0, size, 16)
    orc = image.add(".orc_unwind", b"".join(struct.pack("<hhH", 8, 0, 0x0205) for _ in starts), flags=ALLOC, addr=BASE + (1 << 26))
    ip = BASE + (1 << 25)
    image.add(".orc_unwind_ip", b"".join(struct.pack("<i", BASE + s - (ip + 4 * i)) for i, s in enumerate(starts)), flags=ALLOC, addr=ip)
    return image


DEF_CFA = b"\x0c\x07\x08\x90\x01"


def fixups(code, rows, functions):
    image = kernel(code, functions)
    at = BASE + (1 << 26)
    table = b"".join(struct.pack("<iii", BASE + insn - (at + 12 * i), BASE + fix - (at + 12 * i + 4), 3) for i, (insn, fix) in enumerate(rows))
    image.add("__ex_table", table, flags=ALLOC, addr=at)
    return image


def fixups_chained():
    """Landings, each of which jumps to the next."""
    count = 60000
    function = b"\x90" * 64
    pads = b"".join(b"\xe9" + struct.pack("<i", 0) for _ in range(count)) + b"\xc3"
    rows = [(i % 60, 64 + 5 * i) for i in range(count)]
    return fixups(function + pads, sorted(rows), [("f", BASE, 64, FUNC | GLOBAL)])


def fixups_linked():
    """Landings whose instructions fault, too: each is what the one before landed for."""
    count = 40000
    function = b"\x90" * 64
    # A load, and a trap.
    pads = b"\x8b\x00\x0f\x0b" * count
    rows = [(0, 64)] + [(64 + 4 * i, 64 + 4 * (i + 1)) for i in range(count - 1)]
    return fixups(function + pads, rows, [("f", BASE, 64, FUNC | GLOBAL)])


def fixups_of_one_landing():
    count = 80000
    return fixups(b"\x90" * 80000 + b"\xe9\xfb\xff\xff\xff", [(i, 80000) for i in range(count)],
                  [(f"f{i}", BASE + i * 4, 4, FUNC | GLOBAL) for i in range(20000)])


def fixups_in_foreign_code():
    """Landings in a slide of another function."""
    count = 80000
    slide = b"\x90" * count
    return fixups(b"\x90" * 64 + slide + b"\xc3", sorted([(i % 60, 64 + i) for i in range(count)]),
                  [("f", BASE, 64, FUNC | GLOBAL), ("g", BASE + 64, count + 1, FUNC | GLOBAL)])


def fixups_at_home():
    """Landings in their own function, which leaves to code of none."""
    count = 80000
    slide = b"\x90" * count + b"\xe9\x10\0\0\0"
    return fixups(slide + b"\x90" * 64 + b"\xc3", [(i, i) if i == 0 else (i - 1, i) for i in range(count)],
                  [("f", BASE, len(slide), FUNC | GLOBAL)])


def fixups_of_many_owners():
    """Landings all of whose faulting instructions are of different functions, with cold parts of one name."""
    count = 30000
    functions = []
    for i in range(4000):
        functions += [("f.cold", BASE + i * 8, 4, FUNC), ("f", BASE + i * 8 + 4, 4, FUNC)]
    return fixups(b"\x90" * 32000 + b"\x90" * 4000 + b"\xc3", [((i % 4000) * 8, 32000 + i % 4000) for i in range(count)], functions)


def alternatives_of_one_site():
    """Replacements that may all be put to one place, each a slide."""
    image = fixups(b"\x90" * 64 + b"\x90" * 4000 + b"\xc3" + b"\x90" * 300 + b"\xc3",
                   [(i % 60, 64 + i) for i in range(4000)], [("f", BASE, 64, FUNC | GLOBAL)])
    at = BASE + (1 << 24)
    rows = b"".join(struct.pack("<iiHBB", BASE + 64 + i % 8 - (at + 12 * i), BASE + 4066 - (at + 12 * i + 4), 1, 1, 255) for i in range(60000))
    image.add(".altinstructions", rows, flags=ALLOC, addr=at)
    return image


def jump_labels():
    image = kernel(text(1 << 12))
    at = BASE + (1 << 24)
    image.add("__jump_table", b"".join(struct.pack("<iiq", BASE - (at + 16 * i), BASE + 1 - (at + 16 * i + 4), 0) for i in range(60000)), flags=ALLOC | WRITE, addr=at)
    return image


def dense_branches(size=500000, functions=1):
    """Conditional jumps over each other."""
    code = b"".join(b"\x75" + bytes([i % 120]) for i in range(size // 2 - 64)) + b"\x90" * 127 + b"\xc3"
    step = len(code) // functions
    image = kernel(code, [(f"f{i}", BASE + i * step, step if functions == 1 else len(code) - i * step, FUNC | GLOBAL) for i in range(functions)])
    starts = range(0, len(code), max(16, len(code) // 20000))
    image.add(".orc_unwind", b"".join(struct.pack("<hhH", 8, 0, 0x0205) for _ in starts), flags=ALLOC, addr=BASE + (1 << 26))
    ip = BASE + (1 << 25)
    image.add(".orc_unwind_ip", b"".join(struct.pack("<i", BASE + s - (ip + 4 * i)) for i, s in enumerate(starts)), flags=ALLOC, addr=ip)
    return image


def pushes_and_branches(size=400000):
    """As many depths of the stack as there are ways."""
    code = (b"\x50\x75\x01\x58" * (size // 4)) + b"\xc3"
    image = kernel(code, [("f", BASE, len(code), FUNC | GLOBAL)])
    starts = range(0, len(code), 64)
    image.add(".orc_unwind", b"".join(struct.pack("<hhH", 8, 0, 0x0205) for _ in starts), flags=ALLOC, addr=BASE + (1 << 26))
    ip = BASE + (1 << 25)
    image.add(".orc_unwind_ip", b"".join(struct.pack("<i", BASE + s - (ip + 4 * i)) for i, s in enumerate(starts)), flags=ALLOC, addr=ip)
    return image


def btf_names():
    """Structures and members with names that are the ends of one."""
    count = 40000
    types = b"".join(p32(i + 1) + p32(4 << 24) + p32(4) for i in range(count))
    strings = b"\0" + b"n" * 400000 + b"\0"
    image = kernel()
    image.add(".BTF", p16(0xEB9F) + b"\x01\0" + p32(24) + p32(0) + p32(len(types)) + p32(len(types)) + p32(len(strings)) + types + strings)
    return image


def btf_wide():
    """Structures of 65535 unnamed members, each of which is it again."""
    member = p32(0) + p32(1) + p32(0)
    strings = b"\0task_struct\0"
    types = p32(1) + p32(4 << 24 | 0xFFFF) + p32(4) + member * 0xFFFF
    image = kernel()
    image.add(".BTF", p16(0xEB9F) + b"\x01\0" + p32(24) + p32(0) + p32(len(types)) + p32(len(types)) + p32(len(strings)) + types + strings)
    return image


def zstd_bomb(size, window=0):
    """A frame of `size` bytes, each block one byte repeated."""
    block = 128 << 10
    out = bytearray(p32(0xFD2FB528) + bytes([0xC0 if not window else 0, *([window] if window else [])]))
    if not window:
        out = bytearray(p32(0xFD2FB528) + b"\xe0" + p64(size))
    for at in range(0, size, block):
        n = min(block, size - at)
        out += struct.pack("<I", n << 3 | 1 << 1 | (at + n >= size))[:3] + b"\0"
    return bytes(out)


def packed_section(kind, name, copies=1):
    size = 2 << 30
    if kind == 2:
        data = zstd_bomb(size)
    else:
        # Streams of zlib cannot be had as cheaply: one of a quarter.
        size = 256 << 20
        packer = zlib.compressobj(9)
        data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    image = units_with(4, [(LOW, ADDR), (HIGH, DATA4)], lambda i: p64(BASE + i) + p32(1))
    image.add(name, p32(kind) + p32(0) + p64(size) + p64(1) + data, flags=COMPRESSED)
    return image


def packed_info():
    """The section of entries itself unpacks to ten thousand times its size."""
    size = 1 << 30
    image = Image()
    image.add(".debug_info", p32(2) + p32(0) + p64(size) + p64(1) + zstd_bomb(size), flags=COMPRESSED)
    image.add(".debug_abbrev", p32(2) + p32(0) + p64(size) + p64(1) + zstd_bomb(size), flags=COMPRESSED)
    return image.named([("f", BASE, 64, FUNC)])


def module_of(image):
    """The same as a module."""
    image.kind = 1
    for s in image.sections:
        s["addr"] = 0
    return image


MAKERS = {
    "abbreviations-shared": abbreviations_shared,
    "abbreviations-overlap": abbreviations_overlap,
    "lines-shared": lines_shared,
    "file-table-of-nothing": file_table_of_nothing,
    "file-table-of-constants": file_table_of_constants,
    "long-paths": long_paths,
    "long-function-names": long_function_names,
    "long-names": long_names,
    "long-names-module": partial(long_names, 1),
    "long-import-names": long_import_names,
    "names-of-one-place": names_of_one_place,
    "labels-of-one-place": partial(names_of_one_place, 0),
    "one-name": one_name,
    "symbol-sizes": symbol_sizes,
    "text-of-all": partial(sections_of_all, ".text", ALLOC | EXEC),
    "text-of-all-apart": partial(sections_of_all, ".text", ALLOC | EXEC, addr=lambda i: BASE + (1 << 20) + i * 500000),
    "notes-of-all": partial(sections_of_all, ".note", ALLOC, data=(p32(0) + p32(0) + p32(9)) * 40000),
    "constants-of-all": partial(sections_of_all, "runtime_ptr_x", ALLOC),
    "relocated-sections": relocated_sections,
    "relocation-lists": relocation_lists,
    "ranges-shared": ranges_shared,
    "ranges-nested": ranges_nested,
    "inlined-deep": partial(inlined, 1),
    "inlined-wide": partial(inlined, 0),
    "origins": origins,
    "type-chain": type_chain,
    "cfi-common": partial(cfi, DEF_CFA + b"\x86\x02" * 100000, b"", 8000, same=False),
    "cfi-same": partial(cfi, DEF_CFA, b"\x41\x0e\x10" * 20, 6000),
    "cfi-same-eh": partial(cfi, DEF_CFA, b"\x41\x0e\x10" * 20, 6000, section=".eh_frame"),
    "cfi-long": partial(cfi, DEF_CFA, b"\x41\x0e\x10" * 200000, 1),
    "cfi-remember": partial(cfi, DEF_CFA, b"\x0a" * 400000 + b"\x41\x0e\x10" + b"\x0b" * 400000, 1),
    "fixups-chained": fixups_chained,
    "fixups-linked": fixups_linked,
    "fixups-of-one-landing": fixups_of_one_landing,
    "fixups-in-foreign-code": fixups_in_foreign_code,
    "fixups-at-home": fixups_at_home,
    "fixups-of-many-owners": fixups_of_many_owners,
    "alternatives-of-one-site": alternatives_of_one_site,
    "jump-labels": jump_labels,
    "dense-branches": dense_branches,
    "overlapping-functions": partial(dense_branches, 60000, 8000),
    "pushes-and-branches": pushes_and_branches,
    "btf-names": btf_names,
    "btf-wide": btf_wide,
    "zstd-section": partial(packed_section, 2, ".debug_str"),
    "zstd-lines": partial(packed_section, 2, ".debug_line"),
    "zlib-section": partial(packed_section, 1, ".debug_str"),
    "zstd-info": packed_info,
}
