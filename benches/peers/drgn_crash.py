#!/usr/bin/env python3
"""What drgn knows of a crash, as lines of JSON: who crashed, stacks of running tasks, the log.

usage: drgn_crash.py DUMP VMLINUX [MODULE...]
"""
import json
import sys

import drgn
from drgn.helpers.linux.cpumask import for_each_online_cpu
from drgn.helpers.linux.printk import get_dmesg
from drgn.helpers.linux.sched import cpu_curr


def frames(trace):
    for frame in trace:
        pc = frame.pc
        try:
            name = frame.symbol().name
        except LookupError:
            name = frame.name or ""
        # An inlined call has the symbol of the function that it is in.
        if not frame.is_inline:
            yield [pc, name]


def stack(prog, task):
    try:
        return list(frames(prog.stack_trace(task)))
    except (ValueError, LookupError, drgn.FaultError) as e:
        return [[0, str(e)]]


def main():
    prog = drgn.Program()
    prog.set_core_dump(sys.argv[1])
    try:
        prog.load_debug_info(sys.argv[2:])
    except drgn.MissingDebugInfoError as e:
        print(e, file=sys.stderr)
    try:
        crashed = prog.crashed_thread().object
        print(json.dumps({"crashed": crashed.pid.value_(), "frames": stack(prog, crashed)}))
    except Exception as e:
        print(e, file=sys.stderr)
    for cpu in for_each_online_cpu(prog):
        task = cpu_curr(prog, cpu)
        print(json.dumps({"cpu": cpu, "pid": task.pid.value_(), "frames": stack(prog, task)}))
    print(json.dumps({"log": get_dmesg(prog).decode(errors="replace").splitlines()}))


main()
