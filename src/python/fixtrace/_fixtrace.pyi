"""The compiled part of fixtrace."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, TypedDict, TypeVar, Union, final, type_check_only

from typing_extensions import Unpack

__all__ = [
    "__version__",
    "Error",
    "Session",
    "Frame",
    "Stack",
    "Dump",
    "Task",
    "Batch",
    "reports",
    "set_threads",
]

__version__: str

_Path = Union[str, PathLike[str]]
_Text = TypeVar("_Text", str, bytes)

# Of no class at run time: keyword arguments.
@type_check_only
class Options(TypedDict, total=False):
    """What is to be opened, and where it may be looked for. Nothing else decides: no environment is read."""

    symbols: _Path | None
    modules: Sequence[_Path | tuple[_Path, int | None]]
    modules_dirs: Sequence[_Path]
    debug_dirs: Sequence[_Path]
    debuginfod_cache: _Path | None
    sysroot: _Path | None
    index: _Path | None
    index_size: int
    write_indexes: bool
    slide: int | None
    release: str | None
    build_id: str | None
    force: bool
    lines: bool
    details: bool
    limits: Mapping[str, int | str]

class Error(Exception):
    """What went wrong, with the file and the place in it."""

    kind: str

@final
class Frame:
    """Where something was running, and which function that is."""

    @property
    def pc(self) -> int | None: ...
    @property
    def is_return(self) -> bool: ...
    @property
    def address(self) -> int | None: ...
    @property
    def image(self) -> str | None: ...
    @property
    def function(self) -> str | None: ...
    @property
    def parent(self) -> str | None: ...
    @property
    def candidates(self) -> list[str]: ...
    @property
    def certainty(self) -> str: ...
    @property
    def basis(self) -> str: ...
    @property
    def trust(self) -> str: ...
    @property
    def symbol(self) -> tuple[str, int, int | None] | None: ...
    @property
    def fixup(self) -> dict[str, Any] | None: ...
    @property
    def inlines(self) -> list[dict[str, Any]]: ...
    @property
    def notes(self) -> list[str]: ...
    @property
    def cfa(self) -> int | None: ...
    @property
    def registers(self) -> dict[str, int] | None: ...
    def to_dict(self) -> dict[str, Any]: ...
    def to_json(self) -> str: ...

@final
class Stack:
    """Frames, innermost first, why there are no more, and what is held of them."""

    @property
    def frames(self) -> list[Frame]: ...
    @property
    def stop(self) -> str: ...
    @property
    def stop_detail(self) -> str: ...
    @property
    def reliable(self) -> bool | None: ...
    @property
    def complete(self) -> bool: ...
    @property
    def why(self) -> str | None: ...
    @property
    def functions(self) -> list[dict[str, Any]]: ...
    def to_dict(self) -> dict[str, Any]: ...
    def to_json(self) -> str: ...
    def __len__(self) -> int: ...
    def __getitem__(self, number: int, /) -> Frame: ...

@final
class Session:
    """Images of one kernel, opened when they are needed. One session serves many threads."""

    def __new__(cls, vmlinux: _Path | None = None, **named: Unpack[Options]) -> Session: ...
    def attribute(self, pc: int, *, is_return: bool = False, caller: int | None = None) -> Frame: ...
    def attribute_many(self, pcs: Sequence[int], *, is_return: bool = False) -> list[Frame]: ...
    def find(self, text: str) -> list[Frame]: ...
    def unwind(
        self,
        regs: Mapping[str, int],
        read: Callable[[int, int], bytes | None],
        *,
        is_return: bool = False,
        stack: tuple[int, int] | None = None,
        running: bool = False,
        unlisted: bool = False,
        max_frames: int | None = None,
        registers: bool = False,
    ) -> Stack: ...
    def annotate(
        self, log: _Text, *, code: bool = False, verdicts: bool = False, strip_prefixes: Sequence[str] = ...
    ) -> _Text: ...
    def reports(self, log: str | bytes, name: str | None = None) -> list[dict[str, Any]]: ...
    def dump(self, path: _Path, parts: Sequence[_Path] = ...) -> Dump: ...
    def find_module(self, name: str) -> dict[str, Any] | None: ...
    @property
    def images(self) -> list[dict[str, Any]]: ...
    @property
    def release(self) -> str | None: ...
    def noticed(self) -> list[str]: ...

@final
class Dump:
    """A file with stacks: a dump of a kernel, a snapshot of one, or the core of a process."""

    def __new__(
        cls, path: _Path, vmlinux: _Path | None = None, *, parts: Sequence[_Path] = ..., **named: Unpack[Options]
    ) -> Dump: ...
    def tasks(
        self,
        *,
        pids: Sequence[int] = ...,
        cpus: Sequence[int] = ...,
        comms: Sequence[str] = ...,
        running: bool = False,
        sleeping: bool = False,
        crashed: bool = False,
        user: bool = False,
    ) -> list[Task]: ...
    def noticed(self) -> list[str]: ...

@final
class Task:
    """A task, or a thread of a process, with its stack."""

    @property
    def pid(self) -> int | None: ...
    @property
    def tgid(self) -> int | None: ...
    @property
    def cpu(self) -> int | None: ...
    @property
    def comm(self) -> str | None: ...
    @property
    def state(self) -> str | None: ...
    @property
    def running(self) -> bool | None: ...
    @property
    def crashed(self) -> bool | None: ...
    @property
    def stack(self) -> Stack: ...
    def to_dict(self) -> dict[str, Any]: ...
    def to_json(self) -> str: ...

@final
class Batch:
    """Makes rows of logs; images are opened once, by what the logs say unless they are named as for a Session."""

    def __new__(cls, vmlinux: _Path | None = None, *, verdicts: bool = False, **named: Unpack[Options]) -> Batch: ...
    def rows(self, texts: Sequence[str | bytes]) -> list[dict[str, Any]]: ...
    def _columns(self, texts: Sequence[str | bytes]) -> dict[str, list[Any]]: ...

def reports(log: str | bytes, name: str | None = None) -> list[dict[str, Any]]: ...
def set_threads(threads: int) -> None: ...
