"""With real kernels, and with drgn: stacks from a program's memory are those of the dump, frame by frame, with both verdicts.

    python tests/python/test_kernels.py

Reads the recorded dumps of testdata/dumps, with the kernels of testdata/fetch-kernels.sh, which must be there.
"""

import glob
import lzma
import os
import pathlib
import tempfile
import unittest

import drgn
import fixtrace
import fixtrace.drgn
from drgn.helpers.linux.pid import find_task, for_each_task

CACHE = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
KERNELS = os.environ.get("FIXTRACE_KERNELS", f"{CACHE}/fixtrace-test/kernels")


def program(version, folder):
    """The recorded dump of `version` in drgn, its file, and its vmlinux."""
    dump = os.path.join(folder, version)
    with lzma.open(f"testdata/dumps/{version}-misc.elf.xz") as packed:
        pathlib.Path(dump).write_bytes(packed.read())
    [vmlinux] = glob.glob(f"{KERNELS}/{version}/debug/boot/vmlinux-*")
    prog = drgn.Program()
    prog.set_core_dump(dump)
    try:
        prog.load_debug_info([vmlinux])
    except drgn.MissingDebugInfoError:
        # Of modules.
        pass
    return prog, dump, vmlinux


class Index(unittest.TestCase):
    def test_an_image_is_opened_by_its_index(self):
        [vmlinux] = glob.glob(f"{KERNELS}/6.12/debug/boot/vmlinux-*")
        with tempfile.TemporaryDirectory() as folder:
            options = {"index": folder, "write_indexes": True, "details": True, "debug_dirs": []}
            first, second = fixtrace.Session(vmlinux, **options), fixtrace.Session(vmlinux, **options)
            self.assertTrue(os.listdir(folder))
            self.assertFalse([line for line in first.noticed() if "from its index" in line])
            self.assertTrue([line for line in second.noticed() if "from its index" in line])
            [one], [other] = first.find("vfs_read+0x10"), second.find("vfs_read+0x10")
            self.assertEqual(one.to_dict(), other.to_dict())
            self.assertTrue(one.inlines[-1]["line"])


class Drgn(unittest.TestCase):
    def check(self, version):
        with tempfile.TemporaryDirectory() as folder:
            prog, dump, vmlinux = program(version, folder)
            own = {task.pid: task for task in fixtrace.Dump(dump, vmlinux, debug_dirs=[]).tasks()}
            session = fixtrace.drgn.session_of(prog, debug_dirs=[])
            same, without = 0, []
            for task in for_each_task(prog):
                pid = task.pid.value_()
                stack, ours = fixtrace.drgn.stack_trace(prog, task, session=session), own[pid].stack
                if any(frame.image not in (None, "vmlinux") for frame in ours) or "modules" in stack.stop_detail:
                    # The dump's reader makes images of modules in memory that no file is of; drgn's program has none.
                    without.append(pid)
                    self.assertEqual(stack[0].pc, ours[0].pc)
                    continue
                self.assertEqual([(f.pc, f.function) for f in stack], [(f.pc, f.function) for f in ours], pid)
                self.assertEqual((stack.reliable, stack.complete), (ours.reliable, ours.complete), pid)
                same += 1
            self.assertGreater(same, 50)
            self.assertLess(len(without), 5, without)
            # By thread id, and with images that are opened once for the program.
            one = fixtrace.drgn.stack_trace(prog, 1)
            self.assertEqual(str(one), str(own[1].stack))
            self.assertIs(fixtrace.drgn.session_of(prog), fixtrace.drgn.session_of(prog))
            self.assertEqual(str(fixtrace.drgn.stack_trace(prog, find_task(prog, 1))), str(one))

    def test_a_cpu_in_a_fixup(self):
        [vmlinux] = glob.glob(f"{KERNELS}/5.10/debug/boot/vmlinux-*")
        stack = pathlib.Path("testdata/examples/stack.bin").read_bytes()
        prog = drgn.Program(drgn.host_platform)
        module = prog.extra_module("vmlinux", create=True)
        module.address_range = (0xFFFFFFFF81000000, 0xFFFFFFFF84000000)
        module.try_file(vmlinux)
        read = lambda address, count, offset, physical: stack[offset : offset + count]
        prog.add_memory_segment(0xFFFFC90000167E40, len(stack), read)
        regs = drgn.Object(prog, "struct pt_regs", {"ip": 0xFFFFFFFF81C01C8F, "sp": 0xFFFFC90000167E78, "cs": 0x10})
        session = fixtrace.Session(vmlinux, debug_dirs=[])
        found = fixtrace.drgn.stack_trace(prog, regs, session=session)
        # drgn's own: __static_call_text_end+0x4ca.
        self.assertEqual(found[0].symbol[:2], ("__static_call_text_end", 0x4CA))
        self.assertEqual((found[0].function, found[0].basis), ("strncpy_from_user", "fixup"))
        self.assertEqual([o["function"] for o in found[0].fixup["origins"]], ["strncpy_from_user"])
        self.assertEqual([found[1].function, found[2].function], ["getname_flags.part.0", "do_sys_openat2"])
        self.assertIn("fixup", [live["why"] for live in found.functions])

    def test_5_10(self):
        self.check("5.10")

    def test_6_12(self):
        self.check("6.12")

    def test_7_2(self):
        self.check("7.2")


if __name__ == "__main__":
    unittest.main()
