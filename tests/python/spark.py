"""Logs of a fleet by the bug that they are of, with Spark: equal to what `fixtrace symbolize --summary` prints.

    python tests/python/spark.py FOLDER [WORKERS [VMLINUX]]

FOLDER has the logs, as testdata/fleet.py makes them; a table of them (Parquet) is made first, as fleets keep them. WORKERS
are processes of one core each (2 unless told), as a cluster has them (local-cluster mode). FIXTRACE names the program. Prints
how many logs a second each of both does.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import fixtrace
import fixtrace.arrow
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql.functions import count
from pyspark.sql.pandas.types import from_arrow_schema


# All of it is on this machine, whatever that is called.
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
os.environ.setdefault("SPARK_LOCAL_HOSTNAME", "localhost")
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)


def main(folder, workers=2, vmlinux=None):
    files = sorted(pathlib.Path(folder).rglob("*.txt"))
    spark = (
        SparkSession.builder.master(f"local-cluster[{workers},1,1024]")
        .appName("fleet")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.files.maxPartitionBytes", "16m")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "1000")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    options = {"vmlinux": vmlinux, "debug_dirs": []}

    # The recipe.
    def rows(batches):
        # A worker has one core.
        fixtrace.set_threads(1)
        for batch in batches:
            texts, names = batch.column("log").to_pylist(), batch.column("name").to_pylist()
            yield from fixtrace.arrow.table(texts, names, **options).to_batches()

    with tempfile.TemporaryDirectory() as made:
        table(files, f"{made}/logs.parquet")
        found = spark.read.parquet(made).mapInArrow(rows, from_arrow_schema(fixtrace.arrow.SCHEMA))
        groups = found.groupBy("what", "functions", "doubts").agg(count("*").alias("count"))

        # A first task starts the workers' Python: it is not counted.
        spark.range(workers).mapInArrow(lambda batches: batches, "id long").collect()
        begin = time.monotonic()
        made = {
            (row["what"], " < ".join(row["functions"]) or "-", ", ".join(row["doubts"])): row["count"]
            for row in groups.collect()
        }
        spark_seconds = time.monotonic() - begin
        spark.stop()

    program = [os.environ.get("FIXTRACE", "target/release/fixtrace"), "symbolize", "--summary", "-q", "--no-index"]
    program += ["--vmlinux", vmlinux] if vmlinux else ["--debug-dir", "/nonexistent"]
    begin = time.monotonic()
    said = subprocess.run([*program, folder], stdout=subprocess.PIPE, check=False).stdout.decode()
    seconds = time.monotonic() - begin
    lines = said.splitlines()[1:]
    in_all = len(lines)
    for (what, functions, doubts), number in made.items():
        doubtful = f"  doubtful: {doubts}" if doubts else ""
        row = re.compile(
            rf" *{number} +\d+  {re.escape(what)} +{re.escape(functions)} +\S+{re.escape(doubtful)}$"
        )
        same = [line for line in lines if row.fullmatch(line)]
        if len(same) != 1:
            sys.exit(f"not one line of --summary is {number} of {what}, {functions}{doubtful}: {same}")
        lines.remove(same[0])
    if lines or not made:
        sys.exit("only --summary has: " + "\n".join(lines))
    logs = len(files)
    print(f"{logs} logs, {sum(made.values())} reports in {in_all} groups, as --summary has them")
    print(f"Spark, {workers} worker{'s'[:workers > 1]}: {spark_seconds:.1f} s, {logs / spark_seconds:.0f} logs/s")
    print(f"program, {os.cpu_count()} processors: {seconds:.1f} s, {logs / seconds:.0f} logs/s")


def table(files, path):
    """Writes the logs in `files` as a table of names and texts."""
    schema = pa.schema([("name", pa.string()), ("log", pa.binary())])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for first in range(0, len(files), 1000):
            some = files[first : first + 1000]
            columns = [[str(file) for file in some], [file.read_bytes() for file in some]]
            writer.write_table(pa.table(columns, schema=schema))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]), *sys.argv[3:4])
