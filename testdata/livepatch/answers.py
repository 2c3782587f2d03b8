#!/usr/bin/env python3
"""answers.py MANIFEST KERNEL/NAME OUT: of one boot in a manifest of manifest.py, what tests compare with, small enough for
the repository. README.md says what the fields are."""

import json
import sys


def compact(value):
    return json.dumps(value, separators=(",", ":"))


class Stacks:
    """Each list of entries once; a stack is the number of its place."""

    def __init__(self):
        self.all, self.at = [], {}

    def number(self, entries):
        key = tuple("%s %s" % tuple(e) for e in entries)
        if key not in self.at:
            self.at[key] = len(self.all)
            self.all.append(key)
        return self.at[key]


def short_case(case, stacks):
    out = {
        "moment": case["moment"] or case["patch"].removesuffix(".ko"),
        "patch": case["patch"].removesuffix(".ko"),
        "enable": case["enable_rc"],
        "dump": bool(case["file"]),
    }
    if case["direction"] != "patching":
        out["direction"] = case["direction"]
    if case["steps_before"]:
        out["steps"] = case["steps_before"]
    if case["enable_rc"] != 0:
        out["refused"] = list(dict.fromkeys(case["refused"] or []))
        return out
    out["completed"], out["open"] = case["kernel_completed"], case["transition_open_at_dump"]
    if case.get("completed_later"):
        out["completed_later"] = True
    keys = ("object", "name", "sympos", "old_addr", "old_size", "new_addr", "new_size")
    out["patched"] = [[f[k] for k in keys] for f in case["patched"]]
    out["counts"] = case["counts"]
    out["tasks"] = []
    for task in case["tasks"]:
        row = {k: task[k] for k in ("pid", "comm", "state", "on_cpu", "patch_state", "expected")}
        if "idle_cpu" in task:
            row["idle"] = task["idle_cpu"]
        row["kernel"] = task["kernel_verdict"]
        for key, name in (("kernel_line", "line"), ("kernel_first_line", "first_line")):
            if task[key]:
                row[name] = task[key].removeprefix("livepatch: ")
        for key in ("function", "via", "false_hits"):
            if task.get(key):
                row[key] = task[key]
        if task.get("frames"):
            row["frames"] = [[f["function"], f["index"]] for f in task["frames"]]
        row["reliable"] = task["reliable_ret"]
        row["stack"] = stacks.number(task["entries"])
        out["tasks"].append(row)
    return out


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    with open(sys.argv[1]) as f:
        manifest = json.load(f)
    boot = sys.argv[2]
    stacks = Stacks()
    folder = boot.replace("/", "-") + "/"
    pre = next(d for d in manifest["dumps"] if d["file"] == folder + "pre.elf")
    tasks = [
        [key, t["comm"], pre["patch_states"][key][1], t["on_cpu"], t["ret"], stacks.number(t["entries"])]
        for key, t in pre["reliable"].items()
    ]
    cases = [short_case(c, stacks) for c in manifest["cases"] if c["id"].startswith(boot + "/")]
    kernel = manifest["kernels"][boot]
    with open(sys.argv[3], "w") as f:
        # One case, one stack a line.
        f.write("{\n")
        for key, value in [("boot", boot)] + list(kernel.items()):
            f.write('"%s":%s,\n' % (key, compact(value)))
        for key, values in (("pre", tasks), ("cases", cases), ("stacks", stacks.all)):
            f.write('"%s":[\n%s\n]%s\n' % (key, ",\n".join(map(compact, values)), "" if key == "stacks" else ","))
        f.write("}\n")


main()
