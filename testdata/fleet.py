#!/usr/bin/env python3
"""Logs of a fleet of machines, made of those in testdata/oops: each is of the same bug as the one it was made of, with
another uptime, process, CPU, machine, addresses, and with lines of other things around it.

usage: fleet.py DIR|- COUNT [SEED]

Below DIR they are 000/000000-BASE.txt, a thousand a folder; BASE is the log that it was made of. `-` prints them as
lines of JSON with "name", "base" and "log". The same SEED (a word, 0 if it is not given) gives the same logs, and log
N is the same whatever COUNT: `log(number, seed)` makes one alone, for whoever spreads them over machines.
"""
import functools
import json
import multiprocessing
import os
import random
import re
import sys

OOPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "oops")
# Reports by the hundred, of every fixup of a boot and of all tasks; and one without a report.
LEFT_OUT = ("-fixups", "-sysrq-t", "-fix-max", "-tasks-fgraph-kaslr", "-noncanon-lab")
COMMS = "nginx postgres java python3 dockerd kubelet redis-server node mysqld envoy sshd containerd".split()
# What the recorded processes are called; kernel threads keep their names, of which some are in titles.
RECORDED = ("init", "trig")
MACHINES = (
    "Dell Inc. PowerEdge R650/0NPYTV, BIOS 1.9.2 11/17/2022",
    "HPE ProLiant DL380 Gen10/ProLiant DL380 Gen10, BIOS U30 07/20/2023",
    "Supermicro SYS-1029P-WTR/X11DDW-L, BIOS 3.8 10/12/2022",
    "Lenovo ThinkSystem SR650 -[7X06CTO1WW]-/-[7X06CTO1WW]-, BIOS -[IVE178E-3.31]- 03/07/2023",
    "Amazon EC2 m5.large/, BIOS 1.0 10/16/2017",
    "QEMU Standard PC (Q35 + ICH9, 2009), BIOS 1.16.2-debian-1.16.2-1 04/01/2014",
)
NOISE = (
    "EXT4-fs (sda{d}): mounted filesystem with ordered data mode. Opts: (null)",
    "eth{d}: renamed from veth{hex}",
    "br-{hex}: port {n}(veth{hex}) entered forwarding state",
    "e1000e 0000:00:1f.6 eno{d}: NIC Link is Up 1000 Mbps Full Duplex, Flow Control: None",
    "systemd[1]: Started Session {n} of user root.",
    "systemd-journald[{n}]: Received client request to flush runtime journal.",
    "audit: type=1400 audit({n}.{n}:{n}): apparmor=\"STATUS\" operation=\"profile_load\" profile=\"unconfined\"",
    "TCP: request_sock_TCP: Possible SYN flooding on port {n}. Sending cookies.  Check SNMP counters.",
    "perf: interrupt took too long ({n} > {n}), lowering kernel.perf_event_max_sample_rate to {n}",
    "nf_conntrack: default automatic helper assignment has been turned off",
    "usb 1-{d}: new high-speed USB device number {n} using xhci_hcd",
    "IPv6: ADDRCONF(NETDEV_CHANGE): veth{hex}: link becomes ready",
)
STAMP = re.compile(r"\[ *(\d+)\.(\d{6})\]")


@functools.cache
def bases():
    """The recorded logs by name, without the lines of the tests that made them."""
    found = {}
    for file in sorted(os.listdir(OOPS)):
        name, extension = os.path.splitext(file)
        if extension == ".txt" and not name.endswith(LEFT_OUT):
            with open(os.path.join(OOPS, file), errors="surrogateescape") as text:
                found[name] = [line for line in text.read().splitlines() if not line.startswith("LAB-")]
    return found


def noise(chance, start, end):
    """A few lines between two times, in microseconds."""
    for at in sorted(chance.randint(start, end) for _ in range(chance.randint(2, 25))):
        text = chance.choice(NOISE)
        text = re.sub("{n}", lambda _: str(chance.randint(1, 9999)), text)
        text = re.sub("{d}", lambda _: str(chance.randint(1, 9)), text)
        text = re.sub("{hex}", lambda _: f"{chance.getrandbits(28):07x}", text)
        yield f"{stamp(at)} {text}"


def stamp(at):
    return f"[{at // 1_000_000:5}.{at % 1_000_000:06}]"


def changed(lines, chance):
    """The lines with another process, CPU, machine and other addresses, each the same wherever it stands."""
    text = "\n".join(lines)
    # Who ran: by its number beside its name, in any of the forms that the kernel has.
    comm = chance.choice(COMMS)
    for name in RECORDED:
        for number in set(re.findall(rf"PID: (\d+) Comm: {name}\b", text)) - {"0", "1"}:
            new = str(chance.randint(300, 4_194_303))
            text = re.sub(rf"\b{name}\[{number}\]", f"{comm}[{new}]", text)
            text = re.sub(rf"\b{name}([:/]){number}\b", rf"{comm}\g<1>{new}", text)
            text = re.sub(rf"\b(process )?{name} \(pid: {number}\b", rf"\g<1>{comm} (pid: {new}", text)
            text = re.sub(rf"PID: {number} Comm: {name}\b", f"PID: {new} Comm: {comm}", text)
            # The title of a warning has no name.
            text = re.sub(rf"PID: {number} at\b", f"PID: {new} at", text)
    # Who died with the machine is init, and stays so; lists of CPUs are not renumbered, nor what refers to them.
    if "CPUs" not in text and "rcu:" not in text:
        more = chance.randint(0, 94)
        text = re.sub(r"\b(CPU: |CPU#|cpu )(\d+)\b", lambda m: m[1] + str(int(m[2]) + more), text)
    machine = chance.choice(MACHINES)
    text = re.sub(r"Hardware name: .*", f"Hardware name: {machine}", text)
    # Upper halves of addresses in data, stacks and processes; those in text are the image's.
    halves = {}

    def moved(m):
        half = m[1]
        if half not in halves:
            if half.startswith("0000"):
                halves[half] = f"00007f{chance.randint(0x10, 0xFE):02x}"
            else:
                # As KASLR has it: stacks above what is mapped one to one.
                first = 0xB0 if half in stacks else 0x89
                halves[half] = f"ffff{chance.randint(first, first + 0x1E):02x}{chance.getrandbits(8):02x}"
        return halves[half] + m[2]

    stacks = set(re.findall(r"\bRSP: 0018:(ffff[0-9a-f]{4})", text))
    text = re.sub(r"\b(ffff(?!ffff)[0-9a-f]{4}|00007f[0-9a-f]{2})([0-9a-f]{8})\b", moved, text)
    return text.split("\n")


def labelled(number, seed=0):
    """Log `number`, behind the name of the one that it was made of."""
    chance = random.Random(f"{seed} {number}")
    # As in every fleet, few bugs are most of it.
    names = list(bases())
    base = chance.choices(names, [1 / (rank + 1) for rank in range(len(names))])[0]
    lines = bases()[base]
    banner = [line for line in lines[:1] if "Linux version " in line]
    lines = changed(lines[len(banner) :], chance)
    stamps = [int(m[1]) * 1_000_000 + int(m[2]) for m in map(STAMP.match, lines) if m]
    # From minutes to a month.
    later = chance.randint(60_000_000, 2_600_000_000_000)
    moved = [STAMP.sub(lambda m: stamp(int(m[1]) * 1_000_000 + int(m[2]) + later), line, count=1) for line in lines]
    first, last = min(stamps) + later, max(stamps) + later
    before, after = noise(chance, 1_000_000, first), noise(chance, last, last + 3_600_000_000)
    text = "\n".join([*banner, *before, *moved, *after]) + "\n"
    return base, text


def log(number, seed=0):
    return labelled(number, seed)[1]


def logs(count, seed=0):
    """That many logs, each a text."""
    return (log(number, seed) for number in range(count))


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__.split("\n\n")[1])
    folder, count = sys.argv[1], int(sys.argv[2])
    seed = sys.argv[3] if len(sys.argv) > 3 else 0
    if folder == "-":
        for number in range(count):
            base, text = labelled(number, seed)
            print(json.dumps({"name": called(number, base), "base": base, "log": text}))
        return
    with multiprocessing.Pool() as pool:
        pool.starmap(write, [(folder, first, min(first + 1000, count), seed) for first in range(0, count, 1000)], 1)


def called(number, base):
    return f"{number // 1000:03}/{number:06}-{base}.txt"


def write(folder, first, end, seed):
    """Logs `first` to `end`, which are a folder, below `folder`."""
    os.makedirs(os.path.dirname(os.path.join(folder, called(first, ""))), exist_ok=True)
    for number in range(first, end):
        base, text = labelled(number, seed)
        with open(os.path.join(folder, called(number, base)), "w", errors="surrogateescape") as file:
            file.write(text)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
