"""What it costs to ask the library from Python: an address, and a log of many.

    python benches/embed.py FOLDER [VMLINUX]

FOLDER has logs, as testdata/fleet.py makes them. VMLINUX is the demo image unless told. Needs the Python package and pyarrow;
FIXTRACE names the program. Prints the least of five runs. `rust` is the loop of benches/loop_attribute.rs, over the same
addresses.
"""

import os
import pathlib
import resource
import subprocess
import sys
import time

import fixtrace
import fixtrace.arrow

PROGRAM = os.environ.get("FIXTRACE", "target/release/fixtrace")
COUNT = 20000


def least(work):
    """Seconds, and seconds of all processors, that `work` takes."""
    runs = []
    for _ in range(5):
        before, begin = cpu(), time.perf_counter()
        work()
        runs.append((time.perf_counter() - begin, cpu() - before))
    return min(runs)


def cpu():
    all = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in all)


def program(*args):
    subprocess.run([PROGRAM, "symbolize", "-q", "--no-index", *args], stdout=subprocess.DEVNULL, check=False)


def main(folder, vmlinux="testdata/fixtures/demo-5.10.elf"):
    session = fixtrace.Session(vmlinux, lines=False)
    begin, end = 0xFFFFFFFF81000000, 0xFFFFFFFF81C02000
    pcs = [begin + (end - begin) * n // COUNT for n in range(COUNT)]

    def alone():
        for pc in pcs:
            session.attribute(pc)

    def called():
        for pc in pcs:
            session.attribute(pc).function

    alone()
    one, _ = least(alone)
    named, _ = least(called)
    many, _ = least(lambda: session.attribute_many(pcs))
    loop = ["cargo", "run", "--quiet", "--release", "--manifest-path", "benches/Cargo.toml", "--example", "loop_attribute"]
    rust = float(subprocess.run([*loop, "--", vmlinux, str(COUNT)], stdout=subprocess.PIPE, check=True).stdout)
    print(f"an address: {one / COUNT * 1e9:.0f} ns, with its function {named / COUNT * 1e9:.0f} ns, ", end="")
    print(f"of many {many / COUNT * 1e9:.0f} ns; rust {rust:.0f} ns")

    texts = [path.read_bytes() for path in sorted(pathlib.Path(folder).rglob("*.txt"))]
    batch = fixtrace.Batch(debug_dirs=[])
    none = ("--debug-dir", "/nonexistent", folder)
    for name, work in (
        ("program, --summary", lambda: program("--summary", *none)),
        ("program, --json", lambda: program("--json", *none)),
        ("Batch.rows", lambda: batch.rows(texts)),
        ("arrow.table", lambda: fixtrace.arrow.table(texts, debug_dirs=[])),
    ):
        wall, both = least(work)
        print(f"a log of {len(texts)}, {name}: {wall / len(texts) * 1e6:.0f} us, {both / len(texts) * 1e6:.0f} us of processors")


if __name__ == "__main__":
    main(*sys.argv[1:])
