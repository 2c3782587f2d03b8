"""Correct x86_64 Linux backtraces: the function behind any PC, exception-table fixups included.

    >>> session = fixtrace.Session("vmlinux")
    >>> frame = session.attribute(0xffffffff81c01d27)
    >>> frame.function, frame.basis, frame.certainty
    ('copy_user_enhanced_fast_string', 'fixup', 'exact')

A Session is of one kernel; a Dump is a file with stacks; reports() and batch() read logs. All of them leave the interpreter
to other threads while they work. fixtrace.drgn unwinds from the memory of a drgn program, fixtrace.arrow makes tables.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from ._fixtrace import (
    Batch,
    Dump,
    Error,
    Frame,
    Session,
    Stack,
    Task,
    __version__,
    reports,
    set_threads,
)

__all__ = [
    "Batch",
    "Dump",
    "Error",
    "Frame",
    "Session",
    "Stack",
    "Task",
    "__version__",
    "batch",
    "reports",
    "set_threads",
]


def batch(texts: Iterable[str | bytes], **options: Any) -> list[dict[str, Any]]:
    """A row for each report of the logs `texts`, log after log: dicts of fixtrace.row/1.

    `options` are those of Batch. Within a process the same options share one Batch, and the images that it opened.
    """
    return shared_batch(**options).rows(list(texts))


def shared_batch(**options: Any) -> Batch:
    """The Batch of this process that has `options`; made when it is first asked for."""
    key = _fixed(options)
    with _lock:
        batch = _shared.get(key)
        if batch is None:
            batch = _shared[key] = Batch(**options)
    return batch


_shared: dict[Any, Batch] = {}
_lock = threading.Lock()


def _fixed(value: Any) -> Any:
    """`value` as a key: of the same content is the same."""
    if isinstance(value, dict):
        return tuple(sorted((name, _fixed(each)) for name, each in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(map(_fixed, value))
    return value
