"""Places for products that would lose, fill or replace something else: inputs, devices, links, full and limited disks."""

import os
import pathlib
import shutil
import threading

from hostile_runner import Case

TESTDATA = pathlib.Path(__file__).resolve().parent.parent
PLACE = "0xffffffff81c01d27"
# The log is of another kernel: not all of it is looked up.
DONE = (0, 3)


class Scene:
    """A directory of its own, with an image, a snapshot and a log."""

    def __init__(self, top, name):
        self.dir = top / name
        self.dir.mkdir()
        self.vmlinux, self.dump, self.log = (self.dir / n for n in ("vmlinux", "dump", "log"))
        shutil.copy(TESTDATA / "fixtures/demo-5.10.elf", self.vmlinux)
        shutil.copy(TESTDATA / "demo.fxs", self.dump)
        shutil.copy(TESTDATA / "oops/6.12-null.txt", self.log)
        self.inputs = [self.vmlinux, self.dump, self.log]
        self.kept = None

    def commands(self, to):
        """Each kind of product, to the file `to`."""
        return {
            "index": ["index", self.vmlinux, "-o", to],
            "snapshot": ["unwind", self.dump, "--vmlinux", self.vmlinux, "--snapshot", to],
            "baseline": ["validate", self.vmlinux, "--fail-on", "never", "--write-baseline", to],
            "lookup": ["lookup", "--vmlinux", self.vmlinux, PLACE, "-o", to],
            "symbolize": ["symbolize", self.log, "--vmlinux", self.vmlinux, "--force", "-o", to],
            "summary": ["symbolize", "--summary", self.log, "-o", to],
            "unwind": ["unwind", self.dump, "--vmlinux", self.vmlinux, "-o", to],
            "inspect": ["inspect", "orc", "--vmlinux", self.vmlinux, "-o", to],
            "explain": ["explain", "orc", "-o", to],
        }

    def look(self):
        """Names, kinds and bytes of what is there; links are not followed."""
        found = {}
        for path in sorted(self.dir.iterdir()):
            meta = path.lstat()
            regular = path.is_file() and not path.is_symlink()
            found[path.name] = (meta.st_mode, path.read_bytes() if regular else None)
        return found

    def before(self):
        self.kept = self.look()

    def untouched(self, *but):
        left = self.look()
        names = {n for n in left.keys() | self.kept.keys() if left.get(n) != self.kept.get(n)} - set(but)
        return f"changed: {', '.join(sorted(names))}" if names else None

    def case(self, name, args, exits, expect=None, after=None, **more):
        return Case(name=name, args=args, inputs=self.inputs, exits=exits, expect=expect, cwd=self.dir, before=self.before,
                    after=after or self.untouched, **more)


def told(*words):
    """What `words` stand in one line of error."""
    def look(_, stderr):
        errors = [l for l in stderr.decode(errors="replace").splitlines() if l.startswith("fixtrace: error: ")]
        fit = len(errors) == 1 and all(w in errors[0] for w in words)
        return None if fit else f"errors: {errors}"
    return look


def cases(top):
    yield from refused(Scene(top, "refused"))
    yield from inputs(Scene(top, "inputs"))
    yield from limited(Scene(top, "limited"))
    yield from full(Scene(top, "full"))
    yield from followed(Scene(top, "followed"))
    yield from piped(Scene(top, "piped"))


def refused(scene):
    os.symlink("/dev/null", scene.dir / "to-null")
    os.symlink("nowhere", scene.dir / "to-nothing")
    for place in (".", "/dev/null", "/dev/full", "/dev/mem", "to-null", "to-nothing"):
        if os.path.lexists(scene.dir / place):
            for kind, args in scene.commands(place).items():
                yield scene.case(f"written: {kind} to {place}", args, (2,), told(f"{place}: is a"))


def inputs(scene):
    os.symlink("vmlinux", scene.dir / "link")
    os.link(scene.dump, scene.dir / "same")
    which = {"index": ("vmlinux", "link"), "snapshot": ("dump", "same", "link"), "lookup": ("vmlinux", "link"),
             "symbolize": ("log", "vmlinux"), "summary": ("log",), "unwind": ("dump", "same"), "inspect": ("link",),
             "baseline": ("vmlinux",)}
    for kind, places in which.items():
        for place in places:
            args = scene.commands(place)[kind]
            yield scene.case(f"written: {kind} over {place}", args, (2,), told(place, "is read as well"))
    yield scene.case("written: a log appended to itself", ["symbolize", scene.log], (2,), told("is read as well"),
                     stdout=str(scene.log))


def limited(scene):
    (scene.dir / "old").write_text("old")
    for kind, args in scene.commands("new").items():
        # A stream is in the file as far as it came.
        after = None if kind in ("index", "snapshot", "baseline") else lambda: scene.untouched("new")
        yield scene.case(f"written: {kind}, no room for it", args, (2,), told("new", "File too large"), after, file_size=0,
                         stdout=os.devnull)
        (scene.dir / "new").unlink(missing_ok=True)
    for kind in ("index", "snapshot", "baseline"):
        args = scene.commands("old")[kind]
        yield scene.case(f"written: {kind} over a file, no room for it", args, (2,), told("old", "too large"), file_size=16,
                         stdout=os.devnull)


def full(scene):
    told_of = told("standard output", "No space left")
    for args in (["--help"], ["--version"], ["help", "unwind"], ["index", "-h"]):
        yield scene.case(f"written: {' '.join(args)} to a full disk", args, (2,), told_of, stdout="/dev/full")
    for kind, args in scene.commands("").items():
        if kind not in ("index", "snapshot", "baseline"):
            yield scene.case(f"written: {kind} to a full disk", args[:-2], (2,), told_of, stdout="/dev/full")


def followed(scene):
    os.symlink("file", scene.dir / "link")
    for kind, args in scene.commands("link").items():
        (scene.dir / "file").write_text("old")

        def changed():
            same = (scene.dir / "file").read_bytes() == b"old"
            return "the file is as it was" if same else scene.untouched("file")
        yield scene.case(f"written: {kind} to a link", args, DONE, after=changed)


def piped(scene):
    os.mkfifo(scene.dir / "fifo")
    for kind, args in scene.commands("fifo").items():
        got = []

        def before(got=got):
            scene.before()
            reader = threading.Thread(target=lambda: got.append((scene.dir / "fifo").read_bytes()), daemon=True)
            reader.start()

        def after(got=got):
            return scene.untouched() or (None if got and got[0] else "nothing came through the pipe")
        case = scene.case(f"written: {kind} to a pipe", args, DONE, after=after)
        case.before = before
        yield case
