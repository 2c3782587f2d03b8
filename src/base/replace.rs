//! Writing a file so that others see all of it or nothing.
//!
//! It is written without a name where the system can do that, else under one that nobody foresees; neither is there any more
//! when it could not be finished.

use std::fs::{File, Metadata, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::error::{Error, Result};
use super::file_id::dir_of;
use super::unfinished::Name;

/// Ending of a file that is being written.
pub(crate) const UNFINISHED: &str = "tmp";

/// Names that are tried.
const TRIES: u32 = 16;

/// Puts a file with what `write` gives under the name `path`: what was there before is replaced, a link itself and not what
/// it leads to. Of several writers the last one wins; readers keep what they have mapped.
///
/// # Errors
/// `Io` where the system refuses, and as `write`; the old file is then as it was.
pub(crate) fn replace_with(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let failed = |e| Error::io(path, e);
    let old = std::fs::symlink_metadata(path);
    let old = old.ok().filter(Metadata::is_file);
    let new = Unfinished::new(path).map_err(failed)?;
    if let Some(old) = &old {
        // Before there is anything in it that not everybody may read.
        allow(&new.file, old).map_err(failed)?;
    }
    let mut out = BufWriter::with_capacity(1 << 16, &new.file);
    write(&mut out).map_err(|e| e.in_file(path))?;
    out.flush().map_err(failed)?;
    drop(out);
    new.put(path, old.is_none()).map_err(failed)
}

/// The same with all `bytes`.
///
/// # Errors
/// `Io` where the system refuses; the old file is then as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_with(path, |out| {
        out.write_all(bytes).map_err(|e| Error::io(path, e))
    })
}

/// A file that is being written.
struct Unfinished {
    file: File,
    /// `None` while it has no name at all.
    name: Option<Name>,
}

impl Unfinished {
    /// An empty file where `path` is.
    fn new(path: &Path) -> io::Result<Self> {
        let dir = dir_of(path);
        if let Some(file) = unnamed(&dir) {
            return Ok(Unfinished { file, name: None });
        }
        let (file, name) = fresh(&dir, |path| {
            OpenOptions::new().write(true).create_new(true).open(path)
        })?;
        let name = Some(name);
        Ok(Unfinished { file, name })
    }

    /// Gives it the name `path`, which is `new`, or another file's so far.
    fn put(self, path: &Path, new: bool) -> io::Result<()> {
        self.file.sync_all()?;
        let name = match self.name {
            Some(name) => name,
            None => {
                // Where nothing has the name yet nothing but the whole file will ever have been seen.
                if new && link(&self.file, path).is_ok() {
                    return Ok(());
                }
                fresh(&dir_of(path), |name| link(&self.file, name))?.1
            }
        };
        std::fs::rename(name.path(), path)?;
        name.forget();
        Ok(())
    }
}

/// Has `make` make something in `dir` under a name that was not there.
fn fresh<T>(dir: &Path, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<(T, Name)> {
    let mut tries = 0..TRIES;
    loop {
        // Keyed by what the system calls random.
        let random = RandomState::new().hash_one(std::process::id());
        let path = dir.join(format!("fixtrace-{random:016x}.{UNFINISHED}"));
        // Known before it is there: a signal may come at any time.
        let name = Name::new(path);
        match make(name.path()) {
            Ok(made) => return Ok((made, name)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && tries.next().is_some() => {
                name.forget();
            }
            Err(e) => {
                name.forget();
                return Err(e);
            }
        }
    }
}

/// A file in `dir` that has no name, where there is such a thing, and one can be given to it.
#[cfg(target_os = "linux")]
fn unnamed(dir: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::TMPFILE.bits().cast_signed();
    let mut options = OpenOptions::new();
    let file = options.write(true).custom_flags(flags).open(dir).ok()?;
    proc_name(&file).exists().then_some(file)
}

/// Gives `file`, which has none, the name `path`; nothing may have that.
#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    Ok(linkat(
        CWD,
        proc_name(file),
        CWD,
        path,
        AtFlags::SYMLINK_FOLLOW,
    )?)
}

#[cfg(target_os = "linux")]
fn proc_name(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_: &Path) -> Option<File> {
    None
}

#[cfg(not(target_os = "linux"))]
fn link(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Lets the same people do the same with `file` as with `old`, where the file system knows of people.
#[cfg(unix)]
fn allow(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let own = file.metadata()?;
    let mut mode = old.mode() & 0o777;
    if own.uid() != old.uid() {
        // Only root may.
        let _ = fchown(file, Some(old.uid()), None);
    }
    if own.gid() != old.gid() && fchown(file, None, Some(old.gid())).is_err() {
        // What its group was allowed is nothing to another group.
        mode &= !0o070;
    }
    match own.mode() & 0o777 == mode {
        true => Ok(()),
        false => file.set_permissions(std::fs::Permissions::from_mode(mode)),
    }
}

#[cfg(not(unix))]
fn allow(file: &File, old: &Metadata) -> io::Result<()> {
    file.set_permissions(old.permissions())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("fixtrace-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn names(dir: &Path) -> Vec<String> {
        let name = |e: io::Result<std::fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
        let mut all: Vec<_> = std::fs::read_dir(dir).unwrap().map(name).collect();
        all.sort();
        all
    }

    /// A file that has a name from the beginning, as where the system has no other.
    fn named(path: &Path) -> Unfinished {
        let (file, name) = fresh(&dir_of(path), |path| {
            OpenOptions::new().write(true).create_new(true).open(path)
        })
        .unwrap();
        let name = Some(name);
        Unfinished { file, name }
    }

    #[test]
    fn what_could_not_be_written_leaves_the_old_file_and_nothing_else() {
        let dir = scratch("nothing");
        let path = dir.join("out");
        replace(&path, b"old").unwrap();
        let failed = replace_with(&path, |out| {
            out.write_all(&[7; 1 << 17]).unwrap();
            Err(Error::io(&path, io::ErrorKind::StorageFull.into()))
        });
        assert!(
            failed
                .unwrap_err()
                .to_string()
                .starts_with(path.to_str().unwrap())
        );
        let mut other = named(&path);
        other.file.write_all(b"half").unwrap();
        assert_eq!(names(&dir).len(), 2);
        drop(other);
        assert_eq!(names(&dir), ["out"]);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn with_and_without_a_name_it_comes_as_a_whole() {
        let dir = scratch("whole");
        for (n, make) in [
            Unfinished::new as fn(&Path) -> io::Result<Unfinished>,
            |path| Ok(named(path)),
        ]
        .into_iter()
        .enumerate()
        {
            let path = dir.join(format!("out{n}"));
            for text in ["one", "two"] {
                let mut new = make(&path).unwrap();
                new.file.write_all(text.as_bytes()).unwrap();
                new.put(&path, !path.exists()).unwrap();
                assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            }
        }
        assert_eq!(names(&dir), ["out0", "out1"]);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn permissions_stay_as_they_were() {
        use std::os::unix::fs::PermissionsExt;
        let dir = scratch("modes");
        let path = dir.join("out");
        replace(&path, b"1").unwrap();
        // As any new file has them.
        File::create(dir.join("like")).unwrap();
        let mode = |p: PathBuf| std::fs::metadata(p).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(path.clone()), mode(dir.join("like")));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        replace(&path, b"2").unwrap();
        assert_eq!(mode(path), 0o640);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn no_two_names_are_alike() {
        let dir = scratch("names");
        let all: Vec<_> = (0..20).map(|_| named(&dir.join("out"))).collect();
        let mut found = names(&dir);
        found.dedup();
        assert_eq!(found.len(), 20);
        drop(all);
        assert!(names(&dir).is_empty());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
