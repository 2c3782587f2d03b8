#!/usr/bin/env python3
"""How fast a log passes through programs.

usage: throughput.py make LOG SIZE EVERY FILE
       throughput.py measure N FILE NAME COMMAND [NAME COMMAND]...

make     Writes a log of SIZE bytes: the lines of LOG that come before its first report, again and again, and behind
         every EVERY of them (0: never) all that comes behind, which is the reports. Needs testdata in PYTHONPATH.
measure  Runs the commands in turn, N times: with FILE as their last argument, and with FILE from a pipe that cat writes
         to; with /dev/null as standard output, and with a pipe that another cat empties. Time is that of the command
         alone: wall time from its start to its end, user and system time by wait4(). Medians.
"""
import os
import shlex
import statistics
import sys
import time

import measure

# Reports are of frames that some image may lack (3), and a search may find nothing (1).
FINE = (0, 1, 3)


def make(log, size, every, path):
    import oops

    log = oops.Log("", log)
    start = next(at for at, _ in log.anchors())
    ordinary = log.input[: log.input.rindex(b"\n", 0, start) + 1].splitlines(keepends=True)
    reports = log.input[log.input.rindex(b"\n", 0, start) + 1 :] if every else b""
    block = [ordinary[i % len(ordinary)] for i in range(every or len(ordinary))]
    block = b"".join(block) + reports
    count = size // len(block)
    with open(path, "wb") as f:
        for _ in range(count):
            f.write(block)
    print("%d bytes, %d times %d lines%s" % (count * len(block), count, block.count(b"\n"),
          " with reports of %d frames" % len(log.frames) if every else ""))


def run(command, path, piped_in, piped_out):
    """Wall and CPU time of one run."""
    helpers, actions, ends = [], [], []
    if piped_in:
        read, write = os.pipe()
        helpers.append(measure.spawn(["cat", path], os.devnull, [(os.POSIX_SPAWN_DUP2, write, 1)]))
        actions.append((os.POSIX_SPAWN_DUP2, read, 0))
        ends += [read, write]
    else:
        command = command + [path]
    if piped_out:
        read, write = os.pipe()
        helpers.append(measure.spawn(["cat"], os.devnull, [(os.POSIX_SPAWN_DUP2, read, 0)]))
        actions.append((os.POSIX_SPAWN_DUP2, write, 1))
        ends += [read, write]
    start = time.perf_counter()
    pid = measure.spawn(command, os.devnull, actions)
    # What this process still holds open would never end.
    for end in ends:
        os.close(end)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) not in FINE:
        sys.exit("%s: status %d" % (shlex.join(command), os.waitstatus_to_exitcode(status)))
    for helper in helpers:
        os.waitpid(helper, 0)
    return wall, usage.ru_utime + usage.ru_stime


def measure_all(rounds, path, commands):
    size = os.stat(path).st_size / 1e6
    print("MB/s: wall, CPU; and CPU seconds")
    for piped_in in (False, True):
        for piped_out in (False, True):
            runs = {name: [] for name, _ in commands}
            # The first round fills caches.
            for i in range(rounds + 1):
                for name, command in commands:
                    result = run(command, path, piped_in, piped_out)
                    if i:
                        runs[name].append(result)
            print("  %s to %s" % ("pipe" if piped_in else "file", "pipe" if piped_out else "/dev/null"))
            for name, results in runs.items():
                wall, cpu = (statistics.median(r) for r in zip(*results))
                print("    %-10s %8.0f %8.0f %8.3f s" % (name, size / wall, size / cpu, cpu), flush=True)


def main():
    what, *words = sys.argv[1:]
    if what == "make":
        make(words[0], int(words[1]), int(words[2]), words[3])
    else:
        commands = [(name, shlex.split(command)) for name, command in zip(words[2::2], words[3::2])]
        measure_all(int(words[0]), words[1], commands)


if __name__ == "__main__":
    main()
