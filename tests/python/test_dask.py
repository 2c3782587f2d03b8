"""With Dask: a bag of logs, read by processes, has the rows of one process.

    python tests/python/test_dask.py
"""

import pathlib
import unittest

import dask.bag
import fixtrace

DEMO = "testdata/fixtures/demo-5.10.elf"


class Dask(unittest.TestCase):
    def test_partitions_have_the_rows_of_their_logs(self):
        logs = [path.read_bytes() for path in sorted(pathlib.Path("testdata/oops").glob("*.txt"))]
        bag = dask.bag.from_sequence(logs, npartitions=4).map_partitions(fixtrace.batch, vmlinux=DEMO)
        found = bag.compute(scheduler="processes", num_workers=2)
        expected = fixtrace.batch(logs, vmlinux=DEMO)
        # The number of a log is that in its partition.
        self.assertEqual([{**row, "log": 0} for row in found], [{**row, "log": 0} for row in expected])


if __name__ == "__main__":
    unittest.main()
