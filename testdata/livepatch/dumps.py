#!/usr/bin/env python3
"""dumps.py SOCKET DIR TAGS PID: dumps the memory of a guest, by QEMU's monitor at SOCKET, whenever its console DIR/console.txt
says KLP-DUMP TAG and the expression TAGS is found in TAG; until it says KLP-END, or the emulator, PID, is gone."""

import json
import os
import re
import socket
import sys
import time


class Monitor:
    def __init__(self, path):
        for _ in range(100):
            try:
                s = socket.socket(socket.AF_UNIX)
                s.connect(path)
                break
            except OSError:
                time.sleep(0.1)
        self.file = s.makefile("rw")
        self.file.readline()
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "return" in answer or "error" in answer:
                return answer


def alive(pid):
    try:
        with open("/proc/%s/stat" % pid) as f:
            return f.read().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


def main():
    path, out, tags, pid = sys.argv[1:]
    monitor = Monitor(path)
    done = set()
    while alive(pid):
        with open(out + "/console.txt", errors="replace") as f:
            text = f.read()
        for tag in re.findall(r"\] KLP-DUMP (\S+)\r?\n", text):
            if tag in done or not re.search(tags, tag):
                continue
            done.add(tag)
            time.sleep(0.3)  # the task that wrote it goes to sleep
            monitor.ask("stop")
            registers = monitor.ask("human-monitor-command", **{"command-line": "info registers -a"})
            with open("%s/%s.regs" % (out, tag), "w") as f:
                f.write(registers["return"])
            answer = monitor.ask("dump-guest-memory", paging=False, protocol="file:%s/%s.elf" % (out, tag))
            print("dump", tag, answer.get("error", "written"), flush=True)
            monitor.ask("cont")
        if "KLP-END" in text:
            time.sleep(1)
            break
        time.sleep(0.15)
    try:
        monitor.ask("quit")
    except (OSError, ValueError):
        pass


main()
