"""Correct x86_64 Linux backtraces: the function behind any PC, exception-table fixups included.

    >>> session = fixtrace.Session("vmlinux")
    >>> frame = session.attribute(0xffffffff81c01d27)
    >>> frame.function, frame.basis, frame.certainty
    ('copy_user_enhanced_fast_string', 'fixup', 'exact')

A Session is of one kernel; a Dump is a file with stacks; reports() and batch() read logs. All of them leave the interpreter
to other threads while they work. fixtrace.drgn unwinds from the memory of a drgn program, fixtrace.arrow makes tables.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
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


def batch(texts: Sequence[str | bytes], **options: Any) -> list[dict[str, Any]]:
    """A row for each report of the logs `texts`, log after log: dicts of fixtrace.row/1.

    `options` are those of Batch. Within a process the same options share one Batch, and the images that it opened.
    """
    return shared_batch(**options).rows(texts)


def shared_batch(**options: Any) -> Batch:
    """The Batch of this process that has `options`; made when it is first asked for."""
    return _shared(tuple(sorted((name, _fixed(value)) for name, value in options.items())))


@functools.lru_cache(maxsize=16)
def _shared(options: tuple[Any, ...]) -> Batch:
    return Batch(**{name: _loose(value) for name, value in options})


def _fixed(value: Any) -> tuple[Any, Any]:
    """`value` as something that can be compared: of the same content is the same."""
    if isinstance(value, dict):
        return (dict, tuple(sorted(value.items())))
    if isinstance(value, (list, tuple)):
        return (list, tuple(map(_fixed, value)))
    return (None, value)


def _loose(value: tuple[Any, Any]) -> Any:
    kind, content = value
    if kind is dict:
        return dict(content)
    if kind is list:
        return [_loose(each) for each in content]
    return content
