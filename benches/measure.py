#!/usr/bin/env python3
"""What programs cost: processor time, memory, time inside a process.

usage: measure.py time N INPUT NAME COMMAND [NAME COMMAND]...
       measure.py memory INPUT NAME COMMAND [NAME COMMAND]...
       measure.py inside N INPUT NAME COMMAND [NAME COMMAND]...

INPUT becomes standard input; standard output goes to /dev/null, where the kernel drops it. The first command is the
one that others are held against.

time    Pairs in turn, A B A B, so that both meet the same disturbances. User and system time of the process and all
        of its threads, by wait4(), which counts microseconds where time(1) shows ticks of 10 ms.
memory  The process is traced and stopped at every system call: private memory (RssAnon of /proc/PID/status, which
        counts changed pages of private mappings too) can shrink only in munmap(), madvise(), brk() and the like and
        at the exit, so the largest of what stands before each call is the peak, however short. Largest RSS, mapped
        files included, is VmHWM at the exit. (ru_maxrss of wait4() would not do: it covers the time before exec().)
inside  What the process itself reports on stderr: every number followed by " ns", added up; median of N.
"""
import ctypes
import os
import re
import shlex
import signal
import statistics
import sys
import time

QUIET = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]


def spawn(command, source, actions=()):
    """Starts a command; returns its process id."""
    files = [(os.POSIX_SPAWN_OPEN, 0, source, os.O_RDONLY, 0), *QUIET, *actions]
    return os.posix_spawnp(command[0], command, os.environ, file_actions=files)


def finish(command, status):
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        sys.exit(f"{shlex.join(command)}: status {code}")


# --- time ---

def run(command, source):
    start = time.perf_counter()
    _, status, usage = os.wait4(spawn(command, source), 0)
    wall = time.perf_counter() - start
    finish(command, status)
    return usage.ru_utime + usage.ru_stime, wall


def row(name, runs, more=""):
    times, walls = zip(*runs)
    low, _, high = statistics.quantiles(times, n=4) if len(times) > 1 else times * 3
    unit = 1000 if statistics.median(times) < 0.1 else 1
    middle, low, high, least, wall = (
        t * unit for t in (statistics.median(times), low, high, min(times), statistics.median(walls)))
    print(f"  {name:16} {middle:8.2f} {'ms' if unit > 1 else 's ':2}  (quartiles {low:.2f} and {high:.2f}, "
          f"least {least:.2f}; wall {wall:.2f}){more}", flush=True)


def measure_time(rounds, source, commands):
    print("CPU time, user and system; median")
    own_name, own_command = commands[0]
    if len(commands) == 1:
        row(own_name, [run(own_command, source) for _ in range(rounds)])
    for name, command in commands[1:]:
        own, other = zip(*((run(own_command, source), run(command, source)) for _ in range(rounds)))
        ratio = statistics.median(b[0] / a[0] for a, b in zip(own, other))
        row(own_name, own)
        row(name, other, f"   {ratio:.2f} times {own_name}")


# --- memory ---

TRACEME, SYSCALL, SETOPTIONS = 0, 24, 0x4200
# Tell system calls from signals; follow fork, vfork, clone; stop at the exit; let no process outlive this one.
OPTIONS = 0x1 | 0x2 | 0x4 | 0x8 | 0x40 | 0x100000
ALL_THREADS = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def start_traced(command, source):
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.open(source, os.O_RDONLY), 0)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(1, 2)
            if libc.ptrace(TRACEME, 0, None, None) == 0:
                os.execvp(command[0], command)
        finally:
            os._exit(127)
    # Stopped behind exec(), where the memory is the program's own.
    _, status = os.waitpid(pid, 0)
    if not os.WIFSTOPPED(status):
        sys.exit(f"{shlex.join(command)}: cannot be traced")
    libc.ptrace(SETOPTIONS, pid, None, OPTIONS)
    libc.ptrace(SYSCALL, pid, None, None)
    return pid


def memory(command, source):
    """Peaks of private memory and RSS, and private memory at the exit, kB."""
    pid = start_traced(command, source)
    peaks, last = {"RssAnon": 0, "VmHWM": 0}, 0
    while True:
        thread, status = os.waitpid(-1, ALL_THREADS)
        if not os.WIFSTOPPED(status):
            if thread == pid:
                finish(command, status)
                return peaks["RssAnon"], last, peaks["VmHWM"]
            continue
        with open(f"/proc/{pid}/status") as f:
            for key, value in re.findall(r"^(RssAnon|VmHWM):\s*(\d+)", f.read(), re.M):
                peaks[key] = max(peaks[key], int(value))
                if key == "RssAnon":
                    last = int(value)
        # Stops of the tracer's own making are not passed on; signals are.
        number = os.WSTOPSIG(status)
        own = number & 0x80 or status >> 16 or number in (signal.SIGTRAP, signal.SIGSTOP)
        libc.ptrace(SYSCALL, thread, None, 0 if own else number)


def measure_memory(source, commands):
    print("Memory, kB: private at most, private at the exit, RSS with mapped files at most")
    for name, command in commands:
        private, last, rss = memory(command, source)
        print(f"  {name:16} {private:9} {last:9} {rss:9}", flush=True)


# --- inside ---

def measure_inside(rounds, source, commands):
    print("Time inside the process, wall, ns: open and look up, medians of the sum and of both; least sum")
    for name, command in commands:
        runs = []
        for _ in range(rounds):
            read, write = os.pipe()
            pid = spawn(command, source, [(os.POSIX_SPAWN_DUP2, write, 2)])
            os.close(write)
            with open(read) as f:
                runs.append([int(n) for n in re.findall(r"(\d+) ns", f.read())])
            finish(command, os.waitpid(pid, 0)[1])
        totals = [sum(parts) for parts in runs]
        parts = " + ".join(f"{statistics.median(part):.0f}" for part in zip(*runs))
        print(f"  {name:18} {statistics.median(totals):12.0f} = {parts}   (least {min(totals)})", flush=True)


def main():
    what, *words = sys.argv[1:]
    rounds = [] if what == "memory" else [int(words.pop(0))]
    source, *words = words
    commands = [(name, shlex.split(command)) for name, command in zip(words[::2], words[1::2])]
    {"time": measure_time, "memory": measure_memory, "inside": measure_inside}[what](*rounds, source, commands)


if __name__ == "__main__":
    main()
