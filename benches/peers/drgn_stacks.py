#!/usr/bin/env python3
"""All stacks of a dump by drgn: one line a frame, `#` and number, name, source line.

usage: drgn_stacks.py DUMP VMLINUX [MODULE...]
"""
import sys

import drgn
from drgn.helpers.linux.cpumask import for_each_online_cpu
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.sched import idle_task


def main():
    prog = drgn.Program()
    prog.set_core_dump(sys.argv[1])
    prog.load_debug_info(sys.argv[2:])
    tasks = [idle_task(prog, cpu) for cpu in for_each_online_cpu(prog)]
    tasks += for_each_task(prog)
    for task in tasks:
        print(f"PID {task.pid.value_()} {task.comm.string_().decode(errors='replace')}")
        try:
            frames = prog.stack_trace(task)
        except Exception as e:
            print(f"  {e}")
            continue
        for number, frame in enumerate(frames):
            try:
                file, line, _ = frame.source()
            except LookupError:
                file, line = "??", 0
            print(f" #{number} {frame.name} {file}:{line}")


main()
