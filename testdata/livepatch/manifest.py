#!/usr/bin/env python3
"""manifest.py OUT DIR...: the truth of boots of boot.sh, from DIR/console.txt (DIR is KERNEL-NAME).

For each live patch that was loaded, and each moment at which everything was collected: what it patches as the kernel
resolved it, what the kernel said of each task (its debug lines), the task's patch_state, what
stack_trace_save_tsk_reliable() answered; and what is to be expected of a tool, which follows from these and from where a
task is by construction (HIDDEN). Prints CHECK where the range test of klp_check_stack_func(), done again over the
entries, and the kernel disagree."""

import json
import os
import re
import subprocess
import sys
from collections import Counter

# comm: function that the task is inside although no return address is in the function's range, and why
HIDDEN = {
    "k/fixcall": ("k_fix_call", "fixup"),
    "l_fixcall": ("k_fix_call", "fixup"),
    "l_fixtouch": ("k_fix_touch", "fixup"),
    "k/cold": ("k_cold", "cold"),
    "l_cold": ("k_cold", "cold"),
    "k/rec": ("k_rec", "cold"),
    "random": ("wait_for_random_bytes", "cold"),
    "k/noret": ("k_noret", "noreturn-end"),
    "psel": ("__x64_sys_pselect6", "fixup"),
}
# listed in every case, whatever becomes of them
ALWAYS = "k/tail zombie k/twin1 k/twin2 l_twin2 s_uffd s_stop kswapd0 u_spin b_bpf b_fexit psel".split()
STATES = {0: "R", 1: "S", 2: "D", 4: "T", 8: "t", 0x402: "I", 0x10: "X", 0x80: "dead", 0x20: "Z"}
PF_KTHREAD = 0x200000
# dumps whose every stack is kept
FULL = ("pre", "late", "signal", "kp_new-off")


def integer(text):
    return int(text) if text.lstrip("-").isdigit() else None


class Collection:
    """What `collect` of ./init and krel.ko say at one moment."""

    def __init__(self):
        self.patches, self.stacks, self.tasks = {}, {}, {}


class Console:
    def __init__(self, path):
        with open(path, errors="replace") as f:
            self.text = f.read().replace("\r", "")
        self.events, self.collections = [], {}
        now = task = stack = None
        for line in self.text.split("\n"):
            m = re.match(r"\[ *[0-9.]+\] (.*)", line)
            if not m:
                continue
            line = m.group(1)
            word = line.split(" ")
            if line.startswith("KLP-COLLECT "):
                now = self.collections[word[1]] = Collection()
                task = stack = None
            elif line.startswith("KLP-COLLECTED"):
                stack = None
            elif now is None:
                pass
            elif word[0] == "LP":
                now.patches[word[1]] = {"enabled": int(word[3]), "transition": int(word[5])}
            elif word[0] == "STACK":
                stack = now.stacks[int(word[1])] = []
            elif line.startswith("S [<0>] ") and stack is not None:
                stack.append(line[8:])
            elif word[0] == "REL":
                task = self.task(line.split(" ", 10))
                now.tasks["idle%d" % task["idle_cpu"] if "idle_cpu" in task else "%d" % task["pid"]] = task
            elif word[0] == "E" and task is not None:
                _, address, symbol = line.split(" ", 2)
                task["entries"].append(["0x" + address, symbol])
            if re.match(r"KLP-|KP |livepatch:", line):
                self.events.append(line)

    @staticmethod
    def task(word):
        task = {
            "pid": int(word[1]),
            "comm": word[10],
            "task": "0x" + word[3],
            "state": int(word[4], 16),
            "on_cpu": int(word[5]),
            "patch_state": int(word[6]),
            "ti_flags": word[7],
            "flags": int(word[8], 16),
            "ret": int(word[9]),
            "entries": [],
        }
        if int(word[2]) >= 0:
            task["idle_cpu"] = int(word[2])
        return task

    def loads(self):
        """The patches in the order of loading; `moments` are (tag, how many of the lines came before)."""
        found = []
        for line in self.events:
            word = line.split()
            load = found[-1] if found else None
            if word[0] == "KLP-LOAD":
                found.append({"patch": word[1], "lines": [], "patched": [], "insmod": None, "enable": None, "moments": []})
            elif load is None:
                pass
            elif word[0] == "KLP-LOADED":
                load["insmod"] = int(word[3])
            elif word[0] == "KP" and word[2] == "enable":
                load["enable"] = int(word[3])
            elif word[0] == "KP":
                m = re.match(r"KP \S+ obj (\S+) func (\S+),(\d+) old (\w+) size (\w+) new (\w+) size (\w+)", line)
                load["patched"].append(
                    {
                        "object": m.group(1),
                        "name": m.group(2),
                        "sympos": int(m.group(3)),
                        "old_addr": "0x" + m.group(4),
                        "old_size": int(m.group(5), 16),
                        "new_addr": "0x" + m.group(6),
                        "new_size": int(m.group(7), 16),
                    }
                )
            elif word[0] == "KLP-COLLECT":
                load["moments"].append((word[1], len(load["lines"])))
            elif word[0] in ("livepatch:", "KLP-DISABLE", "KLP-FORCE", "KLP-REENABLE"):
                load["lines"].append(line)
        return found


def said(line):
    """(pid, comm), verdict, function of one line of the kernel about a task."""
    m = re.match(r"livepatch: \w+: (.*):(\d+) (?:is sleeping on function (\S+)|(has an unreliable stack)|is running)", line)
    if not m:
        return None
    verdict = "blocked" if m.group(3) else "unreliable" if m.group(4) else "running"
    return (int(m.group(2)), m.group(1)), verdict, m.group(3)


class Case:
    def __init__(self, console, loads, load, moment, upto, ids):
        self.console, self.load, self.moment = console, load, moment
        self.collection = console.collections.get(moment)
        lines = load["lines"][:upto]
        # Only what was said since the last change of direction.
        cut = max([i + 1 for i, l in enumerate(lines) if l.startswith("KLP-")] + [0])
        self.steps = [l for l in lines[:cut] if l.startswith("KLP-")]
        self.lines = lines[cut:]
        self.unpatching = bool(self.steps) and self.steps[-1].startswith("KLP-DISABLE")
        self.forced = any(s.startswith("KLP-FORCE") for s in self.steps)
        complete = re.compile(r"'%s'.*\bcomplete$" % load["patch"])
        self.completed = any(map(complete.search, self.lines))
        rest = load["lines"][upto:]
        rest = rest[: next((i for i, l in enumerate(rest) if l.startswith("KLP-")), len(rest))]
        self.later = not self.completed and any(map(complete.search, rest))
        state = self.collection and self.collection.patches.get(load["patch"])
        self.open = state and bool(state["transition"])
        # A patch on top of another is tested against what the other put in place.
        self.below = next((l for l in reversed(loads) if load["patch"] == "kp_second" and l["patch"] == "kp_multi"), None)
        self.ranges = [(f["name"],) + self.range(f) for f in load["patched"]]
        self.ids = ids
        self.problems = []

    def range(self, function):
        which = "new" if self.unpatching else "old"
        if self.below:
            function = next(f for f in self.below["patched"] if f["name"] == function["name"])
            which = "new"
        return int(function[which + "_addr"], 16), function[which + "_size"]

    def build(self):
        case = dict(self.ids)
        case.update(
            moment=self.moment,
            patch=self.load["patch"] + ".ko",
            direction="unpatching" if self.unpatching else "patching",
            enable_rc=self.load["enable"],
            insmod_rc=self.load["insmod"],
            patched=self.load["patched"],
            refused=[l for l in self.load["lines"] if re.search(r"failed|not found|ambigu|unresolv|cannot|busy", l, re.I)] or None,
            transition_open_at_dump=self.open,
            kernel_completed=self.completed and self.load["enable"] == 0,
            completed_later=self.later and self.load["enable"] == 0,
            steps_before=self.steps or None,
            tasks=[],
            counts=None,
        )
        if not self.collection or self.load["enable"] != 0:
            return case
        last, first = {}, {}
        for line in self.lines:
            s = said(line)
            if s:
                last[s[0]] = s[1:] + (line,)
                first.setdefault(s[0], s[1:] + (line,))
        counts = Counter()
        for task in self.collection.tasks.values():
            who = (0 if "idle_cpu" in task else task["pid"], task["comm"])
            row, listed = self.row(task, last.get(who), first.get(who))
            counts[row["expected"]] += 1
            if listed:
                case["tasks"].append(row)
        case["counts"] = dict(counts)
        case["counts_note"] = "tasks not listed are expected safe"
        return case

    def row(self, task, last, first):
        entries = task["entries"]
        hits = [(n, i, e) for n, at, size in self.ranges for i, e in enumerate(entries) if at <= int(e[0], 16) < at + size]
        function, via = HIDDEN.get(task["comm"], (None, None))
        patched = {f["name"] for f in self.load["patched"]}
        hidden = function in patched and not self.unpatching and not any(h[0] == function for h in hits)
        # The frame belongs to something else: the symbol behind a call without return, or before .fixup.
        false = [h for h in hits if (function == "k_noret" and h[0] == "k_after") or (via == "fixup" and h[0] == "k_twin_b")]
        target = 0 if self.unpatching else 1
        if (self.open and task["patch_state"] == target) or (not self.open and self.completed):
            verdict = "switched"
        else:
            verdict = last[0] if last else "no word"
        if hidden:
            expected = "hidden"
        elif hits:
            expected = "blocked-falsely" if len(false) == len(hits) else "blocked"
        elif task["ret"] < 0:
            expected = "running" if task["on_cpu"] else "unreliable"
        else:
            expected = "running" if task["on_cpu"] else "safe"
        if (self.forced or self.below) and not hits:
            inside = [
                f["name"]
                for f in self.load["patched"]
                for e in entries
                if 0 <= int(e[0], 16) - int(f["old_addr"], 16) < f["old_size"]
            ]
            if inside:
                expected, function, via = "hidden", inside[0], "forced"
        note = None
        if "idle_cpu" in task:
            note = "idle task: do_idle() switches it at the next turn without a stack test, whatever expected says"
        if task["pid"] == 1:
            note = "init ran the collection itself (on_cpu=1); it waits for its child at the dump"
            if expected == "running":
                expected = "safe"
        self.check(task, hits, last, verdict, expected)
        state = task["state"] & 0xFFF
        row = {
            "pid": task["pid"],
            "comm": task["comm"],
            "task": task["task"],
            "state": STATES.get(state, STATES.get(state & 0xFF, hex(task["state"]))),
            "on_cpu": task["on_cpu"],
            "kthread": bool(task["flags"] & PF_KTHREAD),
            "patch_state": task["patch_state"],
            "ti_flags": task["ti_flags"],
        }
        if "idle_cpu" in task:
            row["idle_cpu"] = task["idle_cpu"]
        row.update(
            kernel_line=last and last[2],
            kernel_first_line=first[2] if first != last else None,
            kernel_verdict=verdict,
            reliable_ret=task["ret"],
            expected=expected,
        )
        if expected in ("blocked", "blocked-falsely"):
            row["frames"] = [{"function": h[0], "index": h[1], "address": h[2][0], "symbol": h[2][1]} for h in hits]
        if expected == "hidden":
            row.update(function=function, via=via, false_hits=[h[0] for h in hits] or None)
        if note:
            row["note"] = note
        row["entries"] = entries
        listed = expected != "safe" or first or "idle_cpu" in task or task["comm"] in ALWAYS
        return row, listed

    def check(self, task, hits, last, verdict, expected):
        wrong = (
            (expected == "blocked" and self.open and not self.forced and verdict != "blocked")
            or (expected in ("safe", "hidden") and verdict != "switched" and not task["on_cpu"])
            or (expected == "unreliable" and verdict != "unreliable")
            or (last and last[0] == "blocked" and hits and last[1] not in {h[0] for h in hits})
        )
        if wrong:
            what = "expected %s, kernel %s" % (expected, verdict)
            self.problems.append("%s %s:%d %s %s" % (self.ids["id"], task["comm"], task["pid"], what, last and last[2]))


def build_id(path):
    notes = subprocess.run(["readelf", "-n", path], capture_output=True, text=True).stdout
    m = re.search(r"Build ID: (\w+)", notes)
    return m and m.group(1)


def first_file(*paths):
    return next((p for p in paths if os.path.exists(p)), paths[0])


def boot(folder, manifest):
    """Adds one boot to the manifest; what is to be looked at again."""
    name = os.path.basename(folder.rstrip("/"))
    kernel, run = name.rsplit("-", 1)
    console = Console(folder + "/console.txt")
    release = re.search(r"KLP-START (\S+)", console.text).group(1)
    text = re.search(r"([0-9a-f]{16}) \w _text$", console.text, re.M)
    results = os.path.dirname(os.path.abspath(folder))
    cache = os.path.dirname(results)
    vmlinux = "/debug/boot/vmlinux-" + release
    manifest["kernels"]["%s/%s" % (kernel, run)] = {
        "release": release,
        "vmlinux_build_id": build_id(first_file(cache + "/kernels/" + kernel + vmlinux, cache + "/other/" + kernel + vmlinux)),
        "lab_build_id": build_id(folder + "/ko/lab.ko"),
        "kaslr_offset": hex(int(text.group(1), 16) - 0xFFFFFFFF81000000),
        "lab_sections": dict(re.findall(r"SECT lab (\S+) (0x[0-9a-f]+)", console.text)),
    }
    dumps = re.findall(r"KLP-DUMP (\S+)", console.text)
    loads = console.loads()
    problems = []
    for load in loads:
        for moment, upto in load["moments"] or [(None, len(load["lines"]))]:
            ids = {
                "id": "%s/%s/%s" % (kernel, run, moment or load["patch"]),
                "kernel": release,
                "file": "%s/%s.elf" % (name, moment) if moment in dumps else None,
                "file_before": name + "/pre.elf",
            }
            case = Case(console, loads, load, moment, upto, ids)
            manifest["cases"].append(case.build())
            problems += case.problems
    for tag in dumps:
        c = console.collections.get(tag)
        dump = {"file": "%s/%s.elf" % (name, tag), "kernel": release, "livepatches": c and c.patches}
        if c:
            dump["patch_states"] = {k: [t["comm"], t["patch_state"], t["ti_flags"]] for k, t in c.tasks.items()}
        if c and tag in FULL:
            keys = ("comm", "ret", "state", "on_cpu", "entries")
            dump["reliable"] = {k: {key: t[key] for key in keys} for k, t in c.tasks.items()}
        if c and tag == "pre":
            dump["proc_stack"] = c.stacks
        manifest["dumps"].append(dump)
    return problems


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    manifest = {"kernels": {}, "cases": [], "dumps": []}
    problems = []
    for folder in sys.argv[2:]:
        problems += boot(folder, manifest)
    with open(sys.argv[1], "w") as f:
        json.dump(manifest, f, indent=0, separators=(",", ":"))
    for c in manifest["cases"]:
        state = "refused" if c["enable_rc"] != 0 else "completed" if c["kernel_completed"] else "open"
        print("%-24s %-12s %-9s %s" % (c["id"], c["patch"], state, c["counts"]))
    for p in problems:
        print("CHECK", p)
    print("%d cases, %d dumps, %d to check" % (len(manifest["cases"]), len(manifest["dumps"]), len(problems)))


main()
