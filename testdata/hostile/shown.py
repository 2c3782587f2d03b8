"""Names that act on a terminal or begin lines of their own: in images, logs, snapshots, cores, livepatches and paths.

What is printed may hold no byte that acts; what `symbolize` keeps of a log is the log's, but on a terminal.
"""

import json
import os
import pathlib
import pty
import re
import struct
import subprocess

from hostile_runner import Case

TESTDATA = pathlib.Path(__file__).resolve().parent.parent
TEXT = 0xFFFFFFFF81000000

# A title, the clipboard, a link, the screen wiped, a colour, lines of others, controls, directions, nothing to see.
EVIL = [
    "\x1b]0;pwn\x07", "\x1b]52;c;aGk=\x07", "\x1b]8;;http://x\x1b\\y\x1b]8;;\x1b\\", "\x1b[2J\x1b[H", "\x1b[31m",
    "\nfixtrace: forged", "\r\n  => forged", "\b\b\b", "\u009b2J", "\u202egnp", "\u2066x", "a\u200bb\u200d", "\x7f\x01",
    "<script>alert(1)</script>\"']]>&", "\u2028x",
]

ACTS = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]")
COLOUR = re.compile("\x1b\\[[0-9;]*m")


def acts(text):
    """What is wrong with `text`, which is to be read by people."""
    if found := ACTS.search(text):
        at = found.start()
        return f"acts: {text[max(0, at - 30):at + 30]!r}"
    for line in text.splitlines():
        if line.startswith(("fixtrace: forged", "  => forged", "forged")):
            return f"a forged line: {line!r}"
    return None


def calm(stdout, stderr):
    return acts(stdout.decode(errors="replace")) or acts(stderr.decode(errors="replace"))


def calm_messages(_, stderr):
    return acts(stderr.decode(errors="replace"))


def holds(wanted, also=calm):
    """`also`, and that `wanted` is shown: what is left out does not act either."""

    def look(stdout, stderr):
        if wrong := also(stdout, stderr):
            return wrong
        return None if wanted in stdout + stderr else f"without {wanted!r}"

    return look


def string(text):
    return text.encode() + b"\0"


def elf(sections, kind=2):
    """A file of `sections`: name, type, flags, address, data, link, info, size of an entry."""
    out, names, headers = bytearray(64), b"\0", bytearray(64)
    sections = [*sections, (".shstrtab", 3, 0, 0, None, 0, 0, 0)]
    for name, sort, flags, addr, data, link, info, entry in sections:
        at = len(names)
        names += string(name)
        data = names if data is None else data
        headers += struct.pack("<IIQQQQIIQQ", at, sort, flags, addr, len(out), len(data), link, info, 1, entry)
        out += data
    place = len(out)
    out += headers
    out[:64] = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", kind, 62, 1, 0, 0, place, 0, 64, 0, 0, 64,
                           len(sections) + 1, len(sections))
    return bytes(out)


def dwarf():
    """`.debug_abbrev`, `.debug_info`, `.debug_line`: of each EVIL a function of 16 bytes, the whole of it inlined, in a
    file of that name."""
    text_len = 16 * len(EVIL)
    abbrev = bytes([
        1, 0x11, 1, 3, 8, 0x1B, 8, 0x10, 0x17, 0x11, 1, 0x12, 7, 0, 0,
        2, 0x2E, 0, 3, 8, 0x20, 0xB, 0, 0,
        3, 0x2E, 1, 3, 8, 0x11, 1, 0x12, 7, 0, 0,
        4, 0x1D, 0, 0x31, 0x13, 0x11, 1, 0x12, 7, 0x58, 0xB, 0x59, 0xB, 0, 0,
        0,
    ])
    info = bytearray(11)
    info += bytes([1]) + string("unit\x1b[2J.c") + string("/build\nfixtrace: forged") + struct.pack("<IQQ", 0, TEXT, text_len)
    for number, evil in enumerate(EVIL):
        callee = len(info)
        info += bytes([2]) + string(f"in{evil}") + bytes([1])
        at = TEXT + 16 * number
        info += bytes([3]) + string(f"f{number}") + struct.pack("<QQ", at, 16)
        info += bytes([4]) + struct.pack("<IQQBB", callee, at, 16, number + 1, 9) + b"\0"
    info += b"\0"
    info[:11] = struct.pack("<IHIB", len(info) - 4, 4, 0, 8)
    head = bytes([1, 1, 1, 0xFB, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]) + b"\0"
    head += b"".join(string(f"{evil}.c") + b"\0\0\0" for evil in EVIL) + b"\0"
    program = b""
    for number in range(len(EVIL)):
        program += b"\0\x09\x02" + struct.pack("<Q", TEXT + 16 * number) + bytes([4, number + 1, 3, 6, 1])
        program += b"\x02\x10\0\x01\x01"
    line = struct.pack("<HI", 4, len(head)) + head + program
    return abbrev, bytes(info), struct.pack("<I", len(line)) + line


def kernel():
    """A kernel whose first functions have hostile files and calls; behind them are functions with hostile names."""
    abbrev, info, line = dwarf()
    count = len(EVIL)
    table, names = bytearray(24), b"\0"
    for number in range(2 * count):
        name = f"f{number}" if number < count else f"g{EVIL[number - count]}"
        table += struct.pack("<IBBHQQ", len(names), 0x12, 0, 1, TEXT + 16 * number, 16)
        names += string(name)
    note = struct.pack("<III", 4, 8, 3) + b"GNU\0" + b"\xab" * 8
    banner = b"Linux version 6.1.0\x1b[2Jx (a@b) (gcc) #1 SMP \x1b]0;pwn\x07\n\0"
    return elf([
        (".text", 1, 6, TEXT, b"\x90" * 32 * count, 0, 0, 0),
        ("__ex_table", 1, 2, TEXT + 0x1000, struct.pack("<iiI", -0x1000, -0x1004 + 16 * (count + 3), 1), 0, 0, 0),
        (".notes", 7, 2, TEXT + 0x2000, note, 0, 0, 0),
        (".rodata", 1, 2, TEXT + 0x3000, banner, 0, 0, 0),
        (".symtab", 2, 0, 0, bytes(table), 6, 1, 24),
        (".strtab", 3, 0, 0, names, 0, 0, 0),
        (".debug_abbrev", 1, 0, 0, abbrev, 0, 0, 0),
        (".debug_info", 1, 0, 0, info, 0, 0, 0),
        (".debug_line", 1, 0, 0, line, 0, 0, 0),
        *((f".data{evil}", 1, 3, TEXT + 0x4000 + 16 * n, b"\0" * 16, 0, 0, 0) for n, evil in enumerate(EVIL)),
    ])


def report(frames, comm="x", release="5.10.0", title=""):
    """A log with a report in it."""
    lines = [f"BUG: unable to handle page fault for address: 0000000000000000{title}",
             f"CPU: 0 PID: 1 Comm: {comm} Not tainted {release} #1", f"RIP: 0010:{frames[0]}+0x6/0x10", "Call Trace:",
             " <TASK>", *(f" {f}+0x6/0x10" for f in frames[1:]), " </TASK>", "---[ end trace 0123456789abcdef ]---"]
    return "".join(f"[    1.000000] {line}\n" for line in lines)


def snapshot():
    """The snapshot of the README, with other names in it."""
    whole = (TESTDATA / "demo.fxs").read_bytes()
    first, rest = whole.split(b"\n", 1)
    length = int(first.split()[-1])
    header, memory = json.loads(rest[:length]), rest[length:]
    evil = "".join(EVIL)
    header["tasks"][0].update(comm=f"a b;c{evil}", state="\x1b")
    header["tasks"][0]["stack"]["kind"] = f"TASK{evil}"
    for image in header["images"][1:]:
        image["name"] += evil
    header["findings"] = []
    text = json.dumps(header).encode()
    return b"fixtrace snapshot 1 %d\n" % len(text) + text + memory


def core():
    """A core whose files have hostile names, and so has the process."""

    def note(kind, desc):
        return struct.pack("<III", 5, len(desc), kind) + b"CORE\0\0\0\0" + desc.ljust((len(desc) + 3) // 4 * 4, b"\0")

    status = bytearray(336)
    struct.pack_into("<H", status, 12, 11)
    struct.pack_into("<I", status, 32, 1234)
    for word, value in ((16, 0x400100), (17, 0x33), (19, 0x7FFE0000)):
        struct.pack_into("<Q", status, 112 + 8 * word, value)
    about = bytearray(136)
    struct.pack_into("<I", about, 24, 1234)
    about[40:55] = b"a\x1b]0;pwn\x07\nb\x9b"[:15].ljust(15, b"\0")
    about[56:66] = b"\x1b[2J\nevil\0"
    files, names = struct.pack("<QQ", len(EVIL), 4096), b""
    for number, evil in enumerate(EVIL):
        at = 0x400000 + 0x10000 * number
        files += struct.pack("<QQQ", at, at + 0x2000, 0)
        names += string(f"/tmp/{evil}")
    notes = note(1, bytes(status)) + note(3, bytes(about)) + note(0x46494C45, files + names)
    # The beginning of a library, so that its file is looked for.
    page = (TESTDATA / "fixtures/user/walk.so").read_bytes()[:4096]
    parts = [(4, 0, notes), *((1, 0x400000 + 0x10000 * n, page) for n in range(len(EVIL))), (1, 0x7FFE0000, struct.pack("<Q", 0x410100) * 512)]
    at, headers, body = 64 + 56 * len(parts), b"", b""
    for kind, addr, data in parts:
        headers += struct.pack("<IIQQQQQQ", kind, 5, at + len(body), addr, 0, len(data), len(data), 1)
        body += data
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 4, 62, 1, 0, 64, 0, 0, 64, 56, len(parts), 0, 0, 0)
    return head + headers + body


def livepatch():
    """A livepatch of functions and of a module with hostile names."""
    module = (TESTDATA / "fixtures/livepatch/klp-build.ko").read_bytes()
    for name, evil in ((b"vfs_first", b"a\x1b[2J\rbcd"), (b"drv_third", b"\xc2\x9b31m\nxyz"), (b"driver\0", b"dr\x07\x08er\0")):
        assert len(name) == len(evil)
        module = module.replace(name, evil)
    return module


def marked(log):
    """Looks whether deleting the added lines and places gives `log`, and whether the rest is calm."""

    def look(stdout, stderr):
        if wrong := calm(stdout, stderr):
            return wrong
        lines = [l for l in stdout.decode().splitlines() if not re.match(r"\[    1\.000000\] +=> ", l)]
        kept = [re.sub(r" \([^ ].*:\d+\)$", "", l) for l in lines]
        if kept != log.splitlines():
            return f"not the log: {[l for l in kept if l not in log.splitlines()][:2]}"
        return None if b"(inlined)" in stdout else "no call was named"

    return look


def unchanged(log):
    """Looks whether deleting what was added gives the bytes of `log`."""

    def look(stdout, stderr):
        lines = [l for l in stdout.splitlines(True) if not re.match(rb"\[    1\.000000\] +=> ", l)]
        kept = b"".join(re.sub(rb" \([^ ].*:\d+\)$", b"", l) for l in lines)
        return calm_messages(stdout, stderr) or (None if kept == log else "not the bytes of the log")

    return look


def on_a_terminal(program, args):
    """What `args` write on a terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen([program, *map(str, args)], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                               env={**os.environ, "XDG_CACHE_HOME": "/nonexistent", "TERM": "xterm"})
    os.close(slave)
    out = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        out += part
    os.close(master)
    process.wait()
    return out


def terminal(args, wanted):
    """Runs `args` again, on a terminal: only colours act there, and `wanted` is shown."""

    def look(stdout, stderr):
        import sys
        text = on_a_terminal(os.path.abspath(sys.argv[1]), args).decode(errors="replace")
        # The line discipline ends lines so.
        text = COLOUR.sub("", text.replace("\r\n", "\n"))
        return acts(text) or (None if wanted in text else f"without {wanted!r}")

    return look


def cases(dir):
    def made(name, data):
        path = dir / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    count = len(EVIL)
    image = made("kernel.elf", kernel())
    functions = [f"{TEXT + 16 * n + 4:#x}" for n in range(2 * count)]
    images = ["--no-index", "--vmlinux", image]

    yield Case("shown lookup", ["lookup", *images, "-v", *functions], [image], (0, 3), holds(rb"g\u{1b}]0;pwn\u{7}"))
    yield Case("shown lookup missed", ["lookup", *images, *(f"no{e}" for e in EVIL)], [image], (1,), calm)
    for table in ("symbols", "sections", "extable", "fixups", "orc"):
        yield Case(f"shown inspect {table}", ["inspect", *images, table], [image], (0, 1, 2), calm)
    for form in ("text", "github", "junit"):
        yield Case(f"shown validate {form}", ["validate", "--format", form, "--list", image], [image], (0, 1, 3), calm)
    yield Case("shown livepatch of a function", ["livepatch", *images, "--function", "f0", "--function", f"g{EVIL[12]}"],
               [image], (0, 1, 2, 3), calm)
    patch = made("patch.ko", livepatch())
    yield Case("shown livepatch module", ["livepatch", *images, "--patch", patch], [image, patch], (0, 1, 2, 3),
               calm)

    log = report([f"f{n}" for n in range(count)])
    path = made("plain.log", log)
    yield Case("shown symbolize", ["symbolize", *images, "--force", path], [image, path], (0, 3), marked(log))
    yield Case("shown symbolize source", ["symbolize", *images, "--force", "--source", "--code", path], [image, path], (0, 3),
               marked(log))

    evil = "".join(EVIL).replace("\n", "").replace("\r", "")
    log = report(["f1", f"f2{evil}", "f3"], comm=evil, release=f"5.10{evil}", title=evil).encode() + b"\x9b2J\xff\x80\n"
    path = made("evil.log", log)
    yield Case("shown log kept", ["symbolize", path], [path], (0, 3), unchanged(log))
    yield Case("shown log kept of a kernel", ["symbolize", *images, "--force", path], [path], (0, 2, 3), unchanged(log))
    yield Case("shown log summary", ["symbolize", "--summary", path], [path], (0, 3), calm)
    yield Case("shown log summary joined", ["symbolize", "--summary", "--join", path], [path], (0, 3), calm)
    yield Case("shown log required", ["symbolize", "--require", "complete", path], [path], (1, 3), calm_messages)
    yield Case("shown log on a terminal", ["symbolize", path], [path], (0, 3),
               terminal(["symbolize", path], r"\x9b2J"))
    yield Case("shown log on a terminal, without colours", ["symbolize", path], [path], (0, 3),
               terminal(["symbolize", "--color", "never", path], r"\u{1b}]52;c;aGk=\u{7}"))

    file = made("evil.fxs", snapshot())
    demo = TESTDATA / "fixtures/demo-5.10.elf"
    for form in ("text", "folded"):
        yield Case(f"shown snapshot {form}",
                   ["unwind", "--no-index", "--vmlinux", demo, "--format", form, *(["-v", "--functions"] if form == "text" else []),
                    file], [file, demo], (0, 3), holds(rb"a_b_c" if form == "folded" else b"a b;c"))
    file = made("core", core())
    yield Case("shown core", ["unwind", "-v", "--sysroot", dir, file], [file], (0, 1, 2, 3), holds(b"/tmp/"))

    for number, evil in enumerate(EVIL):
        name = evil.replace("/", "_")
        path = made(f"{name}.elf", b"\x7fELF\2\1\1")
        yield Case(f"shown path {number}", ["lookup", "--no-index", "--vmlinux", path, "0x1"], [path], (2,), calm)
        yield Case(f"shown path {number} of a log", ["symbolize", path, dir / f"no{name}"], [path], (0, 2, 3), calm_messages)
    yield Case("shown release", ["symbolize", "--release", "6.1\x1b[2J\nfixtrace: forged", path], [path], (2,), calm)
    yield Case("shown word", ["explain", "\x1b[2J\nfixtrace: forged"], [], (2,), calm)
