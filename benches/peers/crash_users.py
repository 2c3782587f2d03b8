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
import tempfile

ROUNDS = int(os.environ.get("N", "3")) # runs of each, for the median
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
    count = at = 0
    for name in names:
        hit = next((i for i in range(at, len(stack)) if same(name, stack[i])), None)
        if hit is not None:
            count, at = count + 1, hit + 1
    return count


def output(command):
    """Exit code and standard output of a command; seconds of processor time, and MB at most (mapped files included)."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode(errors="replace")
    return process.returncode, text, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


# Each says what to run, and reads of its outputs: who crashed (PID, frames), the CPUs with a task that ran (frames), lines
# of the log; None if it could not. A frame is address, name and, of ours, all there is.

class Fixtrace:
    name = "fixtrace"

    def commands(self, work, dump, vmlinux, modules):
        images = ["--vmlinux", vmlinux, *(w for m in modules for w in ("--module", m))]
        program = os.environ["FIXTRACE"]
        return [[program, "unwind", "-q", dump, *images, *more] for more in (["--running", "--json"], ["--log"])]

    def read(self, stacks, log):
        rows = [json.loads(line) for line in stacks.splitlines()]
        frames = lambda row: [(int(f["pc"], 16), (f.get("symbol") or {}).get("name") or "", f) for f in row["frames"]]
        crashed = next(((r["pid"], frames(r)) for r in rows if r.get("crashed")), None)
        return crashed, {r["cpu"]: frames(r) for r in rows if r.get("running")}, log.splitlines()


class Drgn:
    def __init__(self):
        self.program = os.environ["DRGN"]
        self.name = "drgn " + output([self.program, "-c", "import drgn; print(drgn.__version__)"])[1].strip()

    def commands(self, work, dump, vmlinux, modules):
        return [[self.program, os.path.join(os.path.dirname(__file__), "drgn_crash.py"), dump, vmlinux, *modules]]

    def read(self, text):
        rows = [json.loads(line) for line in text.splitlines()]
        if not rows:
            return None
        frames = lambda row: [(pc, name, None) for pc, name in row["frames"] if pc]
        crashed = next(((r["crashed"], frames(r)) for r in rows if "crashed" in r), None)
        log = next((r["log"] for r in rows if "log" in r), [])
        return crashed, {r["cpu"]: frames(r) for r in rows if "cpu" in r}, log


class Crash:
    def __init__(self, program):
        self.program = program
        self.name = " ".join(output([program, "--version"])[1].split()[:2])

    def commands(self, work, dump, vmlinux, modules):
        script = os.path.join(work, "crash.in")
        with open(script, "w") as f:
            for m in modules:
                print("mod -s", os.path.basename(m).removesuffix(".ko"), m, file=f)
            print("set -p\nbt\nbt -a\nlog\nquit", file=f)
        return [[self.program, "-s", "--no_scroll", "-i", script, vmlinux, dump]]

    def read(self, text):
        stacks, log = [], []
        for line in text.splitlines():
            if m := re.match(r"PID: (\d+) .*CPU: (\d+) ", line):
                stacks.append((int(m[1]), int(m[2]), []))
            elif stacks and (m := re.match(r" *#\d+ \[[0-9a-f]+\] (\S+) at ([0-9a-f]+)", line)):
                stacks[-1][2].append((int(m[2], 16), m[1], None))
            elif re.match(r"\[ *\d+\.\d+\] ", line):
                log.append(line)
        if not stacks:
            return None
        pid, _, frames = stacks[0]
        return (pid, frames), {cpu: frames for _, cpu, frames in stacks[1:]}, log


def main():
    work, *words = sys.argv[1:]
    sets = [[]]
    for word in words:
        if word == "--":
            sets.append([])
        else:
            sets[-1].append(word)
    programs = [Fixtrace(), Drgn(), *(Crash(p) for p in os.environ["CRASH"].split())]
    print("| dump | program | crashed task | its trace | running CPUs | stopped in a fixup | log, lines | s | MB |")
    print("|-|-|-|-|-|-|-|-|-|")
    for dump, vmlinux, log, *modules in sets:
        pid, cpu, names = printed(log)
        fixups = {}
        name = os.path.basename(dump)
        if name in ("vmcore", "l31"):
            name = f"{os.path.basename(os.path.dirname(dump))}/{name}"
        name += "" if modules else ", no module"
        for program in programs:
            # Each round: of every command code, output, seconds, MB.
            rounds = [[output(c) for c in program.commands(work, dump, vmlinux, modules)] for _ in range(ROUNDS)]
            seen = program.read(*(text for _, text, _, _ in rounds[0]))
            if seen is None:
                print(f"| {name} | {program.name} | does not open it | | | | | | |", flush=True)
                continue
            crashed, running, lines = seen
            shown = {pc: (n, f) for frames in running.values() for pc, n, f in frames}
            if isinstance(program, Fixtrace):
                fixups = {pc for pc, (_, f) in shown.items() if f.get("fixup")}
            there = ", ".join(f"`{shown[pc][0]}`" if pc in shown else "?" for pc in sorted(fixups)) or "-"
            who = "not said" if crashed is None else str(crashed[0]) if crashed[0] == pid else f"{crashed[0]}, it was {pid}"
            count = found(names, [n for _, n, _ in (crashed[1] if crashed else running.get(cpu, []))])
            seconds = statistics.median(sum(t for _, _, t, _ in runs) for runs in rounds)
            peak = max(mb for runs in rounds for *_, mb in runs)
            print(f"| {name} | {program.name} | {who} | {count} of {len(names)} | {len(running)} | {there} | {len(lines)} "
                  f"| {seconds:.2f} | {peak:.0f} |", flush=True)


main()
