"""Dumps, snapshots, cores and logs that are small and announce much."""

import json
import lzma
import pathlib
import struct
import zlib
from hostile_runner import Case

DATA = pathlib.Path(__file__).resolve().parent.parent
VMLINUX = DATA / "fixtures" / "demo-5.10.elf"
MAGIC = b"fixtrace snapshot 1 "
PAGE = 4096


def hexa(number):
    return f"{number:#x}"


# Snapshots.

def snapshot():
    """The header and the memory of the snapshot in the tree."""
    data = (DATA / "demo.fxs").read_bytes()
    line, rest = data.split(b"\n", 1)
    length = int(line[len(MAGIC):])
    return json.loads(rest[:length]), rest[length:]


def packed(header, memory):
    text = json.dumps(header, separators=(",", ":")).encode()
    return MAGIC + str(len(text)).encode() + b"\n" + text + memory


def task_of(header, number):
    task = json.loads(json.dumps(header["tasks"][0]))
    task.update(pid=number, tgid=number, running=False, address=hexa(0xffff888000000000 + number * 64))
    return task


# Behind the first byte of vfs_read(), where its frame is one word: the return address.
RETURN = 0xffffffff812c63f1
STACK = 0xffffc90000164000


def endless_frames(depth):
    """Memory of a stack of which each word is a frame."""
    return struct.pack("<Q", RETURN) * depth


def snapshots(directory):
    header, memory = snapshot()

    def write(name, header, memory):
        path = directory / name
        path.write_bytes(packed(header, memory))
        return path

    def edited(name, edit, extra=()):
        changed = json.loads(json.dumps(header))
        edit(changed)
        data = memory
        for at, piece in extra:
            changed["memory"].append([hexa(at), len(piece)])
            data += piece
        return write(name, changed, data)

    def big_stack(h):
        h["tasks"][0]["stack"].update(low="0x0", high="0xffffffffffffffff")
    yield "big-stack", edited("big-stack.fxs", big_stack)

    def big_all(h):
        big_stack(h)
        for cpu in h["cpus"]:
            for stack in cpu["stacks"]:
                stack.update(low="0x0", high="0xffffffffffffffff")
    yield "big-stacks-of-cpus", edited("big-cpus.fxs", big_all)

    def modules(h):
        for n in range(6000):
            h["images"].append({"name": f"mod{n}", "build_id": None, "slide": hexa(0xffffffffc0100000 + n * 0x1000),
                                "sections": [], "text": [hexa(0xffffffffc0100000 + n * 0x1000)] * 2})
    yield "modules", edited("modules.fxs", modules)

    def same_modules(h):
        for n in range(20000):
            h["images"].append({"name": "lab", "build_id": None, "slide": "0xffffffffc0002000", "sections": [],
                                "text": ["0xffffffffc0002000", "0xffffffffc0004000"]})
    yield "modules-of-one-name", edited("same-modules.fxs", same_modules)

    def tables(h):
        text = ["0xffffffffc0002000", "0xffffffffc4002000"]
        table = {"init": ["0xffffffffc4002000", "0xffffffffc8002000"],
                 "orc": ["0xffffffffc0002000", "0xffffffffc0002000", 0xffffffff],
                 "extable": ["0xffffffffc0002000", 0xffffffff],
                 "symbols": ["0xffffffffc0002000", 0xffffffff, "0xffffffffc0002000"]}
        h["images"] = h["images"][:1]
        start = h["images"][0]
        for n in range(20):
            base = 0xffffffffa0000000 + n * 0x4000000
            h["images"].append({"name": f"m{n}", "build_id": None, "slide": hexa(base), "sections": [],
                                "text": [hexa(base), hexa(base + 0x4000000)], "tables": table})
        h["tasks"][0]["hijacked"] = [{"slot": None, "ret": hexa(0xffffffffa0000000 + n * 0x4000000), "by": "function_graph"}
                                     for n in range(20)]
    yield "modules-made-of-nothing", edited("tables.fxs", tables)

    def tasks(h):
        h["tasks"] = [task_of(h, n) for n in range(1500)]
        h["cpus"][0]["task"] = None
    yield "tasks", edited("tasks.fxs", tasks)

    def frames(h, count):
        start = h["tasks"][0]["start"][0]
        start["ip"] = hexa(RETURN)
        start["general"] = [[4, hexa(STACK)]]
        h["tasks"] = [task_of(h, n) for n in range(count)]
        for task in h["tasks"]:
            task["start"][1] = False
        h["cpus"][0]["task"] = None
    changed = json.loads(json.dumps(header))
    frames(changed, 3000)
    stack = endless_frames(2000)
    changed["memory"] = [[hexa(STACK), len(stack)]]
    yield "tasks-of-one-stack", write("frames.fxs", changed, stack)

    # Stacks that nobody checks: each task walks on and on over one piece of memory.
    changed = json.loads(json.dumps(changed))
    for task in changed["tasks"]:
        task["stack"] = None
        task["partial"] = True
    stack = endless_frames(4100)
    changed["memory"] = [[hexa(STACK), len(stack)]]
    yield "tasks-without-stacks", write("unchecked.fxs", changed, stack)

    # Stacks of many tasks, whose words may be of many modules.
    changed = json.loads(json.dumps(header))
    frames(changed, 800)
    for n in range(1600):
        at = 0xffffffffa0000000 + n * 0x1000
        changed["images"].append({"name": f"m{n}", "build_id": None, "slide": hexa(at), "sections": [],
                                  "text": [hexa(at), hexa(at + 0x1000)]})
    stack = struct.pack("<512Q", *[0xffffffffa0000000 + n * 0x800 + 1 for n in range(512)]) * 4
    changed["memory"] = [[hexa(STACK), len(stack)]]
    yield "tasks-and-modules", write("modules-of-tasks.fxs", changed, stack)

    def generated(h):
        h["generated"] = [{"start": hexa(0xffffffffc1000000), "end": hexa(0xffffffffc2000000), "name": "bpf_prog_1", "kind": "bpf"}] * 8000
    yield "generated", edited("generated.fxs", generated)

    def hijacked(h):
        h["tasks"][0]["hijacked"] = [{"slot": None, "ret": "0xffffffff81c01c8f", "by": "function_graph"}] * 12000
    yield "hijacked", edited("hijacked.fxs", hijacked)

    def cpus(h):
        h["cpus"] = [dict(h["cpus"][0], number=n, task=n % 600) for n in range(600)]
        h["tasks"] = [dict(task_of(h, n), running=True, cpu=n) for n in range(600)]
    yield "cpus", edited("cpus.fxs", cpus)

    def findings(h):
        h["findings"] = [f"finding {n}" for n in range(40000)]
    yield "findings", edited("findings.fxs", findings)

    def pieces(h):
        h["memory"] = [["0xffffc90000167e40", 0]] * 40000 + h["memory"]
    yield "pieces", edited("pieces.fxs", pieces)


FORMS = [[], ["--json"], ["--format", "folded"], ["--functions"], ["--require", "reliable"], ["--group"], ["--raw"], ["--regs="],
         ["--sleeping"], ["--crashed"]]


def cases_of_snapshots(directory):
    for name, path in snapshots(directory):
        few = name in ("cpus", "findings", "pieces", "hijacked", "generated")
        for form in FORMS[:2] if few else FORMS:
            yield Case(f"snapshot-{name} {' '.join(form)}", ["unwind", path, "--vmlinux", VMLINUX, *form], [path], (0, 1, 3))
        out = directory / "out.fxs"
        yield Case(f"snapshot-{name} --snapshot", ["unwind", path, "--vmlinux", VMLINUX, "--snapshot", out], [path], (0, 3))
        yield Case(f"snapshot-{name} livepatch", ["livepatch", path, "--vmlinux", VMLINUX, "--function", "vfs_read"], [path],
                   (0, 1, 2, 3))


# ELF files.

def note(name, kind, desc):
    name += b"\0"
    pad = lambda b: b.ljust((len(b) + 3) // 4 * 4, b"\0")
    return struct.pack("<III", len(name), len(desc), kind) + pad(name) + pad(desc)


def phdr(kind, offset, vaddr, paddr, filesz, memsz):
    return struct.pack("<IIQQQQQQ", kind, 7, offset, vaddr, paddr, filesz, memsz, 1)


def elf(count, sections=0, info=0):
    """The header of a core with `count` program headers, which follow it; more than 65,534 are in a section header."""
    few = min(count, 0xffff)
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, sections, 0, 64, 56, few, 64, 1 if sections else 0, 0)
    return head


def core(notes, loads, body):
    """A core: notes, then `body`; `loads` are (offset in body, vaddr, paddr, filesz, memsz)."""
    count = 1 + len(loads)
    base = 64 + 56 * count
    text = elf(count) + phdr(4, base, 0, 0, len(notes), 0)
    at = base + len(notes)
    text += b"".join(phdr(1, at + o, v, p, f, m) for o, v, p, f, m in loads)
    return text + notes + body


def qemu_note(cr3, rip=0xffffffff81000000, cr4=0):
    """`QEMUCPUState`, version 1."""
    d = struct.pack("<II", 1, 440) + struct.pack("<16Q", *([0] * 16)) + struct.pack("<QQ", rip, 2)
    d += b"".join(struct.pack("<IIIIQ", 0x10, 0, 0, 0, 0) for _ in range(10))
    d += struct.pack("<5Q", 0, 0, 0, cr3, cr4) + struct.pack("<Q", 0)
    return note(b"QEMU", 0, d)


def prstatus(tid, rip=0x400100, rsp=0x7ffe0000, rbp=0):
    pr = bytearray(336)
    struct.pack_into("<I", pr, 32, tid)
    struct.pack_into("<Q", pr, 112 + 4 * 8, rbp)
    struct.pack_into("<Q", pr, 112 + 16 * 8, rip)
    struct.pack_into("<Q", pr, 112 + 17 * 8, 0x33)
    struct.pack_into("<Q", pr, 112 + 19 * 8, rsp)
    return note(b"CORE", 1, bytes(pr))


def vmlinux(directory):
    """A kernel with what dumps are found by, and nothing else."""
    banner = b"Linux version 5.10.0-demo (nobody@nowhere) #1 SMP\n\0"
    names = ["_text", "init_top_pgt", "phys_base", "linux_banner", "_end", "page_offset_base"]
    start = 0xffffffff81000000
    places = [0, 0x2000, 0x3000, 0x1000, 0x10000, 0x3008]
    text = bytearray(0x4000)
    text[0x1000:0x1000 + len(banner)] = banner
    strings = b"\0" + b"\0".join(n.encode() for n in names) + b"\0"
    symbols = bytes(24)
    at = 1
    for name, place in zip(names, places):
        symbols += struct.pack("<IBBHQQ", at, 0x11, 0, 1, start + place, 0)
        at += len(name) + 1
    shstr = b"\0.text\0.symtab\0.strtab\0.shstrtab\0__ksymtab\0"
    body = 64 + 56
    parts = [bytes(text), symbols, strings, shstr]
    offsets = []
    for part in parts:
        offsets.append(body)
        body += len(part)
    sh = bytes(64)
    def section(name, kind, flags, addr, number, link=0, entry=0):
        return struct.pack("<IIQQQQIIQQ", name, kind, flags, addr, offsets[number], len(parts[number]), link, 1 if kind == 2 else 0, 1,
                           entry)
    sh += section(1, 1, 6, start, 0) + section(7, 2, 0, 0, 1, 3, 24) + section(15, 3, 0, 0, 2) + section(23, 3, 0, 0, 3) + section(33, 1, 2, start, 0)
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, start, 64, body, 0, 64, 56, 1, 64, 6, 4)
    head += struct.pack("<IIQQQQQQ", 1, 7, offsets[0], start, 0x1000000, len(text), 0x10000, PAGE)
    path = directory / "vmlinux-demo"
    path.write_bytes(head + b"".join(parts) + sh)
    return path


INFO = b"OSRELEASE=5.10.0-demo\nPAGESIZE=4096\nSYMBOL(_stext)=ffffffff81000000\nKERNELOFFSET=0\nNUMBER(phys_base)=0\n"


def dumps(directory):
    def write(name, data):
        path = directory / name
        path.write_bytes(data)
        return path

    # Page tables: the top level leads to one table of the second level, whose entries all lead on to itself.
    def tables(base, entry):
        return struct.pack("<512Q", *[entry] * 512)
    table = 0x10000
    loops = tables(0, table | 0x63)
    yield "loop", write("loop.dump", core(b"".join(qemu_note(table) for _ in range(1000)), [(0, 0, table, PAGE, PAGE)], loops))
    # All 512 entries of each level lead to one table, whose last level has nothing.
    chain = tables(0, 0x11000 | 0x63) + tables(0, 0x12000 | 0x63) + tables(0, 0x13000 | 0x63) + bytes(PAGE)
    notes = b"".join(qemu_note(0x10000 + n * 0x1000) for n in range(4)) * 250
    yield "chain", write("chain.dump", core(notes, [(0, 0, 0x10000, len(chain), len(chain))], chain))
    # Each CPU has a page table of its own.
    tops = b"".join(tables(0, 0x11000 | 0x63) for _ in range(100))
    notes = b"".join(qemu_note(0x20000 + n * 0x1000) for n in range(100))
    yield "tops", write("tops.dump", core(notes, [(0, 0, 0x10000, 4 * PAGE, 4 * PAGE), (4 * PAGE, 0, 0x20000, len(tops), len(tops))],
                                          chain + tops))
    # Segments that all have the whole file.
    body = bytes(300000)
    loads = [(0, 0, n << 20, len(body), len(body)) for n in range(8000)]
    yield "overlap", write("overlap.dump", core(note(b"X", 1, b""), loads, body))
    size = 1 << 20
    loads = [(0, 0, n << 21, size, size) for n in range(60000)]
    yield "overlap-many", write("overlap-many.dump", core(note(b"X", 1, b""), loads, bytes(size)))
    loads = [(0, 0, n, PAGE * 20, PAGE * 20) for n in range(10000)]
    yield "overlap-by-bytes", write("overlap-bytes.dump", core(note(b"X", 1, b""), loads, bytes(PAGE * 20)))
    # Memory that has no bytes.
    loads = [(0, 0, n << 40, PAGE, 1 << 40) for n in range(1000)]
    yield "memsz", write("memsz.dump", core(note(b"X", 1, b""), loads, bytes(PAGE)))
    # Heads of lists that point to themselves.
    page = struct.pack("<512Q", *[0xffff888000000000 + (n & 511) * 8 for n in range(512)])
    yield "selves", write("selves.dump", core(note(b"VMCOREINFO", 0, INFO), [(0, 0, 0, len(page) * 200, len(page) * 200)], page * 200))
    # Notes that all are VMCOREINFO, or of CPUs.
    yield "vmcoreinfo", write("info.dump", core(note(b"VMCOREINFO", 0, b"A=B\n" * 100000), [(0, 0, 0, PAGE, PAGE)], bytes(PAGE)))
    yield "small-notes", write("notes.dump", core(note(b"", 1, b"") * 60000, [(0, 0, 0, PAGE, PAGE)], bytes(PAGE)))
    # Notes that are segments many times.
    notes = prstatus(1) * 500
    many = 3000
    base = 64 + 56 * many
    data = elf(many) + phdr(4, base, 0, 0, len(notes), 0) * many + notes
    yield "notes-overlap", write("notes-overlap.dump", data)
    # Each page is VMCOREINFO, nearly.
    page = (INFO.replace(b"PAGESIZE=4096", b"PAGESIZE=4097") + b"X=Y\n" * 900)[:PAGE]
    yield "info-pages", write("info-pages.dump", core(note(b"X", 1, b""), [(0, 0, 0, PAGE * 200, PAGE * 200)], page * 200))
    banners = (b"Linux version 5.10.0-demo (x)\0" * 200)[:PAGE]
    yield "banners", write("banners.dump", core(note(b"X", 1, b""), [(0, 0, 0, PAGE * 200, PAGE * 200)], banners * 200))
    other = (b"Linux version x.10.0-demo (x)\0" * 200)[:PAGE]
    yield "no-banners", write("no-banners.dump", core(note(b"X", 1, b""), [(0, 0, 0, PAGE * 200, PAGE * 200)], other * 200))

    def kdump(name, pages, rows, data, bitmap=None, flags=1, sparse=0, sub=b""):
        """A kdump file: all of `pages` pages are there; `rows` are (offset in data, size) of each descriptor."""
        half = -(-pages // 8)
        half = -(-half // PAGE) * PAGE
        bits = bitmap if bitmap is not None else (b"\xff" * (pages // 8)).ljust(half, b"\0")
        head = bytearray(PAGE)
        head[:8] = b"KDUMP   "
        struct.pack_into("<I", head, 8, 6)
        struct.pack_into("<I", head, 424, flags)
        struct.pack_into("<IIII", head, 428, PAGE, 1, 2 * half // PAGE, min(pages, 0xffffffff))
        second = bytearray(PAGE)
        struct.pack_into("<Q", second, 96, pages)
        second[:len(sub)] = sub
        at = PAGE * 2 + 2 * half + 24 * len(rows)
        text = b"".join(struct.pack("<QIIQ", at + o, s, flags, 0) for o, s in rows)
        path = directory / name
        with open(path, "wb") as file:
            file.write(bytes(head) + bytes(second) + bits * 2 + text + data)
        return path

    blank = zlib.compress(bytes(PAGE), 9)
    yield "kdump-one-page", kdump("one-page.kdump", 40000, [(0, len(blank))] * 40000, blank)
    yield "kdump-no-rows", kdump("no-rows.kdump", 8 << 20, [], b"")
    # Many pages, each with data of its own.
    parts = [zlib.compress(struct.pack("<Q", n).ljust(PAGE, b"\0"), 9) for n in range(12000)]
    rows, at = [], 0
    for part in parts:
        rows.append((at, len(part)))
        at += len(part)
    yield "kdump-small-pages", kdump("small-pages.kdump", 12000, rows, b"".join(parts))
    # Frames of zstd without content.
    frame = bytes([0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x0f]) + struct.pack("<I", (PAGE << 3) | 2 | 1)[:3] + b"\0"
    yield "kdump-zstd", kdump("zstd.kdump", 40000, [(0, len(frame))] * 40000, frame, flags=0x20)
    rows = [(n * len(frame), len(frame)) for n in range(20000)]
    yield "kdump-zstd-pages", kdump("zstd-pages.kdump", 20000, rows, frame * 20000, flags=0x20)
    alternate = b"\x55" * PAGE
    rows = [(0, len(blank))] * 8000
    yield "kdump-holes", kdump("holes.kdump", 16000, rows, blank, bitmap=alternate)

    def flat(name, records, end=True):
        head = struct.pack(">16sQQ", b"makedumpfile\0\0\0\0", 1, 1).ljust(PAGE, b"\0")
        text = b"".join(struct.pack(">qq", at, len(data)) + data for at, data in records)
        path = directory / name
        path.write_bytes(head + text + (struct.pack(">qq", -1, -1) if end else b""))
        return path

    inner = (directory / "one-page.kdump").read_bytes()
    yield "flat-bytes", flat("flat-bytes.dump", [(n, inner[n:n + 1]) for n in range(60000)])
    yield "flat-over", flat("flat-over.dump", [(0, inner[:PAGE])] + [(8192, bytes(9))] * 40000)
    yield "flat-holes", flat("flat-holes.dump", [(0, inner[:8192])] + [(n * 200, b"\xff") for n in range(50, 60000)])


def cases_of_dumps(directory):
    kernel = vmlinux(directory)
    for name, path in dumps(directory):
        any_of = (0, 1, 2, 3)
        yield Case(f"dump-{name}", ["unwind", path, "--vmlinux", kernel], [path], any_of)
        yield Case(f"dump-{name} by release", ["unwind", path], [path], any_of)
        yield Case(f"dump-{name} --log", ["unwind", path, "--log"], [path], any_of)
        yield Case(f"dump-{name} validate", ["validate", kernel, "--dump", path], [path], any_of)


# Cores of processes.

def files_note(entries, names):
    text = struct.pack("<QQ", len(entries), PAGE)
    return note(b"CORE", 0x46494c45, text + b"".join(struct.pack("<QQQ", *e) for e in entries) + names)


def cores(directory):
    info = bytearray(136)
    struct.pack_into("<I", info, 24, 1234)
    info[40:46] = b"victim"
    process = note(b"CORE", 3, bytes(info))

    def write(name, notes, loads, body):
        path = directory / name
        path.write_bytes(core(notes, loads, body))
        return path

    page = VMLINUX.read_bytes()[:PAGE]
    name = str(VMLINUX).encode() + b"\0"
    count = 8000
    entries = [(0x400000 + n * 0x1000, 0x401000 + n * 0x1000, 0) for n in range(count)]
    yield "files", write("files.core", prstatus(1) + process + files_note(entries, name * count), [(0, 0x400000, 0, PAGE, PAGE)], page)
    loads = [(0, 0x400000 + n * 0x1000, 0, PAGE, PAGE) for n in range(count)]
    yield "files-there", write("files-there.core", prstatus(1) + process + files_note(entries, name * count), loads, page)
    missing = b"".join(b"/nowhere/%d\0" % n for n in range(count))
    yield "files-missing", write("files-missing.core", prstatus(1) + process + files_note(entries, missing), loads, page)
    for n in range(30):
        process += files_note(entries[:100], name * 100)
    yield "files-again", write("files-again.core", prstatus(1) + process, loads, page)
    process = note(b"CORE", 3, bytes(info))
    # A stack of frame pointers without end, below threads that all have it.
    low, ret = 0x7f0000000000, 0x400500
    stack = b"".join(struct.pack("<QQ", low + (n + 1) * 16, 0x401000) for n in range(5000))
    stack = struct.pack("<Q", 0x401000) + stack
    threads = b"".join(prstatus(n, ret, low - 8, low) for n in range(1500))
    self_path = directory / "program"
    program = bytearray(0x2000)
    program[:16] = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    struct.pack_into("<HHIQQQIHHHHHH", program, 16, 2, 62, 1, 0x400000, 64, 0x1800, 0, 64, 56, 1, 64, 3, 2)
    for at, fields in ((0x1840, (1, 1, 6, 0x400400, 0x400, 0xc80, 0, 0, 1, 0)), (0x1880, (7, 3, 0, 0, 0x1900, 17, 0, 0, 1, 0))):
        struct.pack_into("<IIQQQQIIQQ", program, at, *fields)
    program[0x1900:0x1911] = b"\0.text\0.shstrtab\0"
    struct.pack_into("<IIQQQQQQ", program, 64, 1, 5, 0, 0x400000, 0x400000, 0x2000, 0x2000, PAGE)
    program[0xffb:0x1000] = b"\xe8\0\0\0\0"
    self_path.write_bytes(program)
    entries = [(0x400000, 0x402000, 0)]
    notes = threads + process + files_note(entries, str(self_path).encode() + b"\0")
    yield "threads", write("threads.core", notes, [(0, 0x400000, 0, 0x2000, 0x2000), (0x2000, low - 8, 0, len(stack), len(stack))],
                           bytes(program) + stack)
    auxv = note(b"CORE", 6, struct.pack("<QQ", 33, 0x400000))
    yield "auxv", write("auxv.core", prstatus(1) + process + auxv * 20000, [(0, 0x400000, 0, PAGE, PAGE)], page)
    yield "short-notes", write("short-notes.core", prstatus(1) + process + note(b"CORE", 1, b"") * 40000, [(0, 0x400000, 0, PAGE, PAGE)],
                               page)
    loads = [(0, 0x400000, 0, PAGE, PAGE)] * 16000
    yield "loads", write("loads.core", prstatus(1) + process, loads, page)


def cases_of_cores(directory):
    for name, path in cores(directory):
        for form in FORMS[:6] if name == "threads" else FORMS[:2]:
            yield Case(f"core-{name} {' '.join(form)}", ["unwind", path, *form], [path], (0, 1, 2, 3))
    for name, begin in (("snapshot", MAGIC), ("core", elf(1)), ("kdump", b"KDUMP   ")):
        path = bomb(directory / f"{name}.gz", zlib.compressobj(9, zlib.DEFLATED, 31), begin)
        yield Case(f"bomb-{name}", ["unwind", path], [path], (2, 3))


# Logs.

OOPS = (b"[   1.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008\n"
        b"[   1.000000] #PF: supervisor read access in kernel mode\n"
        b"[   1.000000] CPU: 0 PID: 1 Comm: init Not tainted 5.10.0-32-cloud-amd64 #1\n"
        b"[   1.000000] RIP: 0010:vfs_read+0x10/0x190\n")


def logs(directory):
    def write(name, data):
        path = directory / name
        path.write_bytes(data)
        return path

    mega = 1 << 20
    yield "line", write("line.log", OOPS + b"x" * mega + b"\n" + b"[ 1.0]" + b" " * mega)
    yield "line-of-prefixes", write("prefixes.log", b"[    1.000000] " * (mega // 15) + b"\n" + OOPS)
    yield "line-of-stamps", write("stamps.log", OOPS + (b"[    1.000000] BUG: x+0x1/0x2 " * (16384 // 30) + b"\n") * 40)
    yield "line-of-escapes", write("escapes.log", b"\x1b[31m" * (mega // 5) + b"\n" + OOPS)
    yield "lines-of-escapes", write("escapes2.log", OOPS + (b"\x1b[31m" * 3000 + b"[ 1.0]  vfs_read+0x10/0x190\n") * 60)
    yield "line-of-quotes", write("quotes.log", b"> " * (mega // 2) + OOPS)
    yield "lines-of-quotes", write("quotes2.log", (b"> " * 4000 + b"[ 1.0]  vfs_read+0x10/0x190\n") * 120)
    yield "line-of-entities", write("entities.log", OOPS + b"&amp;" * (mega // 5) + b"\n")
    yield "lines-of-entities", write("entities2.log", OOPS + (b"[ 1.0]  " + b"&amp;" * 3000 + b"vfs_read+0x10/0x190\n") * 60)
    yield "quoted-printable", write("qp.log", OOPS + b"[ 1.0]  vfs_read=2B0x10/0x190=\n" * 30000)
    yield "quoted-printable-line", write("qp2.log", OOPS + b"=3D" * (mega // 3))
    yield "json-lines", write("json.log", b'{"log":"' + b"\\n" * 8000 + b'","stream":"stdout","time":"2020-01-01T00:00:00Z"}\n' +
                              b'{"log":"' + OOPS.replace(b"\n", b"\\n") * 2000 + b'"}\n')
    trace = OOPS + b"[   1.000000] Call Trace:\n"
    frame = b"[   1.000000]  vfs_read+0x10/0x190\n"
    maybe = b"[   1.000000]  ? vfs_read+0x10/0x190\n"
    yield "frames", write("frames.log", trace + frame * 30000)
    yield "frames-maybe", write("maybe.log", trace + maybe * 30000)
    yield "frames-mixed", write("mixed.log", trace + (frame + maybe * 30) * 1000)
    yield "frames-of-modules", write("mods.log", trace + b"".join(b"[   1.000000]  f%d+0x1/0x2 [m%d]\n" % (n, n) for n in range(20000)))
    yield "reports", write("reports.log", trace * 5000)
    yield "reports-of-others", write("others.log", b"".join(
        (trace + frame).replace(b"vfs_read", b"fn%d" % n) for n in range(4000)))
    yield "reports-short", write("short.log", b"[ 1.0] BUG: x\n" * 60000)
    yield "warnings", write("warnings.log", b"".join(b"WARNING: CPU: 0 PID: 1 at fs/x.c:%d f%d+0x1/0x2\n" % (n, n) for n in range(20000)))
    callers = b"".join(OOPS.replace(b"[   1.000000]", b"[   1.000000][T%5d]" % n) for n in range(1000))
    frames = b"".join(b"[   1.000000][T%5d]  vfs_read+0x10/0x190\n" % (n % 1000) for n in range(20000))
    yield "callers", write("callers.log", callers + frames)
    yield "callers-many", write("callers-many.log", b"".join(b"[   1.000000][T%5d] BUG: unable to handle page fault for address: 0\n" % n
                                                             for n in range(15000)))
    modules = b"[   1.000000] Modules linked in:" + b"".join(b" m%d(OE)" % n for n in range(100000)) + b"\n"
    yield "modules", write("modules.log", trace + frame + modules)
    modules = b"".join(b"[   1.000000] Modules linked in:" + b"".join(b" m%d" % (k + n * 400) for k in range(400)) + b"\n" + frame
                       for n in range(300))
    yield "modules-lines", write("modules2.log", trace + modules)
    code = b"[   1.000000] Code: " + b"90 " * 300000 + b"<90>" + b" 90" * 10000 + b"\n"
    yield "code", write("code.log", OOPS + code + b"[   1.000000] Call Trace:\n" + frame)
    yield "code-lines", write("code2.log", (OOPS + b"[   1.000000] Code: " + b"0f 0b " * 30 + b"<90>" + b" 90" * 20 + b"\n") * 1500)
    regs = b"[   1.000000] RAX: 0000000000000000 RBX: 0000000000000000 RCX: 0000000000000000\n"
    yield "registers", write("regs.log", OOPS + regs * 12000)
    yield "names", write("names.log", trace + (b"[   1.000000]  " + b"f" * 16000 + b"+0x1/0x2\n") * 60)
    yield "name", write("name.log", trace + b"[   1.000000]  " + b"f" * mega + b"+0x1/0x2\n" + frame)
    title = b"[   1.000000] BUG: " + b"y" * 15000 + b"\n"
    yield "titles", write("titles.log", title * 60)
    yield "joined", write("joined.log", b"".join(b"[   1.000000] INFO: task t%d:%d blocked for more than 120 seconds.\n" % (n, n) + frame
                                                 for n in range(10000)))
    yield "pstore", write("pstore.log", b"Oops#1 Part1\n" + (b"<6>[    1.000000] x\n" * 30000) + b"Oops#1 Part2\n" + trace)
    yield "pstore-parts", write("pstore2.log", b"".join(b"Oops#1 Part%d\n<6>[    1.0] x\n" % n for n in range(20000)))
    yield "proc-stacks", write("proc.log", b"".join(b"[<0>] vfs_read+0x10/0x190\n" for n in range(30000)))
    yield "maybe-broken", write("broken.log", b"[ 1.0] general protection fault, \n" * 30000)
    yield "locks", write("locks.log", trace + b"[   1.000000] #0: ffff888000000000 (&lock){+.+.}-{3:3}, at: f+0x1/0x2\n" * 15000)
    yield "calls", write("calls.log", b"[ 1.0] Call Trace:\n" * 50000)
    yield "nmis", write("nmis.log", trace + b"[   1.000000] NMI backtrace for cpu 1\n[   1.000000]  f+0x1/0x2\n" * 15000)
    yield "bomb-gz", bomb(directory / "bomb.gz", zlib.compressobj(9, zlib.DEFLATED, 31), OOPS)
    yield "bomb-xz", bomb(directory / "bomb.xz", lzma.LZMACompressor(preset=0), OOPS)


def bomb(path, packer, begin):
    """A file of some hundred KB that unpacks to 300 MB."""
    with open(path, "wb") as file:
        file.write(packer.compress(begin))
        for _ in range(300):
            file.write(packer.compress(b"\n" * (1 << 20)))
        file.write(packer.flush())
    return path


def dense(directory):
    """Packed logs of lines that each have something to be read."""
    title = b"[   1.000000] BUG: unable to handle page fault for address: 0\n"
    trace = title + b"[   1.000000] RIP: 0010:vfs_read+0x10/0x190\n[   1.000000] Call Trace:\n"
    frame = b"[   1.000000]  vfs_read+0x10/0x190\n"
    code = b"[   1.000000] Code: " + b"0f 0b " * 30 + b"<90>" + b" 90" * 20 + b"\n"
    modules = b"Modules linked in: " + b"".join(b"m%d(OE) " % n for n in range(1800)) + b"\n"
    registers = b"[   1.000000] RAX: 0000000000000000 RBX: 0000000000000000 RCX: 0000000000000000\n"
    for name, size, unit in [
        ("headings", 12, b"BUG: x\n"),
        ("frames", 48, trace + frame * 200),
        ("blanks", 48, trace + b"\n" * 300),
        ("traces", 48, trace + frame),
        ("words", 180, b"DEBUG x\n"),
        ("rules", 48, b"==========\n" * 90 + b"BUG: x\n" + b"x\n" * 10),
        ("stacks", 48, b"== /proc/1 init\n[<0>] vfs_read+0x10/0x190\n"),
        ("modules", 96, trace + modules),
        ("registers", 48, trace + registers * 300),
        ("codes", 48, trace + code),
        ("long-codes", 48, trace + b"[   1.000000] Code: " + b"0f 0b " * 2700 + b"<90> 90\n"),
        ("containers", 48, b'{"log":"[ 1.0] BUG: x\\n"}\n'),
        ("mail", 48, b"Content-Transfer-Encoding: quoted-printable\nBUG: x=\n"),
        ("warnings", 48, b"".join(b"WARNING: CPU: 0 PID: 1 at fs/x.c:%d f%d+0x1/0x2\n" % (n, n) for n in range(900))),
    ]:
        path = directory / f"dense-{name}.log.gz"
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        # What this process has in memory counts for those it starts.
        some = unit * ((1 << 20) // len(unit))
        with open(path, "wb") as file:
            for _ in range(size):
                file.write(packer.compress(some))
            file.write(packer.flush())
        yield name, path, size * len(some)


def passed_on(name, size):
    def expect(out, err):
        # What is too much is passed on unread, and said to be.
        if len(out) < min(size, 64 << 20):
            return f"{len(out)} bytes of {size} came out"
        said = b"(limit work)" in err or name in ("modules", "containers", "warnings")
        return None if said else "nothing is said of the limit"
    return expect


def cases_of_logs(directory):
    for name, path, size in dense(directory):
        for form in [[], ["--json"], ["--summary"]]:
            yield Case(f"log-dense-{name} {' '.join(form)}", ["symbolize", path, "--vmlinux", VMLINUX, *form], [path], (0, 1, 2, 3),
                       passed_on(name, size) if not form else None)
    for name, path in logs(directory):
        for form in [[], ["--json"], ["--summary"], ["--summary", "--join"], ["--code"]]:
            yield Case(f"log-{name} {' '.join(form)}", ["symbolize", path, "--vmlinux", VMLINUX, *form], [path], (0, 1, 2, 3))


def cases(directory):
    yield from cases_of_snapshots(directory)
    yield from cases_of_dumps(directory)
    yield from cases_of_cores(directory)
    yield from cases_of_logs(directory)
