"""A log with the source lines of its calls, by drgn."""
import re

import drgn

VMLINUX = "testdata/fixtures/demo-5.10.elf"

prog = drgn.Program(drgn.host_platform)
module = prog.extra_module("vmlinux", create=True)
module.address_range = (0xFFFFFFFF81000000, 0xFFFFFFFF84000000)
module.try_file(VMLINUX)
for line in open("testdata/oops/5.10-copy-user.txt"):
    print(line, end="")
    call = re.search(r"([\w.]+)\+0x([0-9a-f]+)/0x", line)
    if call:
        # A return address is behind its call.
        offset = int(call[2], 16) - ("RIP:" not in line)
        try:
            print(prog.source_location(f"{call[1]}+{offset}"))
        except LookupError:
            pass
