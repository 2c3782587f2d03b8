"""The stack of a CPU, out of bytes of one's own, by drgn."""
import drgn

VMLINUX = "testdata/fixtures/demo-5.10.elf"
BYTES = open("testdata/examples/stack.bin", "rb").read()

prog = drgn.Program(drgn.host_platform)
module = prog.extra_module("vmlinux", create=True)
module.address_range = (0xFFFFFFFF81000000, 0xFFFFFFFF84000000)
module.try_file(VMLINUX)
read = lambda at, count, offset, physical: BYTES[offset : offset + count]
prog.add_memory_segment(0xFFFFC90000167E40, len(BYTES), read)
regs = drgn.Object(prog, "struct pt_regs", {"ip": 0xFFFFFFFF81C01C8F, "sp": 0xFFFFC90000167E78})
print(prog.stack_trace(regs))
