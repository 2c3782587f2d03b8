#!/usr/bin/env python3
"""The import graph of the sources: files, imports, circles; public items; lines.

usage: testdata/house.py [-v] [SRC]

SRC is `src` unless told. Every path in a file, in `use` and elsewhere, is followed to the file that defines what it
names, through `pub use`; that is an import of that file. `mod x;` and `pub use x::Y;` alone are none. Tests are left out.
Ends with 1 when files import each other in a circle, or when a lower floor imports a higher one.
-v prints every import between files of different folders.

Public items are lines that begin with `pub` and then fn, struct, enum, union, trait, const, static or type, without the
program's (cli/): methods count, fields, modules and re-exports do not.
"""

import os
import re
import sys

FLOORS = ["base", "formats", "world", "engine", "products", "capi"]
ITEM = r"(?:async |const |unsafe |extern \"C\" )*(?:fn|struct|enum|union|trait|const|static|type|mod)"
PUBLIC = re.compile(r"^\s*pub (?:const |unsafe )*(?:fn|struct|enum|union|trait|const|static|type)\b", re.M)


def without_comments(text):
    text = re.sub(r'r#"(?:.|\n)*?"#|"(?:\\.|[^"\\])*"', '""', text)
    return re.sub(r"//[^\n]*", "", text)


def without_tests(text):
    """Up to an inline module of tests, which stands last."""
    return re.split(r"#\[cfg\(test\)\]\n(?:pub )?mod \w+ \{", text)[0]


def use_trees(text):
    """(public, path, name it gets) of every `use`; `*` is a name."""
    for visible, tree in re.findall(r"^\s*(pub(?:\([^)]*\))? )?use ([^;]+);", text, re.M):
        for path, name in expand(re.sub(r"\s+", " ", tree).strip(), []):
            yield bool(visible), path, name


def expand(tree, before):
    head, brace, rest = tree.partition("{")
    if not brace:
        path, _, alias = tree.partition(" as ")
        path = before + path.strip().split("::")
        if path[-1] == "self":
            path.pop()
        yield path, alias.strip() or path[-1]
        return
    before = before + [p for p in head.strip().split("::") if p]
    depth, part = 0, ""
    for c in rest.rstrip()[:-1] + ",":
        if c == "," and depth == 0:
            if part.strip():
                yield from expand(part.strip(), before)
            part = ""
            continue
        depth += (c == "{") - (c == "}")
        part += c


class File:
    def __init__(self, top, path, module):
        self.path, self.module = os.path.relpath(path, top), module
        with open(path) as f:
            whole = f.read()
        self.text = text = without_tests(without_comments(whole))
        self.tests = set(re.findall(r"#\[cfg\(test\)\]\s*(?:pub(?:\([^)]*\))? )?mod (\w+);", text))
        self.children = set(re.findall(r"^\s*(?:pub(?:\([^)]*\))? )?mod (\w+);", text, re.M)) - self.tests
        self.items = set(re.findall(r"^(?:pub(?:\([^)]*\))? )?%s (\w+)" % ITEM, text, re.M))
        self.uses = list(use_trees(text))
        self.body = re.sub(r"^\s*(pub(?:\([^)]*\))? )?use [^;]+;", "", text, flags=re.M)


def read(top, root, module=(), found=None):
    """All files below the module whose file is `root`, but those of tests."""
    found = {} if found is None else found
    file = found[module] = File(top, root, module)
    folder = os.path.dirname(root)
    if os.path.basename(root) not in ("mod.rs", "lib.rs", "main.rs"):
        folder = root[:-3]
    for child in sorted(file.children):
        for path in (os.path.join(folder, child + ".rs"), os.path.join(folder, child, "mod.rs")):
            if os.path.exists(path):
                read(top, path, module + (child,), found)
    return found


def absolute(files, module, path):
    """`path` as written in `module`, from the root; None if it begins elsewhere."""
    if path[0] == "crate":
        return path[1:]
    at = module
    if path[0] in ("self", "super"):
        for i, part in enumerate(path):
            if part == "super":
                at = at[:-1]
            elif part != "self":
                return list(at) + path[i:]
        return list(at)
    if module + (path[0],) in files:
        return list(module) + path
    return None


def target(files, path, depth=0):
    """The module that defines what `path`, from the root, names."""
    at = ()
    for i, name in enumerate(path):
        if at + (name,) in files:
            at += (name,)
            continue
        if depth > 20:
            return at
        file = files[at]
        for public, use, given in file.uses:
            if given == name and name not in file.items:
                onward = absolute(files, at, use)
                # A crate's name, or a private import: what is named is defined elsewhere, all the same.
                return at if onward is None else target(files, onward + list(path[i + 1 :]), depth + 1)
        for public, use, given in file.uses:
            if public and given == "*" and name not in file.items:
                onward = absolute(files, at, use[:-1])
                if onward is not None:
                    there = target(files, onward, depth + 1)
                    if name in files[there].items or there + (name,) in files:
                        return target(files, list(there) + list(path[i:]), depth + 1)
        return at
    return at


def imports(files):
    """The modules that each module imports."""
    edges = {}
    for module, file in files.items():
        paths = []
        for public, use, given in file.uses:
            # A re-export that the file itself does not need passes on, and needs nothing.
            if public and not re.search(r"\b%s\b" % re.escape(given), file.body):
                continue
            paths.append(use[:-1] if given == "*" else use)
        for path in re.findall(r"(?<![\w:])((?:crate|super|self)(?:::\w+)+)", file.body):
            paths.append(path.split("::"))
        for child, rest in re.findall(r"(?<![\w:.])(\w+)((?:::\w+)+)", file.body):
            if child in file.children:
                paths.append([child] + rest.split("::")[1:])
        found = edges[module] = set()
        for path in paths:
            path = absolute(files, module, path)
            if path is not None:
                found.add(target(files, path))
        found.discard(module)
        found.discard(())
    return edges


def circles(edges):
    """Strongly connected components of more than one module (Tarjan)."""
    index, low, stack, on, found = {}, {}, [], set(), []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        on.add(v)
        for w in sorted(edges[v]):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in on:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            part = []
            while True:
                w = stack.pop()
                on.discard(w)
                part.append(w)
                if w == v:
                    break
            if len(part) > 1:
                found.append(sorted(part))

    for v in sorted(edges):
        if v not in index:
            visit(v)
    return found


def main():
    words = [w for w in sys.argv[1:] if w != "-v"]
    top = words[0] if words else os.path.join(os.path.dirname(__file__), "..", "src")
    sys.setrecursionlimit(10000)
    files = read(top, os.path.join(top, "lib.rs"))
    edges = imports(files)
    name = lambda module: files[module].path
    if "-v" in sys.argv:
        for module in sorted(edges):
            for other in sorted(edges[module]):
                if module[:-1] != other[:-1]:
                    print("%s -> %s" % (name(module), name(other)))
    lines = public = 0
    for folder, _, entries in os.walk(top):
        for entry in entries:
            if entry.endswith(".rs"):
                with open(os.path.join(folder, entry)) as f:
                    text = f.read()
                lines += text.count("\n")
                if os.path.relpath(folder, top).split(os.sep)[0] != "cli":
                    public += len(PUBLIC.findall(text))
    found = [list(map(name, circle)) for circle in circles(edges)]
    print("%d files of the library, %d imports between them, %d circles" % (len(files), sum(map(len, edges.values())), len(found)))
    print("%d public items, %d lines in all" % (public, lines))
    by_name = {name(module): module for module in files}
    for circle in found:
        print("circle: " + " ".join(circle))
        for file in circle:
            for other in sorted(set(map(name, edges[by_name[file]])) & set(circle)):
                print("  %s -> %s" % (file, other))
    upwards = []
    if "world" in files[()].children and "engine" in files[()].children:
        floor = lambda module: FLOORS.index(module[0])
        upwards = [(m, o) for m in sorted(edges) if m for o in sorted(edges[m]) if floor(m) < floor(o)]
    for module, other in upwards:
        print("a lower floor imports a higher one: %s -> %s" % (name(module), name(other)))
    sys.exit(1 if found or upwards else 0)


if __name__ == "__main__":
    main()
