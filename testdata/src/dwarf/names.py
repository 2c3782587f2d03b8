#!/usr/bin/env python3
"""Writes the assembler source of functions whose mangled names of Rust no demangler may follow to the end."""


def back_reference(at):
    """To what begins at offset `at` behind "_R"."""
    if at == 0:
        return "B_"
    n, out = at - 1, ""
    digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    while True:
        n, out = n // 62, digits[n % 62] + out
        if n == 0:
            return "B%s_" % out


def growing(levels):
    """A tuple of two of the tuple before, and so on: 2^levels elements in the end."""
    name = "INvC1a4grow"
    start, name = len(name), name + "TmmE"
    for _ in range(levels):
        twice = 2 * back_reference(start)
        start, name = len(name), name + "T%sE" % twice
    return "_R" + name + "E"


NAMES = [
    "_RNvC4mini5plain",
    "_RINvC1a4deep" + 2100 * "R" + "mE",
    growing(40),
    # the length of an identifier goes beyond the end
    "_RNvC4mini99short",
    # legacy, with a hash
    "_ZN4mini5plain17h0123456789abcdefE",
]

for name in NAMES:
    print("\t.globl\t{0}\n\t.type\t{0}, @function\n{0}:\n\tnop\n\tret\n\t.size\t{0}, . - {0}".format(name))
