//! The memory of the kernel in a dump, for who holds an image to it.

use std::path::{Path, PathBuf};

use super::memory::Ran;
use crate::base::error::{Error, ErrorKind, Finding, Result};
use crate::world::dump::place;
use crate::world::image::Image;
use crate::world::memory::{Dump, DumpKind};
use crate::world::session::{Noticed, View, Wanted};

/// Where the kernel image is that the dump `path` is of, by its release or build-id.
///
/// # Errors
/// When it is no dump of a kernel, does not say which, or that image is not found.
pub fn vmlinux(view: View<'_, '_>, path: &Path) -> Result<PathBuf> {
    let dump = open(view, path)?;
    let (release, build_id) = (place::release(&dump), place::build_id(&dump));
    let found = view.vmlinux(Wanted {
        release: release.as_deref(),
        build_id: build_id.as_deref(),
    })?;
    let found = found.ok_or_else(|| Error::new(ErrorKind::NoImage, "no kernel image"))?;
    Ok(found.path())
}

/// Asks `ask` with the memory that the kernel `image` had in the dump `path`.
///
/// # Errors
/// When it is no dump of a kernel; `WrongImage` where it is of another.
pub fn in_dump<R>(
    view: View<'_, '_>,
    path: &Path,
    image: &Image<'_>,
    ask: impl FnOnce(Ran<'_>) -> R,
) -> Result<R> {
    let dump = open(view, path)?;
    let notice = |finding: Finding| {
        // What is odd about the place names the dump itself.
        let file = finding.place.file.is_none().then(|| path.to_owned());
        view.notice(Noticed::Input { file, finding });
    };
    dump.findings().iter().cloned().for_each(notice);
    let place = place::find(&dump, image)?;
    place.findings().into_iter().for_each(notice);
    let answer = ask(Ran {
        memory: &place.memory(&dump),
        slide: place.slide,
    });
    dump.missed().findings().into_iter().for_each(notice);
    Ok(answer)
}

fn open<'d>(view: View<'_, 'd>, path: &Path) -> Result<Dump<'d>> {
    let storage = view.storage();
    let dump = match Dump::is_live(path) {
        true => Dump::open(path, storage)?,
        false => Dump::parse(storage.plain(path)?).map_err(|e| e.in_file(path))?,
    };
    if dump.kind() == DumpKind::Process {
        let what = "is the core of a process, which has no kernel's memory";
        return Err(Error::new(ErrorKind::Unsupported, what).in_file(path));
    }
    Ok(dump)
}
