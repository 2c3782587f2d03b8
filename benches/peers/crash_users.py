#!/usr/bin/env python3
"""What programs show of dumps, as a table in Markdown; benches/crash.sh says of what.

usage: crash_users.py WORK DUMP VMLINUX LOG [MODULE...] [-- DUMP VMLINUX LOG [MODULE...]]...
"""
import json
import os
import re
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import measure

ROUNDS = int(os.environ.get("N", "3"))
FRAME = re.compile(r"^([\w.]+)\+0x([0-9a-f]+)/0x[0-9a-f]+(?: \[\w+\])?$")


def said(line):
    return re.sub(r"^\[[ \d.]+\] ", "", line).strip()


def printed(path):
    """Who crashed and where, by the kernel's last trace: PID, CPU, names of functions; what printed it is left out."""
    lines = [said(line) for line in open(path, errors="replace")]
    traces = [i for i, line in enumerate(lines) if line == "Call Trace:"]
    if not traces:
        sys.exit(f"{path}: no trace")
    head = max(i for i in range(traces[-1]) if lines[i].startswith("CPU: "))
    cpu, pid = re.match(r"CPU: (\d+) (?:UID: \d+ )?PID: (\d+)", lines[head]).groups()
    names = [line.split(":")[2] for line in lines[head:traces[-1]] if line.startswith("RIP: 0010:")]
    for line in lines[traces[-1] + 1:]:
        if line.startswith(("Modules linked in", "---[", "Kernel ", "CR2:")):
            break
        names.append(line.removeprefix("RIP: 0010:"))
    names = [m[1] for m in map(FRAME.match, names) if m]
    for i, name in enumerate(names):
        if name in ("panic", "vpanic") and all(n.startswith(("dump_stack", "show_stack")) for n in names[:i]):
            names = names[i:]
            break
    return int(pid), int(cpu), names


# Several names of one address.
SAME = [{"entry_SYSCALL_64_after_hwframe", "entry_SYSCALL_64"}, {"secondary_startup_64_no_verify", "secondary_startup_64"},
        {"asm_call_irq_on_stack", "asm_call_on_stack", "asm_call_sysvec_on_stack"}, {"end_repeat_nmi", "asm_exc_nmi"}]


def same(a, b):
    # crash and drgn name a part that GCC split off, or not.
    plain = lambda n: re.sub(r"\.(cold|constprop|isra|part).*", "", n)
    return plain(a) == plain(b) or any(a in s and b in s for s in SAME)


def found(names, stack):
    """How many of the kernel's functions a stack has, in order."""
    rest, count = iter(stack), 0
    names = list(names)
    while names:
        position = list(rest)
        hit = next((i for i, n in enumerate(position) if same(names[0], n)), None)
        if hit is not None:
            count += 1
            rest = iter(position[hit + 1:])
        else:
            rest = iter(position)
        names.pop(0)
    return count


def output(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


# Each answers: version, command, and of a dump: crashed (PID, frames), CPUs with frames, lines of the log. A frame is
# address and name.

class Fixtrace:
    name = "fixtrace"

    def __init__(self, work):
        self.program = os.environ["FIXTRACE"]

    def commands(self, dump, vmlinux, modules):
        images = ["--vmlinux", vmlinux, *(w for m in modules for w in ("--module", m))]
        return [[self.program, "unwind", "-q", dump, *images, "--running", *more] for more in ([], ["--log"])]

    def look(self, dump, vmlinux, modules):
        stacks, log = self.commands(dump, vmlinux, modules)
        _, text, _ = output([*stacks, "--json"])
        rows = [json.loads(line) for line in text.splitlines()]
        frames = lambda row: [(int(f["pc"], 16), (f.get("symbol") or {}).get("name") or "", f) for f in row["frames"]]
        crashed = next(((r["pid"], frames(r)) for r in rows if r.get("crashed")), None)
        code, text, _ = output(log)
        return crashed, {r["cpu"]: frames(r) for r in rows if r.get("running")}, text.splitlines() if code == 0 else []


class Drgn:
    def __init__(self, work):
        self.program = os.environ["DRGN"]
        self.name = "drgn " + output([self.program, "-c", "import drgn; print(drgn.__version__)"])[1].strip()

    def commands(self, dump, vmlinux, modules):
        return [[self.program, os.path.join(os.path.dirname(__file__), "drgn_crash.py"), dump, vmlinux, *modules]]

    def look(self, dump, vmlinux, modules):
        code, text, error = output(self.commands(dump, vmlinux, modules)[0])
        rows = [json.loads(line) for line in text.splitlines()]
        frames = lambda row: [(pc, name, None) for pc, name in row["frames"] if pc]
        crashed = next(((r["crashed"], frames(r)) for r in rows if "crashed" in r), None)
        log = next((r["log"] for r in rows if "log" in r), [])
        return crashed, {r["cpu"]: frames(r) for r in rows if "cpu" in r}, log


class Crash:
    def __init__(self, work, program):
        self.program, self.work = program, work
        self.name = " ".join(output([program, "--version"])[1].split()[:2])

    def commands(self, dump, vmlinux, modules):
        script = os.path.join(self.work, "crash.in")
        with open(script, "w") as f:
            for m in modules:
                print("mod -s", os.path.basename(m).removesuffix(".ko"), m, file=f)
            print("set -p\nbt\nbt -a\nlog\nquit", file=f)
        return [[self.program, "-s", "--no_scroll", "-i", script, vmlinux, dump]]

    def look(self, dump, vmlinux, modules):
        code, text, error = output(self.commands(dump, vmlinux, modules)[0])
        stacks, log, current = [], [], None
        for line in text.splitlines():
            if m := re.match(r"PID: (\d+) .*CPU: (\d+) ", line):
                current = (int(m[1]), int(m[2]), [])
                stacks.append(current)
            elif m := re.match(r" *#\d+ \[[0-9a-f]+\] (\S+) at ([0-9a-f]+)", line):
                current[2].append((int(m[2], 16), m[1], None))
            elif re.match(r"\[ *\d+\.\d+\] ", line):
                log.append(line)
        if not stacks:
            return None
        pid, _, frames = stacks[0]
        return (pid, frames), {cpu: frames for _, cpu, frames in stacks[1:] if frames}, log


def cost(commands):
    """Processor time, and private memory and all, at most; of several commands the sum, and the largest."""
    seconds = sum(statistics.median(sum_of(c) for _ in range(ROUNDS)) for c in commands)
    peaks = [measure.memory(c, os.devnull) for c in commands]
    return seconds, max(p[0] for p in peaks) / 1024, max(p[2] for p in peaks) / 1024


def sum_of(command):
    return measure.run(command, os.devnull)[0]


def main():
    work, *words = sys.argv[1:]
    sets = [[]]
    for word in words:
        if word == "--":
            sets.append([])
        else:
            sets[-1].append(word)
    programs = [Fixtrace(work), Drgn(work), *(Crash(work, p) for p in os.environ["CRASH"].split())]
    print("| dump | program | crashed task | its trace | running CPUs | stopped in a fixup | log, lines | s | MB private, all |")
    print("|-|-|-|-|-|-|-|-|-|")
    for dump, vmlinux, log, *modules in sets:
        pid, cpu, names = printed(log)
        wanted = {}
        name = os.path.basename(dump)
        if name in ("vmcore", "l31"):
            name = f"{os.path.basename(os.path.dirname(dump))}/{name}"
        name += "" if modules else ", no module"
        for program in programs:
            seen = program.look(dump, vmlinux, modules)
            if seen is None:
                print(f"| {name} | {program.name} | does not open it | | | | | | |")
                continue
            crashed, running, lines = seen
            if isinstance(program, Fixtrace):
                wanted = {pc: n for frames in running.values() for pc, n, f in frames if f.get("fixup")}
                named = {pc: f["function"] for frames in running.values() for pc, n, f in frames if f.get("fixup")}
            else:
                named = {pc: n for frames in running.values() for pc, n, _ in frames if pc in wanted}
            who = "not said" if crashed is None else f"{crashed[0]}" + ("" if crashed[0] == pid else f" (it was {pid})")
            frames = crashed[1] if crashed else running.get(cpu, [])
            count = found(names, [n for _, n, *_ in frames])
            fixups = ", ".join(f"`{named.get(pc) or '?'}`" for pc in wanted) or "-"
            seconds, private, resident = cost(program.commands(dump, vmlinux, modules)[:None if lines else 1])
            print(f"| {name} | {program.name} | {who} | {count} of {len(names)} | {len(running)} "
                  f"| {fixups} | {len(lines)} | {seconds:.2f} | {private:.0f}, {resident:.0f} |", flush=True)


main()
