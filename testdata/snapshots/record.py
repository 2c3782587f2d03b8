#!/usr/bin/env python3
"""Makes the snapshots of this folder, and the tables of what is true of them, from dumps of guests of ours.

usage: record.py FIXTRACE KERNELS DUMPS MANIFEST...

FIXTRACE is the program, KERNELS what fetch-kernels.sh fetched, DUMPS the folder that the names in a MANIFEST are below.
A manifest is JSON that was written while the guest stood still: where it was stopped, which function had faulted (from
pt_regs when the fault was taken), what the kernel itself printed from an NMI at that very instruction, what its
stack_trace_save_tsk_reliable() gave for each sleeping task, and what gdb made of the stack. Nothing in the tables comes from
fixtrace. Rows are sorted; those of other dumps stay.
"""
import csv
import json
import lzma
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# Several names of one address; the kernel prints another one than gdb.
SAME = {
    "asm_call_irq_on_stack": "asm_call_on_stack",
    "secondary_startup_64_no_verify": "secondary_startup_64",
    "entry_SYSCALL_64_after_hwframe": "entry_SYSCALL_64",
}

# Tasks that ran between the kernel's answer and the dump: gdb and drgn, too, find them elsewhere. 102 is who asked.
MOVED = {
    ("5.10-misc", "1"),
    ("5.10-kret", "12"),
    ("5.10-fgraph", "12"),
    ("5.10-tasks-kret-nokaslr", "12"),
    ("5.10-tasks-rel-nokaslr", "102"),
    ("6.1-kret", "15"),
    ("6.1-fgraph", "15"),
    ("7.2-tasks-kret-nokaslr", "15"),
}
# Where the kernel and gdb differ, and one of them cannot know. gdb has no symbols of msr.ko, takes an address in an
# unloaded section of kvm-intel.ko for another function, and nothing on the stack there for callers. The kernel printed one
# instruction later, when the division had returned.
KNOWS = {
    "5.10-kvm-intel-trampoline": "kernel",
    "5.10-mod_kvm-intel-1-s0": "kernel",
    "5.10-mod_kvm-intel-1-s1": "kernel",
    "5.10-mod_kvm-intel-1-s2": "kernel",
    "5.10-msr_read-1-s2": "kernel",
    "6.1-kvm_div-1-s0": "gdb",
}
# Of gdb's names: the first two are inlined where they are called, the third left by a tail call.
NO_FRAME = ("default_do_nmi", "show_ip", "dump_stack")


def plain(name):
    """Without offset and module, as gdb names it, and without what GCC adds to the names of parts and clones."""
    name = name.split("+")[0].split(" ")[0]
    return re.sub(r"\.(constprop|isra|part)\b.*", "", SAME.get(name, name))


def version(kernel):
    return re.match(r"\d+\.\d+", kernel)[0]


def names(chain):
    return [plain(c if isinstance(c, str) else c["name"]) for c in chain if c not in ("user",)]


def stop(name, e, entries):
    """The row of a CPU that was stopped: its chain of functions from `pc` on, and who says so."""
    if "expected_physical_chain" in e:
        return e.get("interrupted_or_return_pc", e["rip"]), names(e["expected_physical_chain"]), "kernel"
    gdb = names(e.get("gdb_names") or [])
    kernel = [n for n in names(e.get("chain") or []) if n != "user"]
    if any("stepped out" in n for n in e["notes"]) and e.get("case") != "lab,fixcall":
        return e["rip"], gdb, "gdb"
    origin = e.get("origin_function") or (gdb or kernel)[0]
    if origin.startswith("No symbol"):
        # A second fault in the tail of the first one's fixup: whose it was, the first stop tells.
        first = e["name"].replace("-2-", "-1-")
        first = [x for x in entries if x.get("name", "").startswith(first.rsplit("-s", 1)[0].rsplit("-s", 1)[0])]
        first = [x for x in first if x["kernel"] == e["kernel"]]
        origin = first[0]["origin_function"]
        gdb = [origin] + gdb
    origin = plain(origin)
    text = e.get("kernel_text_trace")
    if text and e.get("case") != "crash":
        # Of an oops the kernel prints what was interrupted; the handlers above it are gdb's.
        above = gdb[: next((i + 1 for i, n in enumerate(gdb) if n.startswith("asm_exc")), 0)]
        return e["rip"], above + [n for n in names(text) if n != "user"], "kernel, gdb"
    if e.get("case") == "lab,fixcall":
        # The kernel gives the fixup to op_set(). It printed this when the fixup had called lab_in_fixup().
        early = ["op_set"] if e["steps"] > 0 else ["op_set", "lab_in_fixup"]
        return e["rip"], [n for n in kernel if n not in early], "kernel"
    if "asm_exc_nmi" in gdb:
        irq = next(x for x in entries if x.get("name", "").startswith("irq-fix") and x["kernel"] == e["kernel"])
        above = [n.removesuffix("[cold]") for n in gdb[: gdb.index("asm_exc_nmi") + 1] if n not in NO_FRAME]
        return e["rip"], above + [n for n in names(irq["chain"]) if n != "user"], "gdb, kernel"
    knows = KNOWS.get(name)
    if knows == "kernel":
        return e["rip"], [plain(e.get("origin_function") or kernel[0])] + kernel[1:], knows
    if knows is None and len(kernel) > 1 and (within(gdb[1:], kernel[1:]) or within(kernel[1:], gdb[1:])):
        # gdb adds inlined functions, and loses a frame in a module's fixups.
        return e["rip"], [origin] + kernel[1:], "kernel, gdb"
    # The kernel printed nothing here, or what it printed last at this address was of another stop.
    cut = [] if gdb[-1] == "entry_SYSCALL_64" else ["..."]
    return e["rip"], [origin] + gdb[1:] + cut, "gdb"


def within(few, many):
    """Whether `few` are in `many`, in the same order."""
    rest = iter(many)
    return all(any(f == m for m in rest) for f in few)


def main():
    program, kernels, dumps = sys.argv[1:4]
    entries = []
    for path in sys.argv[4:]:
        m = json.load(open(path))
        entries += m.get("fixups", []) + m.get("dumps", [])
        entries += [dict(t, name=os.path.basename(t["file"])[:-4]) for t in m.get("tasks", [])]
    stops = read("stops.tsv")
    tasks = read("tasks.tsv")
    for e in entries:
        ver = version(e["kernel"])
        dump = os.path.join(dumps, e["file"])
        if not os.path.exists(dump):
            print("gone:", dump)
            continue
        name = e["file"].replace("/", "-")[:-4]
        name = re.sub(r"-(fix|die)-%s$|-%s$" % (re.escape(ver), re.escape(ver)), "", name)
        out = f"{name}.fxs.xz"
        reliable = e.get("tasks") or e.get("reliable_verdicts")
        which = [] if reliable else ["--cpu", str(e["cpu"])]
        command = [program, "unwind", "-q", dump, "--no-lines", *which, "--snapshot", "/tmp/record.fxs"]
        command += ["--module", os.path.join(os.path.dirname(dump), "lab.ko")]
        root = os.path.join(kernels, ver)
        command += ["--debug-dir", os.path.join(root, "debug"), "--debug-dir", root, "--release", e["kernel"]]
        got = subprocess.run(command, capture_output=True, text=True)
        if got.returncode == 2:
            sys.exit(f"{dump}: {got.stderr}")
        with lzma.open(os.path.join(HERE, out), "wb", preset=9) as f:
            f.write(open("/tmp/record.fxs", "rb").read())
        if reliable:
            for pid, seen in reliable.items():
                entries_ = seen.get("reliable") or seen.get("entries") or []
                # Less than 1 is an error: the kernel gives no verdict on a task that runs.
                if seen.get("ret", 0) > 0 and entries_ and (name, pid) not in MOVED:
                    tasks[(out, pid)] = [" ".join(pc for pc, _ in entries_)]
        else:
            pc, chain, source = stop(name, e, entries)
            stops[(out,)] = [ver, str(e["cpu"]), pc, source, " ".join(chain)]
    write("stops.tsv", ["snapshot", "kernel", "cpu", "from", "source", "functions"], stops)
    write("tasks.tsv", ["snapshot", "pid", "addresses"], tasks)


def read(name):
    path = os.path.join(HERE, name)
    if not os.path.exists(path):
        return {}
    keys = 1 if name == "stops.tsv" else 2
    rows = list(csv.reader(open(path), delimiter="\t"))[1:]
    return {tuple(r[:keys]): r[keys:] for r in rows}


def write(name, header, rows):
    with open(os.path.join(HERE, name), "w") as f:
        f.write("\t".join(header) + "\n")
        for key in sorted(rows):
            f.write("\t".join([*key, *rows[key]]) + "\n")


main()
