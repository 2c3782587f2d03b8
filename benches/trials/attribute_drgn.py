"""The function behind an address, by drgn; here a fixup that four functions share."""
import drgn

VMLINUX = "testdata/fixtures/demo-5.10.elf"
ADDRESS = 0xFFFFFFFF81538E19

prog = drgn.Program(drgn.host_platform)
module = prog.extra_module("vmlinux", create=True)
module.address_range = (0xFFFFFFFF81000000, 0xFFFFFFFF84000000)
module.try_file(VMLINUX)
for ask in prog.symbol, prog.source_location:
    try:
        print(ask(ADDRESS))
    except LookupError as e:
        print(e)
