#!/usr/bin/env python3
"""Cuts console logs of guests down to their reports.

usage: testdata/oops/trim.py LOGS OUT

LOGS/VERSION/NAME.txt becomes OUT/VERSION-NAME.txt: the kernel's banner, and all from where the guest began its case.
What the guest printed about its own sections is left out, and of more reports of one kind the first ones are kept.
"""
import glob
import os
import re
import sys

# Bytes of a log that are kept.
ROOM = 16000
# Written by the guest's own programs for other purposes.
OTHER = re.compile(r"^(SECT|REL|REL-E|qemu_fw_cfg|lab) ")
NAMES = """
5.10-cold 5.10-div 5.10-gp 5.10-hardlockup 5.10-irqwork 5.10-kp-modfix 5.10-overflow 5.10-poe-hrtimer 5.10-pow
5.10-softlockup-panic 5.10-sysrq-t 5.10-work
6.1-atomic 6.1-bug 6.1-fix-max 6.1-gp 6.1-hrtimer 6.1-hung 6.1-init-cold 6.1-noncanon-lab 6.1-softlockup 6.1-sysrq-l 6.1-ud 6.1-warn
6.12-atomic 6.12-hrtimer 6.12-ipi 6.12-null 6.12-null-la57 6.12-overflow 6.12-panic 6.12-rcustall 6.12-sysrq-w 6.12-work
7.2-atomic 7.2-cold 7.2-hung 7.2-kthread 7.2-null 7.2-softlockup 7.2-sysrq-c 7.2-sysrq-t 7.2-tasks-fgraph-kaslr 7.2-timerwarn
""".split()


def main():
    logs, out = sys.argv[1:3]
    for path in sorted(glob.glob(os.path.join(logs, "*", "*.txt"))):
        version, name = path.split(os.sep)[-2:]
        if "%s-%s" % (version, name[:-4]) not in NAMES:
            continue
        with open(path, "rb") as f:
            text = f.read()
        banner = re.search(rb"^.*Linux version .*\n", text, re.M)
        begin = text.find(b"LAB-BEGIN")
        kept = [l for l in text[max(begin, 0):].splitlines(True) if not OTHER.match(l.decode("utf-8", "replace"))]
        body = b""
        for line in kept:
            if len(body) + len(line) > ROOM and (line.startswith(b"LAB") or b" task:" in line or b"cut here" in line):
                break
            body += line
        # The kernel says at the very end where it was.
        offset = re.search(rb"^.*Kernel Offset: .*\n", text, re.M)
        if offset and offset[0] not in body:
            body += offset[0]
        with open(os.path.join(out, "%s-%s" % (version, name)), "wb") as f:
            f.write((banner[0] if banner else b"") + body)


main()
