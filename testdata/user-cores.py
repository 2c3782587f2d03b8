"""Writes what gdb says of every thread of a core file to the file `out`; run by user-cores.sh inside gdb.

Tab-separated: thread id, level, kind (normal, inline, signal, or why gdb went no further), PC, stack pointer, function as the
linker knows it, file, line.
`?` is what gdb does not know.
"""

import gdb

KINDS = {gdb.NORMAL_FRAME: "normal", gdb.INLINE_FRAME: "inline", gdb.SIGTRAMP_FRAME: "signal", gdb.TAILCALL_FRAME: "tail-call"}

gdb.execute("set backtrace past-main on")
gdb.execute("set backtrace past-entry on")
gdb.execute("set backtrace limit 4096")
with open(out, "w") as table:  # noqa: F821
    for thread in sorted(gdb.selected_inferior().threads(), key=lambda t: t.ptid[1]):
        thread.switch()
        frame, level = gdb.newest_frame(), 0
        while frame is not None:
            place, function = frame.find_sal(), frame.function()
            row = [
                str(thread.ptid[1]),
                str(level),
                KINDS.get(frame.type(), "other"),
                f"{frame.pc():#x}",
                f"{int(frame.read_register('rsp')) & (1 << 64) - 1:#x}",
                (function.linkage_name if function else frame.name()) or "?",
                place.symtab.filename if place.symtab else "?",
                str(place.line) if place.symtab and place.line else "?",
            ]
            table.write("\t".join(row) + "\n")
            last, frame, level = frame, frame.older(), level + 1
        reason = gdb.frame_stop_reason_string(last.unwind_stop_reason())
        table.write(f"{thread.ptid[1]}\t{level}\t# {reason}\n")
