#!/usr/bin/env python3
"""Hostile inputs, made anew, and what they may cost.

  testdata/hostile.py FIXTRACE [NAME...]     all cases, or those whose names contain one of NAME

Each module in hostile/ has `cases(dir)`, which makes files in `dir` and yields Case. A run may take 2 s and 256 MB for
each MB of its input, and a base of 2 s and 256 MB; its exit code and what it says are held to the case's `expect`.
"""

import importlib
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import Callable, Optional

HERE = pathlib.Path(__file__).resolve().parent
BASE_SECONDS, BASE_MB = 2.0, 256.0
SECONDS_PER_MB, MB_PER_MB = 2.0, 256.0


@dataclass
class Case:
    """A command on hostile input. `{fixtrace}` is put before `args`; it runs in `cwd`."""

    name: str
    args: list
    # Files whose sizes count as the input.
    inputs: list
    # Exit codes that are right.
    exits: tuple
    # Looks at (stdout, stderr), both bytes; gives what is wrong, or None.
    expect: Optional[Callable] = None
    cwd: Optional[str] = None
    env: dict = field(default_factory=dict)
    # Sees to the directory before the run.
    before: Optional[Callable] = None
    # Looks at the directory after the run; gives what is wrong, or None.
    after: Optional[Callable] = None
    # Bytes that a file may have (RLIMIT_FSIZE).
    file_size: Optional[int] = None
    # Where standard output goes instead of to `expect`.
    stdout: Optional[str] = None


class Pipe:
    """Takes as much as a pipe holds."""

    def __init__(self):
        self.ends = os.pipe()

    def fileno(self):
        return self.ends[1]

    def seek(self, _):
        os.set_blocking(self.ends[0], False)

    def read(self, most):
        try:
            return os.read(self.ends[0], most)
        except BlockingIOError:
            return b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in self.ends:
            os.close(end)


def limited(file_size):
    if file_size is None:
        return None
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))


def run(fixtrace, case):
    size = sum(os.path.getsize(f) for f in case.inputs) / 1e6
    seconds, memory = BASE_SECONDS + SECONDS_PER_MB * size, BASE_MB + MB_PER_MB * size
    if case.before:
        case.before()
    # What is said is no file where files may have no more than a few bytes.
    err = tempfile.TemporaryFile() if case.file_size is None else Pipe()
    with tempfile.TemporaryFile() as out, err, open(case.stdout or os.devnull, "ab") as away:
        begun = time.monotonic()
        process = subprocess.Popen(
            [fixtrace, *map(str, case.args)], stdin=subprocess.DEVNULL, stderr=err, cwd=case.cwd,
            stdout=away if case.stdout else out, env={**os.environ, "XDG_CACHE_HOME": "/nonexistent", **case.env},
            start_new_session=True, preexec_fn=limited(case.file_size))
        # A process that waits costs no CPU time: no test waits for it.
        deadline = begun + 10 * seconds + 30
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.005)
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read(64 << 20))
    used, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3
    wrong = []
    if process.returncode not in case.exits:
        wrong.append(f"exit {process.returncode}, not {' or '.join(map(str, case.exits))}")
    if process.returncode == 0 and b"(limit" in texts[1]:
        wrong.append("a limit left something out, and the run was whole")
    if used > seconds:
        wrong.append(f"{used:.1f} s, may take {seconds:.1f}")
    if peak > memory:
        wrong.append(f"{peak:.0f} MB, may take {memory:.0f}")
    if case.expect and (said := case.expect(*texts)):
        wrong.append(said)
    if case.after and (left := case.after()):
        wrong.append(left)
    print(f"{case.name:44} {size:8.3f} MB {used:7.2f} s {peak:7.0f} MB  exit {process.returncode:3}  {'; '.join(wrong) or 'ok'}",
          flush=True)
    if wrong:
        sys.stdout.write("    " + texts[1][-600:].decode(errors="replace").replace("\n", "\n    ") + "\n")
    return not wrong


def main():
    global FIXTRACE
    sys.path.insert(0, str(HERE / "hostile"))
    sys.modules["hostile_runner"] = sys.modules["__main__"]
    FIXTRACE, wanted = os.path.abspath(sys.argv[1]), sys.argv[2:]
    right = count = 0
    for path in sorted((HERE / "hostile").glob("*.py")):
        module = importlib.import_module(path.stem)
        if not hasattr(module, "cases"):
            continue
        with tempfile.TemporaryDirectory() as made:
            for case in module.cases(pathlib.Path(made)):
                if not wanted or any(w in case.name for w in wanted):
                    count += 1
                    right += run(FIXTRACE, case)
    print(f"{right} of {count} hostile cases cost and said what they may")
    sys.exit(0 if count and right == count else 1)


if __name__ == "__main__":
    main()
