#!/usr/bin/env python3
"""Holds `fixtrace symbolize` to nm, llvm-symbolizer, addr2line and __ex_table, on real kernel logs.

usage: testdata/oops.py FIXTRACE LOGS KERNELS [MODULES]

  LOGS/VERSION/*.txt          the logs
  KERNELS/vmlinux-VERSION     their kernels, with debug information
  MODULES/VERSION/NAME.ko, or MODULES/NAME-VERSION/NAME.ko
                              modules that the logs name

Nothing here is shared with the Rust code: the logs are read anew, places are found with nm, and what is said of them
comes from the other programs (testdata/lines.py asks them). For every log

 1. what was added is taken away, and the input must be left, byte for byte;
 2. every frame must have the source line and the inlined calls that llvm-symbolizer and addr2line have for it, each
    function its own line: the one that the kernel names, at the end of the kernel's line; those inlined into it,
    innermost first, on lines of their own;
 3. what is said of frames in fixup code must be what __ex_table has, where one function owns the landing; the line is
    that of the function which is named, and those inlined into it follow;
 4. the lines that begin a report are counted. If there is `symbolize --json`, each of them and each `Call Trace:` must
    be in exactly one of its reports, these must not overlap, and each must have such a line.

A symbol stands for a place by its name and the printed size, which in the kernel is the distance to the next symbol.
Numbers in a trace are return addresses, so the byte before counts: show_trace_log_lvl() vouches for nothing else, and
prints registers on the stack as `RIP:` lines. But a `?` line may hold anything that lay on the stack. If no call ends
at the number, it is exact if the line before shows an exception's entry (asm_exc_*), or if a `RIP:` line of the log has
the same place. Else, if the tools say different things of the byte before and of the number itself, it is undecidable;
the totals say for which of both fixtrace took it. Most of these are pointers to functions: the kernel prints the start
of f() as the end of what is before it, as `__pfx_f+0x10/0x10`.

Of frames with inlined calls that are right it is also tried whether they would still be if each function had the line of
the one inlined into it, or of its caller; it is counted for how many. This happens where two lines are the same, but if
it is so for all, the comparison is worth nothing, and that is a fault.

A log whose module is another build, by the sizes of its functions, is read without the module, and frames of it are
left out. The first 20 of the differences are shown, or as many as SHOWN says in the environment. The exit status is 1
if anything was different.
"""
import bisect
import collections
import glob
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

import lines

# Differences shown at most.
SHOWN = int(os.environ.get("SHOWN", 20))
MARK = b"  => "
SYMBOL = r"(?P<name>[^\s+]+)\+0x(?P<offset>[0-9a-f]+)/0x(?P<size>[0-9a-f]+)(?: \[(?P<module>[^\] ]+)[^\]]*\])?\s*$"
PREFIX = r"^(?:<\d+>|\[[ 0-9.TC]+\]|\s)*"
FRAME = re.compile(PREFIX + r"(?:(?P<rip>RIP: 0010:)|(?:\[<[0-9a-f]+>\] )?(?P<guess>\? )?)" + SYMBOL)
PLACE = r"(?: \((?P<place>[^ ()]+:\d+)\))?$"
PLACED = re.compile(r"(.*?)" + PLACE)
SUFFIX = re.compile(rb" \([^ ()]+:\d+\)$")
# A warning's first line has a place of the kernel's, too: `WARNING: CPU: 1 PID: 86 at lab.c:50 lab_leaf+0xd5/0xf0`.
WARNED = re.compile(PREFIX + r"WARNING: .* at \S+:\d+ " + SYMBOL)
NOTE = re.compile(r"(note|source|code): ")
INLINED = re.compile(r"(?P<name>\S+) \(inlined\)" + PLACE)
FIXUP = re.compile(r"(?P<function>\S+) \(in the fixup of its instruction at (?P<at>[^;]+)(?:; [^;)]+)?; by [^)]+\)" + PLACE)
SHARED = re.compile(r"one of (?P<functions>.*) \(in a fixup they share; ")

# What begins a report, in the order in which a line is told. A line that ends one is none.
ANCHORS = [
    ("end", r"---\["),
    ("panic", r"Kernel panic - |traps: PANIC: "),
    ("soft-lockup", r".*BUG: soft lockup"),
    ("hard-lockup", r".*(hard LOCKUP|NMI watchdog: Watchdog detected)"),
    ("kernel-bug", r"kernel BUG at "),
    ("oops", r"(.*: )?Oops: "),
    ("gp", r"general protection fault"),
    ("die", r".*: [0-9a-f]{4} \[#\d+\]"),
    ("bug", r"(\w+: )?BUG: "),
    ("warning", r"WARNING: "),
    ("hung", r"INFO: task .* blocked"),
    ("rcu", r"rcu: INFO:"),
    ("nmi-backtrace", r"NMI backtrace for cpu"),
    ("task", r"task:\S"),
    ("sysrq", r"sysrq: Show"),
    ("call-trace", r"Call Trace:"),
    ("ftrace", r"=> \w+\s*$"),
]
ANCHORS = [(kind, re.compile(PREFIX + "(?:" + pattern + ")")) for kind, pattern in ANCHORS]


# --- images ---


class Image(lines.Elf):
    """A kernel or a module. Sections of a module have places of their own (lines.Elf), as in its placed copy."""

    def __init__(self, path, temp):
        super().__init__(path)
        self.name = os.path.basename(path)
        with open(path, "rb") as f:
            self.bytes = f.read()
        self.asked = path
        if self.relocatable:
            self.asked = os.path.join(temp, "%x-%s" % (abs(hash(path)), self.name))
            self.placed_copy(self.asked)
        self.directories = self.build_directories() if self.relocatable else []
        self.read_nm()
        self.extable = collections.defaultdict(set)
        for insn, landing in self.exceptions():
            self.extable[landing].add(insn)
        self.landings = sorted(self.extable)
        self.answers = {}

    def read_nm(self):
        """Addresses by name; all addresses, and those of code alone."""
        self.by_name, every, code = collections.defaultdict(set), set(), set()
        for line in lines.run(["nm", self.asked]).splitlines():
            m = re.match(r"([0-9a-f]{16}) (\w) (\S+)", line)
            if not m or m[2] in "aA" or m[3].startswith((".L", "$")):
                continue
            at = int(m[1], 16)
            every.add(at)
            if m[2] in "tTwW":
                code.add(at)
                self.by_name[m[3]].add(at)
        self.every, self.code = sorted(every), sorted(code)

    def build_directories(self):
        """Of a module; names below them are relative in what fixtrace says."""
        text = lines.run(["readelf", "--debug-dump=info", "--dwarf-depth=1", self.path])
        return sorted(set(re.findall(r"DW_AT_comp_dir +: (?:\(.*?\): )?(/\S+)", text)))

    def below(self, file):
        return next((file[len(d) + 1 :] for d in self.directories if file.startswith(d + "/")), file)

    def fits(self, at, size):
        """Whether the symbol at `at` has that size in the kernel's eyes."""
        end = next((e for s, e in self.text.values() if s <= at < e), None)
        if end is None:
            return False
        for addresses in (self.every, self.code):
            i = bisect.bisect_right(addresses, at)
            if i < len(addresses) and addresses[i] - at == size:
                return True
            # The last one of a module's section reaches to whatever the kernel puts behind.
            last = i == len(addresses) or addresses[i] >= end
            if self.relocatable and last and end - at <= size <= end - at + 0x2000:
                return True
        return False

    def places(self, name, size):
        return [at for at in sorted(self.by_name.get(name, ())) if self.fits(at, size)]

    def behind(self, symbol, offset):
        """The place so many bytes behind a symbol. A module's sections have gaps here, but in the kernel what comes
        behind the end of one is the next, such as .fixup behind .text (layout_sections() in kernel/module)."""
        if not self.relocatable:
            return symbol + offset
        code = [i for i in sorted(self.text) if not self.names[i].startswith(".init")]
        laid, end = [], 0
        for i in code:
            align, (first, last) = max(self.headers[i][8], 1), self.text[i]
            end = -(-end // align) * align
            laid.append((end, first, last))
            end += last - first
        where = next((symbol - first + at for at, first, last in laid if first <= symbol < last), None)
        if where is None:
            return symbol + offset
        at, first, _ = laid[bisect.bisect_right(laid, (where + offset, 1 << 64)) - 1]
        return first + where + offset - at

    def code_before(self, at, count):
        for i, (start, end) in self.text.items():
            if start < at <= end:
                offset = self.headers[i][4] + at - start
                return self.bytes[max(offset - count, self.headers[i][4]) : offset]
        return b""

    def exceptions(self):
        """Pairs of instruction and landing. Entries have 12 bytes since 4.6; the first two numbers are relative."""
        if "__ex_table" not in self.names:
            return
        i = self.names.index("__ex_table")
        if self.relocatable:
            yield from self.relocated_exceptions(i)
            return
        _, _, _, addr, offset, size = self.headers[i][:6]
        for at in range(0, size, 12):
            insn, landing = struct.unpack_from("<ii", self.bytes, offset + at)
            yield addr + at + insn, addr + at + 4 + landing

    def relocated_exceptions(self, table):
        targets = {}
        for h in self.headers:
            if h[1] == 4 and h[7] == table:
                for at in range(h[4], h[4] + h[5], 24):
                    where, info, addend = struct.unpack_from("<QQq", self.bytes, at)
                    symbol = self.headers[h[6]][4] + 24 * (info >> 32)
                    _, _, _, section, value = struct.unpack_from("<IBBHQ", self.bytes, symbol)
                    targets[where] = self.place.get(section, 0) + value + addend
        for at in range(0, self.headers[table][5], 12):
            if at in targets and at + 4 in targets:
                yield targets[at], targets[at + 4]

    def ask(self, addresses):
        """Lets both tools answer for all addresses at once."""
        addresses = sorted(a for a in addresses if any(s <= a < e for s, e in self.text.values()))
        both = zip(lines.llvm(self.asked, addresses), lines.gnu(self.asked, addresses))
        self.answers.update(zip(addresses, both, strict=True))

    def chains(self, at):
        """What the tools say, innermost call first: lists of (function, file, line)."""
        answers = self.answers.get(at, ("-", "-"))
        split = lambda a: [f.split("|") for f in a.split(" <- ")] if a != "-" else []
        return [[(name, self.below(file), line) for name, file, line, _ in split(a)] for a in answers]


def ends_call(image, at):
    """Whether the bytes before `at` are a call: a direct one of a known symbol, or an indirect one."""
    code = image.code_before(at, 8)
    if len(code) >= 5 and code[-5] == 0xE8:
        target = at + struct.unpack("<i", code[-4:])[0]
        i = bisect.bisect_left(image.code, target)
        if image.relocatable or i < len(image.code) and image.code[i] == target:
            return True
    return any(indirect_call(code[-n:]) for n in range(2, min(8, len(code)) + 1))


def indirect_call(code):
    """Whether `code` is exactly one `call *...`: ff /2, with a REX prefix or without."""
    i = 1 if code[0] & 0xF0 == 0x40 else 0
    if len(code) < i + 2 or code[i] != 0xFF or code[i + 1] >> 3 & 7 != 2:
        return False
    mod, rm = code[i + 1] >> 6, code[i + 1] & 7
    length = i + 2 + {0: 0, 1: 1, 2: 4, 3: 0}[mod]
    if mod != 3 and rm == 4:
        length += 1
        if mod == 0 and len(code) > i + 2 and code[i + 2] & 7 == 5:
            length += 4
    elif mod == 0 and rm == 5:
        length += 4
    return length == len(code)


# --- logs ---


class Log:
    """A log, what was made of it, and the frames in it."""

    def __init__(self, version, path):
        self.version, self.path = version, path
        self.name = version + "/" + os.path.basename(path)
        with open(path, "rb") as f:
            self.input = f.read()
        self.lines = self.input.split(b"\n")
        self.texts = [l.rstrip(b"\r").decode("utf-8", "replace") for l in self.lines]
        self.rips = {t.split("RIP: 0010:")[1].strip() for t in self.texts if "RIP: 0010:" in t}
        self.frames = [Frame(self, i, m) for i, t in enumerate(self.texts) for m in [FRAME.match(t)] if m]

    def anchors(self):
        """Pairs of a byte offset and a kind, of the lines that begin something."""
        at = 0
        for line, text in zip(self.lines, self.texts):
            kind = next((k for k, p in ANCHORS if p.match(text)), None)
            if kind and kind != "end":
                yield at, kind
            at += len(line) + 1

    def run(self, fixtrace, images, *more):
        modules = [w for name, i in images.items() if name != "vmlinux" for w in ("--module", i.path)]
        args = [fixtrace, "symbolize", "--no-index", "--vmlinux", images["vmlinux"].path, *modules, *more, self.path]
        done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.returncode, done.stdout


class Frame:
    def __init__(self, log, number, m):
        self.log, self.number = log, number
        self.name, self.module = m["name"], m["module"] or "vmlinux"
        self.offset, self.size = int(m["offset"], 16), int(m["size"], 16)
        self.kind = "rip" if m["rip"] else "guess" if m["guess"] else "frame"
        self.image = self.at = None

    def __str__(self):
        return "%s:%d: %s" % (self.log.name, self.number + 1, self.log.texts[self.number].strip())

    def interrupted(self):
        """Whether the log says elsewhere that execution stood here."""
        text = self.log.texts[self.number]
        return "asm_exc_" in self.log.texts[self.number - 1] or text.split("? ", 1)[-1].strip() in self.log.rips

    def lookups(self):
        """The addresses that the tools are to be asked for: two where evidence is lacking."""
        if self.kind == "rip":
            return [self.at]
        if self.kind == "frame":
            return [self.at - 1]
        called, interrupted = ends_call(self.image, self.at), self.interrupted()
        if called != interrupted:
            return [self.at - 1] if called else [self.at]
        return [self.at - 1, self.at]


def locate(log, images):
    """Finds the places of the frames. Gives the images that are the log's own, and how many frames were left out,
    by reason."""
    left, named = collections.Counter(), {f.module for f in log.frames} | {"vmlinux"}
    own = {name: image for name, image in images.items() if name in named}
    for f in log.frames:
        if f.module in own and f.module != "vmlinux" and not images[f.module].places(f.name, f.size):
            del own[f.module]
    for f in log.frames:
        if f.module not in own:
            left["module is another build" if f.module in images else "no module"] += 1
            continue
        places = own[f.module].places(f.name, f.size)
        if len(places) == 1:
            f.image, f.at = own[f.module], own[f.module].behind(places[0], f.offset)
        else:
            left["no such symbol and size" if not places else "several functions of that name and size"] += 1
    return own, left


def stripped(output):
    """The output without what was added."""
    kept = []
    for line in output.split(b"\n"):
        if MARK in line:
            continue
        content = line.rstrip(b"\r")
        short = SUFFIX.sub(b"", content)
        text = short.decode("utf-8", "replace")
        if FRAME.match(text) or WARNED.match(text):
            line = short + line[len(content) :]
        kept.append(line)
    return b"\n".join(kept)


def additions(output):
    """By line of the input: the place at its end, and the added lines behind it."""
    out = []
    for line in output.split(b"\n"):
        text = line.rstrip(b"\r").decode("utf-8", "replace")
        if MARK in line:
            said = text.split(MARK.decode(), 1)[1]
            # Remarks are judged elsewhere.
            if not NOTE.match(said):
                out[-1][1].append(said)
        else:
            m = SUFFIX.search(line.rstrip(b"\r"))
            out.append((m[0].decode()[2:-1] if m else None, []))
    return out


# --- frames ---


def spot(file, line):
    """`file:line` as the tools' is, or None."""
    return None if "?" in (file, line) else "%s:%s" % (file, line)


def own_spot(image, place):
    if place is None:
        return None
    file, line = place.rsplit(":", 1)
    return spot(image.below(lines.file_name(file)), line)


def agrees(image, place, added, chain):
    """Whether the place of a function and the lines of those inlined into it say what `chain` says, in which that
    function is the last."""
    *inlined, (_, *own) = chain or [("?", "?", "?")]
    if own_spot(image, place) != spot(*own) or len(added) != len(inlined):
        return False
    for text, (name, *where) in zip(added, inlined):
        m = INLINED.match(text)
        if not m or m["name"] != name or own_spot(image, m["place"]) != spot(*where):
            return False
    return True


def is_fixup(place, added):
    """Whether it is said of a frame that it is in fixup code: the first line names the function."""
    return place is None and bool(added) and not INLINED.match(added[0])


def shifted(place, added, by):
    """The same with each place so many functions on."""
    named = [PLACED.match(text).groups() for text in added]
    pairs = named if is_fixup(place, added) else [(None, place), *named]
    places = [p for _, p in pairs[by:] + pairs[:by]]
    texts = [n if p is None else "%s (%s)" % (n, p) for (n, _), p in zip(pairs, places)]
    return (None, texts) if pairs is named else (places[0], texts[1:])


def owners(image, landing):
    """The instructions of a landing, by function; each function as a set of (name, start)."""
    out = collections.defaultdict(list)
    for insn in sorted(image.extable[landing]):
        covering = frozenset((n, s) for s, e, n in image.funcs if s <= insn < e)
        out[covering].append(insn)
    return out


def landing_of(image, at):
    """The landing whose code `at` is in, if no symbol is between."""
    i = bisect.bisect_right(image.landings, at)
    if i == 0 or bisect.bisect_right(image.code, at) != bisect.bisect_right(image.code, image.landings[i - 1]):
        return None
    return image.landings[i - 1]


def right_lines(image, m, added, insn):
    """Whether the named function, and what is inlined into it, has the lines of its one instruction `insn`. Of several no
    single line is true."""
    chains = [[]] if " or " in m["at"] else image.chains(insn)
    # DWARF has no functions of assembler, and names without what is added for parts and clones.
    names = ("?", m["function"], m["function"].split(".")[0])
    owned = (c for c in chains if not c or c[-1][0] in names or c[-1][0][0] == "~")
    return any(agrees(image, m["place"], added[1:], c) for c in owned)


def check_fixup(frame, added):
    """A verdict on what was said of a frame in fixup code."""
    image, m, shared = frame.image, FIXUP.match(added[0]), SHARED.match(added[0])
    landings = {landing_of(image, at) for at in frame.lookups()}
    # A trace that names the very landing stood there: nothing returns to it, for nothing calls right before.
    landing = frame.at if frame.at in landings else next(iter(landings)) if len(landings) == 1 else None
    found = owners(image, landing) if landing is not None else {}
    named = {m["function"]} if m else set(shared["functions"].split(", ")) if shared else set()
    if not m and (len(added) > 1 or PLACED.match(added[0])[2]):
        return "different"
    if len(found) != 1 or frozenset() in found:
        said = lambda name, offset: m and name == m["function"] and m["at"].split(" or ")[0] == "+%#x" % offset
        insns = [i for functions in found for n, s in functions for i in found[functions] if said(n, i - s)]
        if insns and not right_lines(image, m, added, insns[0]):
            return "different"
        # Code may be reached from other landings, too, so what is not among the owners may still be right.
        among = named and named <= {name for functions in found for name, _ in functions}
        return "fixup among the owners" if among else "fixup undecidable"
    ((functions, insns),) = found.items()
    if not m:
        return "different"
    for name, start in functions:
        at = ["+%#x" % (i - start) for i in insns]
        at = " or ".join(at) if len(at) < 4 else "%s or %d others" % (at[0], len(at) - 1)
        if (name, at) == (m["function"], m["at"]):
            return "fixup equal" if right_lines(image, m, added, insns[0]) else "different"
    return "different"


def must_be_fixup(frame):
    """Whether execution stood at the very landing of another function's fault."""
    if frame.kind != "rip" or frame.at not in frame.image.extable:
        return False
    names = {n for o in owners(frame.image, frame.at) for n, _ in o}
    return bool(names) and frame.name not in names


def judge(frame, place, added):
    """A verdict on what was added to a frame's line."""
    if is_fixup(place, added):
        return check_fixup(frame, added)
    if must_be_fixup(frame):
        return "different"
    asked = frame.lookups()
    right = [[agrees(frame.image, place, added, chain) for chain in frame.image.chains(at)] for at in asked]
    if len({str(frame.image.chains(at)) for at in asked}) > 1:
        if not any(map(any, right)):
            return "different"
        what = "function pointer" if frame.offset == frame.size else "?"
        return "undecidable %s taken as %s" % (what, "return" if any(right[0]) else "exact")
    llvm, gnu = right[0]
    if llvm or gnu:
        return "equal" if llvm and gnu else "equal to llvm alone" if llvm else "equal to addr2line alone"
    return "different"


def describe(frame, place, added):
    yield str(frame)
    yield "    fixtrace: %s%s" % (place, "".join("; " + a for a in added))
    for at in frame.lookups():
        for tool, chain in zip(("llvm", "addr2line"), frame.image.chains(at)):
            yield "    %s at %#x: %s" % (tool, at, " <- ".join("|".join(f) for f in chain) or "-")
    for landing in {landing_of(frame.image, at) for at in frame.lookups()} - {None}:
        for functions, insns in owners(frame.image, landing).items():
            names = ", ".join("%s (%#x)" % f for f in sorted(functions)) or "no function"
            yield "    landing %#x: %s of %s" % (landing, ", ".join(map(hex, insns)), names)


# --- reports ---


def check_reports(log, text):
    """What is wrong with the reports of `symbolize --json`, as lines."""
    reports = sorted((json.loads(l) for l in text.decode().splitlines()), key=lambda r: r["text_range"])
    ranges = [tuple(r["text_range"]) for r in reports]
    for r, (start, end) in zip(reports, ranges):
        if not 0 <= start < end <= len(log.input):
            yield "%s: range %d..%d of %r" % (log.name, start, end, r.get("title"))
    for (a, b), (c, d) in zip(ranges, ranges[1:]):
        if c < b:
            yield "%s: reports overlap: %d..%d, %d..%d" % (log.name, a, b, c, d)
    held = collections.Counter()
    for at, kind in log.anchors():
        # What was asked for is said before the reports that answer.
        if kind == "sysrq":
            continue
        within = [i for i, (start, end) in enumerate(ranges) if start <= at < end]
        held.update(within)
        if len(within) != 1:
            line = log.input.count(b"\n", 0, at)
            yield "%s:%d: in %d reports: %s" % (log.name, line + 1, len(within), log.texts[line].strip())
    for i, r in enumerate(reports):
        # A stack without a heading: of /proc/PID/stack, or of a CPU that another interrupted.
        first = log.input[ranges[i][0]:].split(b"\n", 1)[0].decode("utf-8", "replace")
        if not held[i] and not FRAME.match(first):
            yield "%s: nothing begins report %d..%d, %s %r" % (log.name, *ranges[i], r.get("kind"), r.get("title"))


def table(logs):
    """Counts of what begins reports, one row per log."""
    kinds = [k for k, _ in ANCHORS if k != "end"]
    print("\t".join(["log", *kinds]))
    total = collections.Counter()
    for log in logs:
        counts = collections.Counter(kind for _, kind in log.anchors())
        total += counts
        print("\t".join([log.name, *(str(counts[k] or "") for k in kinds)]))
    print("\t".join(["all", *(str(total[k]) for k in kinds)]))


def has_json(fixtrace):
    shown = subprocess.run([fixtrace, "symbolize", "--help"], stdout=subprocess.PIPE, text=True).stdout
    return "--json" in shown


# --- all together ---


class Totals:
    def __init__(self):
        self.logs, self.verdicts, self.left = 0, collections.Counter(), collections.Counter()
        self.by_kind, self.moved = collections.Counter(), collections.Counter()
        self.differences, self.undecidable, self.others = [], [], []

    def show(self):
        compared, left = sum(self.verdicts.values()), sum(self.left.values())
        listed = lambda counts: ", ".join("%s %d" % i for i in sorted(counts.items()))
        print("logs %d, frames %d" % (self.logs, compared + left))
        print("  compared %d: %s" % (compared, listed(self.verdicts)))
        for kind in ("frame", "guess", "rip"):
            print("    %-6s %s" % (kind, listed({v: n for (k, v), n in self.by_kind.items() if k == kind})))
        print("  left out %d: %s" % (left, listed(self.left)))
        print("  with inlined calls, were places shifted: %s" % listed(self.moved))
        if self.moved and not self.moved["different"]:
            self.others.append("no shifted place is noticed")
        all_found = {"differences": self.differences, "undecidable": self.undecidable, "other faults": self.others}
        for title, found in all_found.items():
            print("%s: %d" % (title, len(found)) + (", the first %d:" % SHOWN if len(found) > SHOWN else ""))
            for text in found[:SHOWN]:
                print("  " + text)


def images_of(version, kernels, modules, temp):
    images = {"vmlinux": Image(os.path.join(kernels, "vmlinux-" + version), temp)}
    if modules:
        for pattern in ("%s/*.ko" % version, "*-%s/*.ko" % version):
            for path in sorted(glob.glob(os.path.join(glob.escape(modules), pattern))):
                images.setdefault(os.path.basename(path)[:-3], Image(path, temp))
    return images


def ask_all(logs, images):
    """Asks for everything that the frames of `logs` need, and for the instructions behind landings."""
    wanted = collections.defaultdict(set)
    for f in (f for log in logs for f in log.frames if f.at is not None):
        wanted[f.image].update(f.lookups())
        landing = landing_of(f.image, f.at - (f.kind != "rip"))
        if landing is not None:
            wanted[f.image].update(f.image.extable[landing])
    for image, addresses in wanted.items():
        image.ask(addresses)


def check_frames(log, output, totals):
    added = additions(output)
    for f in (f for f in log.frames if f.at is not None):
        place, more = added[f.number]
        verdict = judge(f, place, more)
        totals.verdicts[verdict] += 1
        totals.by_kind[f.kind, verdict] += 1
        inlined = any(map(INLINED.match, more))
        if inlined and verdict.endswith("equal"):
            totals.moved.update(judge(f, *shifted(place, more, by)) for by in (-1, 1))
        if verdict == "different":
            totals.differences.append("\n  ".join(describe(f, place, more)))
        elif "undecidable" in verdict:
            totals.undecidable.append("\n  ".join(describe(f, place, more)))


def check_log(log, own, fixtrace, with_json, totals):
    code, output = log.run(fixtrace, own)
    totals.logs += 1
    if code not in (0, 3):
        totals.others.append("%s: exit code %d" % (log.name, code))
    if MARK in log.input:
        totals.others.append("%s: the mark is in the input; not compared" % log.name)
    elif stripped(output) != log.input:
        totals.others.append("%s: the input is not what is left" % log.name)
    else:
        check_frames(log, output, totals)
    if with_json:
        code, text = log.run(fixtrace, own, "--json")
        totals.others += list(check_reports(log, text))


def main():
    if len(sys.argv) not in (4, 5) or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    fixtrace, top, kernels, modules = (sys.argv + [None])[1:5]
    with_json, totals, every = has_json(fixtrace), Totals(), []
    for version in sorted(os.listdir(top), key=lambda v: [int(n) for n in v.split(".")]):
        with tempfile.TemporaryDirectory() as temp:
            images = images_of(version, kernels, modules, temp)
            logs = [Log(version, p) for p in sorted(glob.glob(os.path.join(glob.escape(top), version, "*.txt")))]
            located = [locate(log, images) for log in logs]
            ask_all(logs, images)
            for log, (own, left) in zip(logs, located):
                totals.left += left
                for name in sorted({f.module for f in log.frames} & set(images) - set(own)):
                    print("%s: %s.ko is another build than this log's" % (log.name, name))
                check_log(log, own, fixtrace, with_json, totals)
            every += logs
    table(every)
    if not with_json:
        print("no symbolize --json: reports are not compared")
    totals.show()
    sys.exit(1 if totals.differences or totals.others else 0)


if __name__ == "__main__":
    main()
