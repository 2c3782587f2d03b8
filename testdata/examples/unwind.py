"""The stack of a CPU, out of bytes of one's own."""
import fixtrace

BYTES = open("testdata/examples/stack.bin", "rb").read()


def read(address, length):
    start = address - 0xFFFFC90000167E40
    return BYTES[start : start + length] if start >= 0 else None


session = fixtrace.Session("testdata/fixtures/demo-5.10.elf")
print(session.unwind({"rip": 0xFFFFFFFF81C01C8F, "rsp": 0xFFFFC90000167E78}, read))
