#!/usr/bin/env python3
"""preempt.py PORT CONSOLE VMLINUX FUNCTION: through QEMU's debug stub at PORT, makes FUNCTION's fixup code endless.

When the guest's CONSOLE says KLP-HOLD, the first instruction of the code that FUNCTION's first entry of the exception table
leads to is replaced by a jump to itself; when it says KLP-RELEASE, by what was there. Between, a task that takes this fixup
stays at its first instruction, with interrupts on, until another task preempts it. So what is made is only time: the
window is there without us, but a few instructions wide. Prints the addresses."""

import re
import socket
import struct
import subprocess
import sys
import time


class Stub:
    """As much of gdb's remote protocol as is needed. The guest stands still while connected."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.data = b""
        self.ask("?")

    def packet(self):
        while True:
            m = re.search(rb"\$([^#]*)#..", self.data)
            if m:
                self.data = self.data[m.end() :]
                self.socket.sendall(b"+")
                return m.group(1).decode()
            got = self.socket.recv(4096)
            if not got:
                sys.exit("preempt.py: QEMU is gone")
            self.data += got

    def ask(self, command):
        self.socket.sendall(b"$%s#%02x" % (command.encode(), sum(command.encode()) & 0xFF))
        answer = self.packet()
        # That the guest has stopped may be said again at any time.
        while answer[:1] in "TS" and command != "?":
            answer = self.packet()
        return answer

    def read(self, address, size):
        return bytes.fromhex(self.ask("m%x,%x" % (address, size)))

    def write(self, address, data):
        answer = self.ask("M%x,%x:%s" % (address, len(data), data.hex()))
        if answer != "OK":
            sys.exit("preempt.py: cannot write to %#x: %s" % (address, answer))

    def leave(self):
        self.ask("D")
        self.socket.close()


def fixups(vmlinux, function):
    """(faulting instruction, fixup) of a function, as the tables of 3.5 to 5.16 have it: 12 bytes, relative."""
    symbols = subprocess.run(["nm", "-S", vmlinux], capture_output=True, text=True, check=True).stdout
    m = re.search(r"^(\w+) (\w+) [tT] %s$" % function, symbols, re.M)
    start, size = int(m.group(1), 16), int(m.group(2), 16)
    sections = subprocess.run(["readelf", "-SW", vmlinux], capture_output=True, text=True, check=True).stdout
    m = re.search(r"\] __ex_table +\w+ +(\w+) (\w+) (\w+)", sections)
    at, offset, length = (int(g, 16) for g in m.groups())
    with open(vmlinux, "rb") as f:
        f.seek(offset)
        table = f.read(length)
    for i in range(0, length, 12):
        fault, fixup, _ = struct.unpack_from("<iii", table, i)
        if start <= at + i + fault < start + size:
            yield at + i + fault, at + i + 4 + fixup


def wait(console, words):
    while True:
        with open(console, errors="replace") as f:
            text = f.read()
        if words in text:
            return text
        time.sleep(0.2)


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    port, console, vmlinux, function = int(sys.argv[1]), *sys.argv[2:]
    found = list(fixups(vmlinux, function))
    text = wait(console, "KLP-HOLD")
    slide = int(re.search(r"([0-9a-f]{16}) \w _text\b", text).group(1), 16) - 0xFFFFFFFF81000000
    fault, fixup = found[0]
    stub = Stub(port)
    before = stub.read(fixup + slide, 2)
    stub.write(fixup + slide, b"\xeb\xfe")
    stub.leave()
    print("%s: fixups %s; %#x held" % (function, " ".join("%x->%x" % f for f in found), fixup + slide), flush=True)
    wait(console, "KLP-RELEASE")
    stub = Stub(port)
    stub.write(fixup + slide, before)
    stub.leave()
    print("released", flush=True)


main()
