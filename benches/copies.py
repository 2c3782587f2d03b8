#!/usr/bin/env python3
"""Makes a dump with many tasks out of one with few: copies of one that sleeps are put behind the memory of an ELF dump
and linked into the list of all tasks, each with a stack and a PID of its own.

usage: copies.py VMLINUX DUMP OUT [COUNT [PID]]

The dump is QEMU's of a guest without KASLR. COUNT is 10,000; PID is of the task that is copied, 2 (kthreadd). What points
into a stack is moved with it. Needs gdb, which tells where members are.
"""
import struct
import subprocess
import sys

vmlinux, dump, out = sys.argv[1:4]
count = int(sys.argv[4]) if len(sys.argv) > 4 else 10_000
wanted = int(sys.argv[5]) if len(sys.argv) > 5 else 2
DIRECT = 0xFFFF888000000000
KERNEL = 0xFFFFFFFF80000000
STACK = 16384
FIRST_PID = 1 << 20
PHDR = struct.Struct("<IIQQQQQQ")


def ask():
    """Where members are, and the first task."""
    fields = ["tasks", "pid", "tgid", "stack", "thread.sp", "comm"]
    words = ["p &init_task", "p sizeof(struct task_struct)"]
    words += [f"p &((struct task_struct *)0)->{f}" for f in fields]
    args = ["gdb", "-batch", "-nx"] + [a for w in words for a in ("-ex", "p/x (long)(" + w[2:] + ")")]
    text = subprocess.run(args + [vmlinux], capture_output=True, text=True, check=True).stdout
    values = [int(line.split("= ")[1], 16) for line in text.splitlines() if "= 0x" in line]
    init, size, *offsets = values
    return init, size, dict(zip(fields, offsets))


init, size, at = ask()
data = bytearray(open(dump, "rb").read())
(phoff,) = struct.unpack_from("<Q", data, 32)
(phnum,) = struct.unpack_from("<H", data, 56)
headers = [list(PHDR.unpack_from(data, phoff + n * PHDR.size)) for n in range(phnum)]
loads = [h for h in headers if h[0] == 1]


def place(address):
    """The offset in the file of an address of the kernel's image or of the direct map."""
    physical = address - (KERNEL if address >= KERNEL else DIRECT)
    for _, _, offset, _, start, length, _, _ in loads:
        if start <= physical < start + length:
            return offset + physical - start
    sys.exit(f"copies.py: {address:#x} is not in the dump")


def word(address):
    return struct.unpack_from("<Q", data, place(address))[0]


def root():
    """The kernel's page table."""
    text = subprocess.run(["nm", vmlinux], capture_output=True, text=True, check=True).stdout
    return next(int(line.split()[0], 16) for line in text.splitlines() if line.endswith(" init_top_pgt"))


ROOT = root()


def map_gigabyte(address, physical):
    """Maps a gigabyte of the direct map; four levels."""
    upper = DIRECT + (word(ROOT + (address >> 39 & 511) * 8) & 0x000FFFFFFFFFF000)
    struct.pack_into("<Q", data, place(upper + (address >> 30 & 511) * 8), physical | 0x83)


def tables(address):
    """The physical address of `address` by the kernel's page tables, for stacks that are mapped elsewhere."""
    table = ROOT
    for shift in (39, 30, 21, 12):
        entry = word(table + (address >> shift & 511) * 8)
        if not entry & 1:
            sys.exit(f"copies.py: {address:#x} is not mapped")
        physical = entry & 0x000FFFFFFFFFF000
        if shift in (30, 21) and entry & 0x80:
            return (physical & -(1 << shift)) + (address & ((1 << shift) - 1))
        table = DIRECT + physical
    return physical + (address & 4095)


task = init
while struct.unpack_from("<i", data, place(task) + at["pid"])[0] != wanted:
    task = word(task + at["tasks"]) - at["tasks"]
    if task == init:
        sys.exit(f"copies.py: no task {wanted}")
old_stack, old_sp = word(task + at["stack"]), word(task + at["thread.sp"])
pages = range(old_stack, old_stack + STACK, 4096)
stack = b"".join(bytes(data[place(DIRECT + tables(p)):][:4096]) for p in pages)
words = struct.unpack(f"<{STACK // 8}Q", stack)
struct_bytes = bytes(data[place(task):place(task) + size])

new = max(h[4] + h[6] for h in loads) + (1 << 30) - 1 & -(1 << 30)
map_gigabyte(DIRECT + new, new)
step = STACK + (size + 4095 & -4096)
nodes = [DIRECT + new + n * step + STACK + at["tasks"] for n in range(count)]
head = init + at["tasks"]
last = word(head + 8)
more = bytearray()
for n, node in enumerate(nodes):
    copy = bytearray(struct_bytes)
    base = DIRECT + new + n * step
    struct.pack_into("<QQ", copy, at["tasks"], nodes[n + 1] if n + 1 < count else head, nodes[n - 1] if n else last)
    struct.pack_into("<Q", copy, at["stack"], base)
    struct.pack_into("<Q", copy, at["thread.sp"], base + old_sp - old_stack)
    struct.pack_into("<i", copy, at["pid"], FIRST_PID + n)
    struct.pack_into("<i", copy, at["tgid"], FIRST_PID + n)
    own = struct.pack(f"<{len(words)}Q", *(w + base - old_stack if old_stack <= w < old_stack + STACK else w for w in words))
    more += (own + bytes(copy)).ljust(step, b"\0")
struct.pack_into("<Q", data, place(last), nodes[0])
struct.pack_into("<Q", data, place(head) + 8, nodes[-1])
# The segment behind all others: its data and then the headers go to the end of the file.
headers.append([1, 7, len(data), 0, new, len(more), len(more), 0])
data += more
struct.pack_into("<Q", data, 32, len(data))
struct.pack_into("<H", data, 56, len(headers))
data += b"".join(PHDR.pack(*h) for h in headers)
open(out, "wb").write(data)
print(f"{out}: {count} copies of task {wanted}, stacks and tasks from physical {new:#x}")
