"""What the Python package says is what the program says.

    python tests/python/test_fixtrace.py

FIXTRACE names the program; it is run from the top of the tree.
"""

import gzip
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import unittest

import fixtrace

PROGRAM = os.environ.get("FIXTRACE", "target/release/fixtrace")
DEMO = "testdata/fixtures/demo-5.10.elf"
LOG = pathlib.Path("testdata/oops/5.10-copy-user.txt")
BYTES = pathlib.Path("testdata/examples/stack.bin").read_bytes()
REGS = {"rip": 0xFFFFFFFF81C01C8F, "rsp": 0xFFFFC90000167E78}


def said(*args):
    """What the program prints."""
    done = subprocess.run([PROGRAM, *map(str, args), "--no-index"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    # 2: logs of other kernels.
    assert done.returncode in (0, 2, 3) and done.stdout, args
    return done.stdout


def lines(*args):
    return [json.loads(line) for line in said(*args).splitlines()]


def read(address, length):
    start = address - 0xFFFFC90000167E40
    return BYTES[start : start + length] if start >= 0 else None


class Attribution(unittest.TestCase):
    def setUp(self):
        self.session = fixtrace.Session(DEMO)

    def test_a_fixup_names_the_function_that_faulted(self):
        frame = self.session.attribute(0xFFFFFFFF81C01D27)
        self.assertEqual(frame.function, "copy_user_enhanced_fast_string")
        self.assertEqual((frame.basis, frame.certainty), ("fixup", "exact"))
        self.assertEqual(frame.symbol, (".E_copy", 0x33, None))
        self.assertEqual(frame.fixup["origins"][0]["handler"], "ex_handler_copy")
        self.assertEqual((frame.image, frame.pc, frame.is_return), ("vmlinux", 0xFFFFFFFF81C01D27, False))

    def test_a_frame_is_the_json_of_the_program(self):
        for place in ("0xffffffff81c01d27", "0xffffffff81538e19", "0xffffffff81c01c8f"):
            [program] = lines("lookup", "--json", "--vmlinux", DEMO, place)
            program["query"] = None
            frame = self.session.attribute(int(place, 16))
            self.assertEqual(frame.to_dict(), program)
            self.assertEqual(json.loads(frame.to_json()), program)

    def test_a_shared_fixup_has_candidates_and_a_caller_decides(self):
        frame = self.session.attribute(0xFFFFFFFF81538E19)
        self.assertIsNone(frame.function)
        self.assertEqual(frame.certainty, "ambiguous")
        self.assertEqual(len(frame.candidates), 4)
        self.assertIn("__copy_user_nocache", frame.candidates)

    def test_many_come_in_the_order_asked(self):
        pcs = [0xFFFFFFFF81C01C00 + 7 * n % 0x200 for n in range(2000)]
        found = [str(frame) for frame in self.session.attribute_many(pcs)]
        self.assertEqual(found, [str(self.session.attribute(pc)) for pc in pcs])

    def test_text_is_found(self):
        [frame] = self.session.find("strncpy_from_user+0x10")
        self.assertEqual(frame.function, "strncpy_from_user")
        with self.assertRaises(fixtrace.Error) as raised:
            self.session.find("no_such_function+0x10")
        self.assertEqual(raised.exception.kind, "UnknownSymbol")


class Stacks(unittest.TestCase):
    def setUp(self):
        self.session = fixtrace.Session(DEMO)

    def test_a_stack_is_unwound_from_memory_of_ones_own(self):
        stack = self.session.unwind(REGS, read)
        # As the kernel printed it, from an NMI that the debugger injected.
        self.assertEqual(stack[0].function, "strncpy_from_user")
        self.assertEqual(stack.frames[1].function, "getname_flags.part.0")
        self.assertEqual(stack.stop, "user-mode")
        self.assertEqual(stack.functions[0]["why"], "fixup")
        self.assertEqual(len(stack), len(stack.frames))
        self.assertEqual(str(stack[-1]), str(stack.frames[-1]))
        with self.assertRaises(IndexError):
            stack[len(stack)]

    def test_what_read_raises_is_raised(self):
        class Mine(Exception):
            pass

        def broken(address, length):
            raise Mine(hex(address))

        with self.assertRaises(Mine):
            self.session.unwind(REGS, broken)
        with self.assertRaises(TypeError):
            self.session.unwind(REGS, lambda address, length: 7)
        with self.assertRaises(ValueError):
            self.session.unwind(REGS, lambda address, length: bytes(length + 1))

    def test_memory_that_is_not_there_ends_the_walk(self):
        for nothing in (lambda address, length: None, lambda address, length: b""):
            stack = self.session.unwind(REGS, nothing)
            self.assertEqual((len(stack), stack.stop), (1, "unreadable"))
            self.assertIs(stack.complete, False)

    def test_registers_are_checked(self):
        for regs in ({}, {"rip": 1}, {"rsp": 1}):
            with self.assertRaises(ValueError):
                self.session.unwind(regs, read)
        for value in (-1, 1 << 64, "1"):
            with self.assertRaises((TypeError, OverflowError)):
                self.session.unwind({**REGS, "rax": value}, read)
        # Others are none of a walk.
        self.session.unwind({**REGS, "fs_base": -1}, read)

    def test_a_task_of_a_snapshot_is_the_json_of_the_program(self):
        program = lines("unwind", "--json", "--vmlinux", DEMO, "testdata/demo.fxs")
        tasks = fixtrace.Dump("testdata/demo.fxs", DEMO).tasks()
        self.assertEqual([task.to_dict() for task in tasks], program)
        self.assertEqual(tasks[0].comm, program[0]["comm"])
        self.assertEqual(tasks[0].stack.reliable, program[0]["reliable"])
        session = fixtrace.Session(DEMO)
        self.assertEqual([t.pid for t in session.dump("testdata/demo.fxs").tasks()], [program[0]["pid"]])
        self.assertEqual(session.dump("testdata/demo.fxs").tasks(pids=[1]), [])

    def test_other_threads_run_while_a_walk_waits(self):
        turn = threading.Event()

        def slow(address, length):
            turn.wait(10)
            return read(address, length)

        walker = threading.Thread(target=lambda: self.session.unwind(REGS, slow))
        walker.start()
        # This thread asks the same session, and only then lets the other go on.
        frames = self.session.attribute_many([0xFFFFFFFF81C01D27] * 1000)
        self.assertEqual(frames[-1].basis, "fixup")
        turn.set()
        walker.join(10)
        self.assertFalse(walker.is_alive())


class Logs(unittest.TestCase):
    def test_a_log_is_annotated_as_the_program_does(self):
        text = LOG.read_text()
        session = fixtrace.Session(DEMO)
        told = session.annotate(text)
        self.assertEqual(told.encode(), said("symbolize", "--vmlinux", DEMO, LOG))
        self.assertEqual(session.annotate(text.encode()), told.encode())

    def test_reports_are_the_json_of_the_program(self):
        program = lines("symbolize", "--json", "--vmlinux", DEMO, LOG)
        name = str(LOG)
        self.assertEqual(fixtrace.Session(DEMO).reports(LOG.read_bytes(), name), program)
        [report] = fixtrace.reports(LOG.read_text())
        self.assertEqual(report["title"], program[0]["title"])
        self.assertIsNone(report["frames"][6]["function"])

    def test_a_log_of_another_kernel_is_refused(self):
        other = pathlib.Path("testdata/oops/6.12-null.txt").read_text()
        with self.assertRaises(fixtrace.Error) as raised:
            fixtrace.Session(DEMO).annotate(other)
        self.assertEqual(raised.exception.kind, "WrongImage")

    def test_bytes_that_are_no_text_stay_as_they_are(self):
        log = b"\xff\xfe BUG: x\n" + LOG.read_bytes() + b"\x00\xff"
        told = fixtrace.Session(DEMO).annotate(log)
        self.assertTrue(told.startswith(b"\xff\xfe BUG: x\n") and told.endswith(b"\x00\xff"))


class Many(unittest.TestCase):
    def setUp(self):
        paths = sorted(pathlib.Path("testdata/oops").glob("*.txt"))
        self.logs = [path.read_bytes() for path in paths]

    def test_rows_are_grouped_as_the_summary_of_the_program(self):
        with tempfile.TemporaryDirectory() as folder:
            for number, log in enumerate(self.logs):
                pathlib.Path(folder, f"{number:04}").write_bytes(log)
            summary = said("symbolize", "--summary", "--vmlinux", DEMO, folder).decode().splitlines()[1:]
        counts = {}
        for row in fixtrace.batch(self.logs, vmlinux=DEMO):
            functions = " < ".join(row["functions"]) or "-"
            counts[row["what"], functions, tuple(row["doubts"])] = counts.get((row["what"], functions, tuple(row["doubts"])), 0) + 1
        self.assertEqual(sum(counts.values()), sum(int(line.split()[0]) for line in summary))
        self.assertEqual(len(counts), len(summary))
        for (what, functions, _), count in counts.items():
            self.assertTrue(
                any(line.startswith(f"{count:5} ") and f" {what} " in line and f" {functions} " in line for line in summary),
                (what, functions, count),
            )

    def test_a_table_has_the_rows(self):
        import fixtrace.arrow

        names = [str(number) for number in range(len(self.logs))]
        table = fixtrace.arrow.table(self.logs, names, vmlinux=DEMO)
        self.assertEqual(table.schema, fixtrace.arrow.SCHEMA)
        table.validate(full=True)
        rows = table.to_pylist()
        for row in rows:
            self.assertEqual(row.pop("name"), names[row["log"]])
            row["schema"] = "fixtrace.row/1"
        self.assertEqual(rows, fixtrace.batch(self.logs, vmlinux=DEMO))
        self.assertEqual(fixtrace.arrow.table([], vmlinux=DEMO).num_rows, 0)
        self.assertEqual(fixtrace.arrow.table(["nothing"], vmlinux=DEMO).num_rows, 0)

    def test_a_row_agrees_with_the_report(self):
        for row in fixtrace.batch(self.logs, vmlinux=DEMO, verdicts=True):
            same = [r for r in fixtrace.reports(self.logs[row["log"]]) if r["lines"][0] == row["line"]]
            self.assertEqual(len(same), 1)
            for key in ("kind", "title", "release", "build_id", "pid", "comm", "cpu"):
                self.assertEqual(row[key], same[0][key], key)
            self.assertEqual([f["printed"] for f in row["frames"]], [f["printed"] for f in same[0]["frames"]])

    def test_the_same_options_share_their_images(self):
        one = fixtrace.shared_batch(vmlinux=DEMO, debug_dirs=[], limits={"line": "16K"})
        self.assertIs(one, fixtrace.shared_batch(limits={"line": "16K"}, debug_dirs=[], vmlinux=DEMO))
        self.assertIsNot(one, fixtrace.shared_batch(vmlinux=DEMO))


    def test_what_is_noticed_of_images_is_told_once(self):
        batch = fixtrace.Batch(DEMO)
        other = pathlib.Path("testdata/oops/6.12-null.txt").read_bytes()
        batch.rows([other, other])
        [noticed] = [line for line in batch.noticed() if "5.10.0-32" in line]
        self.assertIn("6.12", noticed)
        self.assertEqual(batch.noticed(), [])


class Hostile(unittest.TestCase):
    def test_what_is_wrong_is_said(self):
        for vmlinux in ("no-such-file", "testdata", "/dev/null", LOG):
            with self.assertRaises(fixtrace.Error) as raised:
                fixtrace.Session(vmlinux)
            self.assertIn(str(vmlinux), str(raised.exception))
            self.assertTrue(raised.exception.kind)
        with self.assertRaises(fixtrace.Error):
            fixtrace.Session()
        with self.assertRaises(fixtrace.Error):
            fixtrace.Dump(LOG, DEMO).tasks()

    def test_options_that_are_none_are_refused(self):
        for options in ({"no_such": 1}, {"slide": "x"}, {"limits": 1}, {"modules": 1}):
            with self.assertRaises(TypeError):
                fixtrace.Session(DEMO, **options)
        for options in ({"limits": {"no-such": 1}}, {"limits": {"line": "many"}}, {"build_id": "xyz"}, {"build_id": "é"}):
            with self.assertRaises(ValueError):
                fixtrace.Session(DEMO, **options)

    def test_packed_garbage_is_no_log(self):
        self.assertEqual(fixtrace.batch([gzip.compress(b"x" * 1000), b"", bytes(1000)]), [])


if __name__ == "__main__":
    unittest.main()
