//! What a name stands for that something is to be written to: a new or a regular file, or what is written to in place,
//! pipes and terminals. Nothing else is, and no file that is read as well.

use std::fmt;
use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::error::{Error, ErrorKind, Result};
use super::file_id::{FileId, dir_of};
use super::mapped::is_mapped;
use super::replace::replace_with;

/// Links that are followed.
const LINKS: usize = 40;

/// What a name stands for.
#[derive(Debug)]
enum Target {
    /// Nothing yet.
    New(PathBuf),
    /// A regular file, links followed.
    Regular(PathBuf),
    /// A pipe, or perhaps a terminal.
    Pipe(PathBuf),
    /// What this process has open already.
    Open(File),
}

/// Refuses `path` if it cannot be written to, or is one of `inputs`: before the work, not behind it.
///
/// # Errors
/// `NoOutput` for what is no file, `Contradiction` for an input, `Io` where the system refuses.
pub fn check(path: &Path, inputs: &[FileId]) -> Result<()> {
    checked(path, inputs).map(drop)
}

fn checked(path: &Path, inputs: &[FileId]) -> Result<Target> {
    let target = target(path, inputs)?;
    let failed = |e| Error::io(path, e);
    match &target {
        // Whether it may be replaced is for whoever may write to it.
        Target::Regular(file) => {
            OpenOptions::new().write(true).open(file).map_err(failed)?;
        }
        Target::New(file) => {
            std::fs::metadata(dir_of(file)).map_err(failed)?;
        }
        Target::Pipe(_) | Target::Open(_) => {}
    }
    Ok(target)
}

/// Writes what `write` gives to `path`: a file gets all of it or stays as it was, links to it followed; to what is no file it
/// is written in place.
///
/// # Errors
/// As [`check`] and `write`.
pub fn put(
    path: &Path,
    inputs: &[FileId],
    write: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    match checked(path, inputs)? {
        Target::New(file) => replace_with(&file, write),
        Target::Regular(file) if FileId::at(&file).is_some_and(is_mapped) => Err(is_input(path)),
        Target::Regular(file) => replace_with(&file, write),
        target => {
            let mut out = io::BufWriter::new(in_place(path, target)?);
            write(&mut out).map_err(|e| e.in_file(path))?;
            out.flush().map_err(|e| Error::io(path, e))
        }
    }
}

/// Opens `path` to write to it bit by bit: who reads it there sees what was written so far. What was in a file is gone with
/// the first byte that is written, or the first flush.
///
/// # Errors
/// As [`check`].
pub fn stream(path: &Path, inputs: &[FileId]) -> Result<InPlace> {
    in_place(path, target(path, inputs)?)
}

/// Refuses what this process has open as standard output if it is one of `inputs`: it would be read for ever.
///
/// # Errors
/// `Contradiction`.
#[cfg(unix)]
pub fn check_standard(inputs: &[FileId]) -> Result<()> {
    use std::os::fd::AsFd;
    let own = io::stdout().as_fd().try_clone_to_owned();
    let meta = own.and_then(|fd| File::from(fd).metadata());
    match meta {
        Ok(meta) if meta.is_file() && inputs.contains(&FileId::of(&meta)) => {
            Err(is_input(Path::new("standard output")))
        }
        _ => Ok(()),
    }
}

/// Elsewhere files are not told apart.
#[cfg(not(unix))]
pub fn check_standard(_: &[FileId]) -> Result<()> {
    Ok(())
}

/// A file, a pipe or a terminal that is written to in place.
#[derive(Debug)]
pub struct InPlace {
    file: File,
    path: PathBuf,
    /// Of a file whose old bytes are still there.
    full: Option<FileId>,
}

impl InPlace {
    fn begin(&mut self) -> io::Result<()> {
        let Some(id) = self.full.take() else {
            return Ok(());
        };
        if is_mapped(id) {
            self.full = Some(id);
            return Err(io::Error::other(INPUT));
        }
        self.file.set_len(0)
    }
}

impl Write for InPlace {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.begin().and_then(|()| self.file.write(bytes));
        done.map_err(|e| unwritten(&self.path.display(), bytes, &e))
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.begin().and_then(|()| self.file.flush());
        done.map_err(|e| unwritten(&self.path.display(), &[], &e))
    }
}

/// The error of a write of `bytes` to what is called `name`.
pub fn unwritten(name: &dyn fmt::Display, bytes: &[u8], e: &io::Error) -> io::Error {
    #[cfg(target_os = "linux")]
    if e.raw_os_error() == Some(rustix::io::Errno::FAULT.raw_os_error()) {
        // They are those of a mapped file that shrank, which the system tells whoever reads them.
        std::hint::black_box(bytes.iter().fold(0_u8, |all, b| all ^ b));
    }
    io::Error::new(e.kind(), format!("{name}: {e}"))
}

const INPUT: &str = "is read as well, and would be written over";

fn is_input(path: &Path) -> Error {
    Error::new(ErrorKind::Contradiction, INPUT).in_file(path)
}

fn refused(path: &Path, what: &str) -> Error {
    let what = format!("is {what}, which nothing is written to");
    Error::new(ErrorKind::NoOutput, what).in_file(path)
}

fn target(path: &Path, inputs: &[FileId]) -> Result<Target> {
    let failed = |e| Error::io(path, e);
    if let Some(number) = descriptor(path) {
        let file = duplicate(number).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        suits(path, &meta, inputs)?;
        return match is_character(meta.file_type()) && !file.is_terminal() {
            true => Err(refused(path, "a device")),
            false => Ok(Target::Open(file)),
        };
    }
    let meta = match std::fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return match path.is_symlink() {
                true => Err(refused(path, "a link to what is not there")),
                false => Ok(Target::New(path.to_owned())),
            };
        }
        meta => meta.map_err(failed)?,
    };
    suits(path, &meta, inputs)?;
    match meta.is_file() {
        true => Ok(Target::Regular(path.canonicalize().map_err(failed)?)),
        false => Ok(Target::Pipe(path.to_owned())),
    }
}

/// Refuses what is certainly no file, pipe or terminal, and what is read.
fn suits(path: &Path, meta: &Metadata, inputs: &[FileId]) -> Result<()> {
    let kind = meta.file_type();
    if let Some(what) = unfit(kind) {
        return Err(refused(path, what));
    }
    match !is_character(kind) && inputs.contains(&FileId::of(meta)) {
        true => Err(is_input(path)),
        false => Ok(()),
    }
}

/// What a file of this kind is called if it is never written to.
#[cfg(unix)]
fn unfit(kind: FileType) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_dir() {
        return Some("a directory");
    }
    if kind.is_block_device() {
        return Some("a block device");
    }
    kind.is_socket().then_some("a socket")
}

#[cfg(not(unix))]
fn unfit(kind: FileType) -> Option<&'static str> {
    kind.is_dir().then_some("a directory")
}

#[cfg(unix)]
fn is_character(kind: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_char_device()
}

#[cfg(not(unix))]
fn is_character(_: FileType) -> bool {
    false
}

/// Opens `target`, and looks whether it is still what it was.
fn in_place(path: &Path, target: Target) -> Result<InPlace> {
    let failed = |e| Error::io(path, e);
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(target_os = "linux")]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NOCTTY.bits().cast_signed(),
    );
    let regular = matches!(target, Target::Regular(_));
    let file = match target {
        Target::New(file) => options.create_new(true).open(file),
        Target::Regular(file) | Target::Pipe(file) => options.open(file),
        Target::Open(file) => Ok(file),
    };
    let file = file.map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if let Some(what) = unfit(meta.file_type()) {
        return Err(refused(path, what));
    }
    if is_character(meta.file_type()) && !file.is_terminal() {
        return Err(refused(path, "a device"));
    }
    Ok(InPlace {
        file,
        path: path.to_owned(),
        // What came with the process goes on where it is.
        full: (regular && meta.is_file()).then(|| FileId::of(&meta)),
    })
}

/// The number of the file of this process that `path` names, links followed.
fn descriptor(path: &Path) -> Option<u32> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match path.to_str() {
            Some("/dev/stdin") => return Some(0),
            Some("/dev/stdout") => return Some(1),
            Some("/dev/stderr") => return Some(2),
            _ => {}
        }
        let number = ["/dev/fd", "/proc/self/fd", "/proc/thread-self/fd"].iter();
        let mut number = number.filter_map(|dir| path.strip_prefix(dir).ok()?.to_str());
        if let Some(number) = number.next() {
            return number.parse().ok();
        }
        // A link stands for what it says beside where it is.
        let next = std::fs::read_link(&path).ok()?;
        path = path.parent().unwrap_or(Path::new("/")).join(next);
    }
    None
}

/// A second handle of what this process has open as `number`.
#[cfg(unix)]
fn duplicate(number: u32) -> io::Result<File> {
    use std::os::fd::BorrowedFd;
    // Tells whether it is open.
    std::fs::metadata(format!("/dev/fd/{number}"))?;
    let number = i32::try_from(number).map_err(|_| io::ErrorKind::NotFound)?;
    #[expect(
        unsafe_code,
        reason = "the command line names the number of a file that came with the process; it is duplicated at once, and \
        what it is is looked at before anything is written"
    )]
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    borrowed.try_clone_to_owned().map(File::from)
}

#[cfg(not(unix))]
fn duplicate(_: u32) -> io::Result<File> {
    Err(io::ErrorKind::NotFound.into())
}
