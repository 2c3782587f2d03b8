"""Stacks from the memory of a drgn program: with origins of fixups, candidates, and the two verdicts.

    >>> import drgn.cli, fixtrace.drgn
    >>> print(fixtrace.drgn.stack_trace(prog, task))

drgn knows where the images are, gives the registers and reads memory, of a dump or of the running kernel; the walk, the
attribution and the verdicts are fixtrace's.
"""

from __future__ import annotations

from typing import Any, Callable

import drgn

from . import Session, Stack


def stack_trace(
    prog: drgn.Program, thread: Any, *, session: Session | None = None, registers: bool = False
) -> Stack:
    """The kernel stack of `thread`: whatever `prog.stack_trace()` takes, a `struct task_struct *`, a `struct pt_regs` or a
    thread id; or a drgn.Thread.

    `session`: the images, if not those of `session(prog)`. `registers`: each frame is to have its registers.
    """
    if isinstance(thread, drgn.Thread):
        thread = thread.object
    frames = prog.stack_trace(thread)
    if not len(frames):
        raise ValueError("drgn finds no registers of that thread")
    first = frames[0]
    return (session or session_of(prog)).unwind(
        first.registers(),
        reader(prog),
        is_return=not first.interrupted,
        registers=registers,
        # Modules that no file is at hand of, BPF.
        unlisted=True,
        **_bounds(prog, thread),
    )


def session_of(prog: drgn.Program, **options: Any) -> Session:
    """The images of `prog`'s kernel where they are in its memory: those that drgn has, and modules that are found.

    It is made once for a program, unless `options` are given, which are those of fixtrace.Session.
    """
    if options:
        return _opened(prog, options)
    known: Session | None = prog.cache.get("fixtrace.session")
    if known is None:
        known = prog.cache["fixtrace.session"] = _opened(prog, options)
    return known


def reader(prog: drgn.Program) -> Callable[[int, int], bytes | None]:
    """`prog`'s memory as Session.unwind reads it: None where drgn finds none."""

    def read(address: int, length: int) -> bytes | None:
        try:
            found: bytes = prog.read(address, length)
        except drgn.FaultError:
            return None
        return found

    return read


def _opened(prog: drgn.Program, options: dict[str, Any]) -> Session:
    main = prog.main_module()
    release = prog["UTS_RELEASE"].string_().decode()
    file, bias = main.debug_file_path, main.debug_file_bias
    if file is None:
        file, bias = main.loaded_file_path, main.loaded_file_bias
    if file is not None:
        options = {"vmlinux": file, **options}
    options = {"release": release, "slide": bias, **options}
    modules = list(options.pop("modules", []))
    # Where modules are that drgn has no file of.
    finder = None
    for module in prog.modules():
        text = getattr(module, "section_addresses", {}).get(".text")
        if not isinstance(module, drgn.RelocatableModule) or text is None:
            continue
        path = module.debug_file_path or module.loaded_file_path
        if path is None:
            finder = finder or Session(**options)
            found = finder.find_module(module.name)
            path = found and found["path"]
        if path is not None:
            modules.append((path, text))
    return Session(**options, modules=modules)


def _bounds(prog: drgn.Program, thread: Any) -> dict[str, Any]:
    """Where the stack of a task is, which sleeps: one that runs may be on others."""
    if isinstance(thread, int):
        from drgn.helpers.linux.pid import find_task

        thread = find_task(prog, thread)
    try:
        if thread.type_.kind != drgn.TypeKind.POINTER or thread.type_.type.tag != "task_struct":
            return {}
        if thread.member_("on_cpu"):
            return {"running": True}
        low = thread.member_("stack").value_()
        return {"stack": (low, low + prog.type("union thread_union").size)}
    # A kernel for one CPU, a dump without that page, or a type of another name.
    except (AttributeError, LookupError, drgn.FaultError):
        return {}
