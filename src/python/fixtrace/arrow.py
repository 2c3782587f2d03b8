"""Reports of many logs as Arrow tables (pyarrow): for Spark's mapInArrow, Dask, Ray, Parquet.

The schema is stable: columns are only ever added. It is fixtrace.row/1, without the name of the form, which stands in the
metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from . import shared_batch

_TEXTS = pa.list_(pa.field("item", pa.string(), nullable=False))

_FRAME = pa.struct(
    [
        pa.field("printed", pa.string(), nullable=False),
        pa.field("guess", pa.bool_(), nullable=False),
        pa.field("function", pa.string()),
        pa.field("candidates", _TEXTS, nullable=False),
        pa.field("image", pa.string()),
        pa.field("basis", pa.string(), nullable=False),
        pa.field("certainty", pa.string(), nullable=False),
    ]
)

SCHEMA = pa.schema(
    [
        pa.field("name", pa.string()),
        pa.field("log", pa.int64(), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("culprit", pa.string()),
        pa.field("signature", _TEXTS, nullable=False),
        pa.field("what", pa.string(), nullable=False),
        pa.field("functions", _TEXTS, nullable=False),
        pa.field("doubts", _TEXTS, nullable=False),
        pa.field("release", pa.string()),
        pa.field("build_id", pa.string()),
        pa.field("pid", pa.int64()),
        pa.field("comm", pa.string()),
        pa.field("cpu", pa.int64()),
        pa.field("reliable", pa.bool_()),
        pa.field("complete", pa.bool_()),
        pa.field("frames", pa.list_(pa.field("item", _FRAME, nullable=False)), nullable=False),
    ],
    metadata={"fixtrace.schema": "fixtrace.row/1"},
)


def table(texts: Iterable[str | bytes], names: Sequence[str] | None = None, **options: Any) -> pa.Table:
    """A table of SCHEMA with a row for each report of the logs `texts`, log after log.

    `names`: what each log is called, for the column `name`. `options` are those of fixtrace.Batch; within a process the same
    options share one Batch, and the images that it opened.
    """
    columns = shared_batch(**options)._columns(list(texts))
    columns["name"] = [None if names is None else names[log] for log in columns["log"]]
    return pa.Table.from_arrays([_array(columns, f.name, f.type) for f in SCHEMA], schema=SCHEMA)


def _array(columns: dict[str, Any], name: str, type: pa.DataType) -> pa.Array:
    if not pa.types.is_list(type):
        return pa.array(columns[name], type)
    items = type.value_type
    if pa.types.is_struct(items):
        fields = [items.field(at) for at in range(items.num_fields)]
        parts = [_array(columns, f"{name}.{f.name}", f.type) for f in fields]
        values = pa.StructArray.from_arrays(parts, fields=fields)
    else:
        values = pa.array(columns[f"{name}[]"], items)
    return pa.ListArray.from_arrays(pa.array(columns[name], pa.int32()), values, type=type)
