"""Inputs that name files: devices, what /proc makes up, what lies outside of where one may look, and releases that are paths."""

import json
import os
import pathlib
import struct

from hostile_runner import Case

DATA = pathlib.Path(__file__).resolve().parent.parent
TEXT = 0x401000
KERNEL_TEXT = 0xFFFFFFFF81000000


def elf(path, sections, text=TEXT, symbols=(("f", 0, 0x40),), kind=2):
    """An ELF file: sections by name, code at `text`, and functions in it."""
    names, strings, symtab = b"\0", b"\0", bytes(24)
    for name, at, size in symbols:
        symtab += struct.pack("<IBBHQQ", len(strings), 0x12, 0, 1, text + at, size)
        strings += name.encode() + b"\0"
    parts = [(".text", 1, 6, text, b"\x90" * 0x1000, 0, 0, 0)]
    parts += [(name, 1, 0, 0, data, 0, 0, 0) for name, data in sections.items()]
    parts += [(".symtab", 2, 0, 0, symtab, len(parts) + 2, 1, 24), (".strtab", 3, 0, 0, strings, 0, 0, 0)]
    body, headers = b"", [bytes(64)]
    for name, type_, flags, addr, data, link, info, size in parts + [(".shstrtab", 3, 0, 0, None, 0, 0, 0)]:
        at = len(names)
        names += name.encode() + b"\0"
        data = names if data is None else data
        headers.append(struct.pack("<IIQQQQIIQQ", at, type_, flags, addr, 64 + len(body), len(data), link, info, 8, size))
        body += data
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", kind, 62, 1, text, 0, 64 + len(body), 0, 64, 0, 0, 64, len(headers), len(headers) - 1)
    path.write_bytes(head + body + b"".join(headers))
    return path


def altlink(path, name):
    link = name.encode() + b"\0" + bytes(range(20))
    return elf(path, {".debug_info": bytes(4), ".debug_abbrev": bytes(4), ".gnu_debugaltlink": link})


def skeletons(path, names, comp_dir):
    """DWARF 5 skeleton units: the n-th has 16 bytes of code, and its rest in the n-th of `names`."""
    # skeleton unit: comp_dir and dwo_name as text, low_pc, high_pc as a length
    abbrev = bytes([1, 0x4A, 0, 0x1B, 0x08, 0x76, 0x08, 0x11, 0x01, 0x12, 0x06, 0, 0, 0])
    units = []
    for n, name in enumerate(names):
        unit = struct.pack("<HBBIQ", 5, 4, 8, 0, n) + b"\x01" + comp_dir.encode() + b"\0" + name.encode() + b"\0"
        unit += struct.pack("<QI", TEXT + n % 0x100 * 16, 16)
        units.append(struct.pack("<I", len(unit)) + unit)
    return elf(path, {".debug_info": b"".join(units), ".debug_abbrev": abbrev})


def sourced(path, file):
    """A kernel whose function `evil` is of line 1 of `file`."""
    program = b"\0\x09\x02" + struct.pack("<Q", KERNEL_TEXT) + b"\x01" + b"\x02\x40" + b"\0\x01\x01"
    names = b"\0" + file.encode() + b"\0\0\0\0" + b"\0"
    header = struct.pack("<BBBbBB", 1, 1, 1, -5, 14, 13) + bytes([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]) + names
    line = struct.pack("<HI", 4, len(header)) + header + program
    line = struct.pack("<I", len(line)) + line
    # compile unit: stmt_list, low_pc, high_pc as a length, comp_dir
    abbrev = bytes([1, 0x11, 0, 0x10, 0x17, 0x11, 0x01, 0x12, 0x06, 0x1B, 0x08, 0, 0, 0])
    unit = struct.pack("<HIB", 4, 0, 8) + b"\x01" + struct.pack("<IQI", 0, KERNEL_TEXT, 0x40) + b"/build\0"
    info = struct.pack("<I", len(unit)) + unit
    sections = {".debug_info": info, ".debug_abbrev": abbrev, ".debug_line": line, "__ksymtab": b"\0"}
    return elf(path, sections, text=KERNEL_TEXT, symbols=(("evil", 0, 0x40),))


def note(name, kind, desc):
    pad = lambda b: b.ljust((len(b) + 3) // 4 * 4, b"\0")
    return struct.pack("<III", len(name) + 1, len(desc), kind) + pad(name + b"\0") + pad(desc)


def core(path, names, page):
    """A core of a process into which files of `names` were mapped; the first hundred begin with `page`."""
    status = bytearray(336)
    struct.pack_into("<H", status, 12, 11)
    struct.pack_into("<I", status, 32, 1234)
    for register, value in ((16, 0x400100), (17, 0x33), (19, 0x7FFE0000)):
        struct.pack_into("<Q", status, 112 + register * 8, value)
    files = struct.pack("<QQ", len(names), 4096)
    starts = [0x400000 + n * 0x10000 for n in range(len(names))]
    files += b"".join(struct.pack("<QQQ", at, at + 0x2000, 0) for at in starts)
    files += b"".join(name.encode() + b"\0" for name in names)
    notes = note(b"CORE", 1, bytes(status)) + note(b"CORE", 3, bytes(136)) + note(b"CORE", 0x46494C45, files)
    parts = [(4, 0, notes)] + [(1, at, page) for at in starts[:100]] + [(1, 0x7FFE0000, bytes(4096))]
    heads, body = b"", b""
    for kind, at, data in parts:
        heads += struct.pack("<IIQQQQQQ", kind, 5, 64 + 56 * len(parts) + len(body), at, 0, len(data), len(data), 1)
        body += data
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, len(parts), 0, 0, 0)
    path.write_bytes(head + heads + body)
    return path


def report(path, release, frames=("evil+0x10/0x40",)):
    lines = ["BUG: unable to handle page fault for address: 0000000000000000",
             f"CPU: 0 PID: 1 Comm: x Not tainted {release} #1", "RIP: 0010:evil+0x6/0x40", "Call Trace:", " <TASK>"]
    lines += [f" {frame}" for frame in frames] + [" </TASK>"]
    path.write_text("".join(f"[    1.000000] {line}\n" for line in lines))
    return path


def snapshot(path, release, modules):
    whole = (DATA / "demo.fxs").read_bytes()
    end = whole.index(b"\n")
    length = int(whole[:end].split()[-1])
    header, memory = json.loads(whole[end + 1 : end + 1 + length]), whole[end + 1 + length :]
    header["release"] = release
    pattern = next(image for image in header["images"] if image["name"] == "vmlinux")
    for n in range(modules):
        module = dict(pattern, name=f"hostile{n}")
        header["images"].append(module)
    text = json.dumps(header).encode()
    path.write_bytes(b"fixtrace snapshot 1 %d\n" % len(text) + text + memory)
    return path


def says(*wanted, never=()):
    def look(out, err):
        text = out + err
        for one in wanted:
            if one.encode() not in text:
                return f"does not say {one!r}"
        for one in never:
            if one.encode() in text:
                return f"says {one!r}"

    return look


def links(made):
    """Debug files and their like."""
    for name, target in (("pagemap", "/proc/self/pagemap"), ("kmsg", "/proc/kmsg"), ("zero", "/dev/zero"),
                         ("up", "../../../../../../../../../../proc/kmsg")):
        file = altlink(made / f"altlink-{name}.elf", target)
        yield Case(f"altlink-{name}", ["lookup", "--vmlinux", file, "0x401000"], [file], (0, 1, 3), says(target, "not read"))
    for name, place in (("fifo", None), ("proc", "/proc/self/pagemap"), ("dev", "/dev/zero"), ("outside", "/etc/passwd")):
        own = made / f"debuglink-{name}"
        own.mkdir()
        file = elf(own / "prog.elf", {".gnu_debuglink": b"prog.debug\0\0" + bytes(4)}, symbols=())
        link = own / "prog.debug"
        os.mkfifo(link) if place is None else link.symlink_to(place)
        yield Case(f"debuglink-{name}", ["lookup", "--vmlinux", file, "0x401000"], [file], (0, 1, 3),
                   says("prog.debug", "not read"))
    own = made / "dwo"
    own.mkdir()
    os.mkfifo(own / "x.dwo")
    file = skeletons(own / "prog.elf", ["x.dwo"], str(own))
    yield Case("dwo-fifo", ["lookup", "--vmlinux", file, "0x401000"], [file], (0, 3), says("x.dwo", "(a pipe)"))
    for name, place in (("proc", "/proc/kmsg"), ("device", "/dev/zero"), ("outside", "../../../../../etc/passwd")):
        file = skeletons(own / f"{name}.elf", [place], "/build")
        yield Case(f"dwo-{name}", ["lookup", "--vmlinux", file, "0x401000"], [file], (0, 3), says(os.path.basename(place), "not read"))
    many = skeletons(own / "many.elf", [f"{n}" for n in range(100_000)], "/b")
    yield Case("dwo-many", ["lookup", "--vmlinux", many, "0x401000"], [many], (0, 3))
    elf(own / "one.dwo", {".debug_info.dwo": bytes(100_000), ".debug_abbrev.dwo": bytes(100)})
    same = skeletons(own / "same.elf", ["one.dwo"] * 30_000, "/b")
    for verb in (["index", "-o", own / "same.fxi", same], ["validate", same],
                 ["lookup", "--vmlinux", same, *(hex(0x401000 + n * 16) for n in range(256))]):
        yield Case(f"dwo-same: {verb[0]}", verb, [same, own / "one.dwo"], (0, 1, 3))
    os.mkfifo(own / "packed.elf.dwp")
    packed = skeletons(own / "packed.elf", ["none.dwo"], str(own))
    yield Case("dwp-fifo", ["lookup", "--vmlinux", packed, "0x401000"], [packed], (0, 3), says("packed.elf.dwp", "(a pipe)"))


def cores(made):
    page = elf(made / "page.elf", {}).read_bytes()[:4096]
    # A program header makes the page that of a program.
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0, 0x2000, 0x2000, 0x1000)
    page = page[:32] + struct.pack("<Q", 64) + page[40:54] + struct.pack("<HH", 56, 1) + page[58:64] + load + page[120:]
    fifo = made / "fifo"
    os.mkfifo(fifo)
    for name, names, wanted in (
            ("pagemap", ["/proc/self/pagemap"], "/proc/self/pagemap: below /proc"),
            ("kmsg", ["/proc/kmsg"], "/proc/kmsg: below /proc"),
            ("magic", ["/proc/self/root/dev/zero"], "/proc"),
            ("device", ["/dev/zero"], "/dev/zero: below /dev"),
            ("dots", ["/tmp/../../proc/kmsg"], "below /proc"),
            ("fifo", [str(fifo)], "(a pipe)"),
            ("directory", ["/etc"], "(a directory)"),
            ("many", ["/proc/self/pagemap"] * 5000, "below /proc")):
        file = core(made / f"core-{name}", names, page)
        yield Case(f"core-{name}", ["unwind", file], [file], (0, 3), says(wanted))
    root = made / "sysroot"
    (root / "etc").mkdir(parents=True)
    (root / "etc/ours").write_text("this is no program\n")
    (root / "out").symlink_to("../../../../../../../../../etc")
    file = core(made / "core-escape", ["/../../../../../../../../etc/hostname", "/out/hostname"], page)
    # There is no such file below the root: nothing of this machine is looked at.
    yield Case("core-sysroot-escape", ["unwind", "--sysroot", root, file], [file], (0, 3),
               says("hostname: the file is not there"))


def sources(made):
    log = report(made / "evil.log", "5.10.0")
    for name, file in (("passwd", "/etc/passwd"), ("kmsg", "/proc/kmsg"), ("pagemap", "/proc/self/pagemap"),
                       ("dots", "/build/../../../../../../etc/passwd"), ("zero", "/dev/zero")):
        kernel = sourced(made / f"source-{name}.elf", file)
        args = ["symbolize", "--vmlinux", kernel, "--source", log]
        yield Case(f"source-{name}", args, [kernel, log], (0, 1, 3), says("--source-dir", never=["root:x:"]))
        tree = made / f"tree-{name}"
        tree.mkdir()
        (tree / "passwd").symlink_to("/etc/passwd")
        args = ["symbolize", "--vmlinux", kernel, "--source", "--source-dir", tree, log]
        yield Case(f"source-tree-{name}", args, [kernel, log], (0, 1, 3), says(never=["root:x:"]))


def releases(made):
    kernel = elf(made / "kernel.elf", {"__ksymtab": b"\0"}, text=KERNEL_TEXT, symbols=(("evil", 0, 0x40),))
    canary = made / "dbg/canary"
    (canary / "kernel").mkdir(parents=True)
    (made / "dbg/lib/modules/6.0").mkdir(parents=True)
    (canary / "kernel/hostile0.ko").write_bytes(b"no module at all")
    (canary / "vmlinux").write_bytes(b"no kernel at all")
    frames = [f"f+0x1/0x2 [hostile{n}]" for n in range(3000)]
    for n, release in enumerate(("/usr", "6.0/../../../canary", "6.0/../../../../../../usr", "..", "6.0\x1b]0;x\x07", "6.0/", "6" * 300)):
        log = report(made / f"release-{n}.log", release, frames)
        both = ["--debug-dir", made / "dbg"]
        args = ["symbolize", "--vmlinux", kernel, *both, log]
        yield Case(f"release-log-{n}", args, [log], (0, 1, 2, 3), says(never=["canary/"]))
        yield Case(f"release-log-alone-{n}", ["symbolize", *both, log], [log], (0, 1, 2, 3), says(never=["canary/"]))
        file = snapshot(made / f"release-{n}.fxs", release, 2000)
        yield Case(f"release-snapshot-{n}", ["unwind", *both, file], [file], (2,), says("no kernel release", never=["canary/", "\x1b]"]))
        args = ["unwind", "--vmlinux", DATA / "fixtures/demo-5.10.elf", "--force", *both, file]
        yield Case(f"release-snapshot-given-{n}", args, [file], (0, 2, 3), says(never=["canary/", "\x1b]"]))
        yield Case(f"release-named-{n}", ["lookup", f"--release={release}", *both, "0x1"], [log], (2,),
                   says("no kernel release", never=["canary/", "\x1b]"]))
    # Thousands of modules that are not there: the directories are gone through once.
    tree = made / "tree/lib/modules/5.10.0"
    for n in range(40):
        (tree / f"kernel/{n}").mkdir(parents=True)
        for m in range(50):
            (tree / f"kernel/{n}/other{m}.ko").touch()
    log = report(made / "modules.log", "5.10.0", frames)
    args = ["symbolize", "--vmlinux", kernel, "--debug-dir", made / "tree"]
    yield Case("modules-many", [*args, log], [log], (0, 1, 3))
    file = snapshot(made / "modules.fxs", "5.10.0", 5000)
    given = ["unwind", "--vmlinux", DATA / "fixtures/demo-5.10.elf", "--force", "--debug-dir", made / "tree", file]
    yield Case("modules-many-snapshot", given, [file], (0, 2, 3))
    yield Case("modules-limit", [*args, "--limit", "entries=100", log], [log], (0, 1, 3), says("the limit `entries`"))


def devices(made):
    made = made / "dir"
    made.mkdir()
    for name, target in (("vmlinux", "/proc/kmsg"), ("a.ko", "/proc/self/pagemap"), ("b.ko", "/dev/zero")):
        (made / name).symlink_to(target)
    os.mkfifo(made / "c.ko")
    yield Case("validate-dir", ["validate", made], [], (2,), says("below /proc", "below /dev", "(a pipe)"))
    for verb in (["livepatch", "--patch", "/dev/zero"], ["lookup", "--vmlinux", "/dev/zero", "0x1"], ["inspect", "/dev/urandom"],
                 ["unwind", "/dev/zero"]):
        yield Case(f"device-{verb[0]}", verb, [], (2,))


def cases(made):
    for part in (links, cores, sources, releases, devices):
        own = made / part.__name__
        own.mkdir()
        yield from part(own)
