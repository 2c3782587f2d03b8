//! The bytes of a dump file: mapped, mapped and out of order, or read one by one where mapping is not possible.

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;

use super::Unreadable;
use super::extents::Extents;
use super::flat;
use crate::base::error::{Error, Finding, Result};
use crate::formats::image::Storage;

/// Bytes of a dump by their offset in it.
pub enum Medium<'d> {
    /// A mapped file.
    Mapped(&'d [u8]),
    /// A flattened stream: records that say where in the dump they belong.
    Flat {
        /// The mapped stream.
        stream: &'d [u8],
        /// Where in it the dump's bytes are.
        extents: Extents,
        /// Whether its end was there.
        whole: bool,
    },
    /// A file that can only be read: `/proc/kcore`.
    File(File),
}

impl<'d> Medium<'d> {
    /// Whether `path` is of `/proc`: what it holds changes, and cannot be mapped.
    pub(crate) fn is_live(path: &Path) -> bool {
        path.canonicalize().is_ok_and(|p| p.starts_with("/proc"))
    }

    /// Maps `path`, or opens it for reading if it is of `/proc`.
    ///
    /// # Errors
    /// When the file cannot be opened or mapped.
    pub(crate) fn open(
        path: &Path,
        storage: &'d Storage,
        findings: &mut Vec<Finding>,
    ) -> Result<Self> {
        if Self::is_live(path) {
            let file = File::open(path).map_err(|e| Error::io(path, e))?;
            return Ok(Medium::File(file));
        }
        let (bytes, cut) = storage.plain_part(path)?;
        findings.extend(cut);
        Ok(Medium::of(bytes, findings))
    }

    /// The dump in `bytes`, which may be a flattened stream of it.
    pub(crate) fn of(bytes: &'d [u8], findings: &mut Vec<Finding>) -> Self {
        match flat::index(bytes, findings) {
            Some((extents, whole)) => Medium::Flat {
                stream: bytes,
                extents,
                whole,
            },
            None => Medium::Mapped(bytes),
        }
    }

    /// Bytes that can be there at all; what a file announces cannot need more memory than this.
    pub(crate) fn stored(&self) -> u64 {
        match self {
            Medium::Mapped(bytes) => bytes.len() as u64,
            Medium::Flat { stream, .. } => stream.len() as u64,
            // `/proc/kcore` says 128 TiB. Only its headers are read in one piece.
            Medium::File(_) => 64 << 20,
        }
    }

    /// One past the last byte of the dump.
    pub(crate) fn end(&self) -> u64 {
        match self {
            Medium::Mapped(bytes) => bytes.len() as u64,
            Medium::Flat { extents, .. } => extents.end(),
            Medium::File(_) => u64::MAX,
        }
    }

    /// `len` bytes from `at` on, if they lie in one piece in memory.
    pub(crate) fn slice(&self, at: u64, len: u64) -> Option<&'d [u8]> {
        let (bytes, from) = match self {
            Medium::Mapped(bytes) => (*bytes, at),
            Medium::Flat {
                stream, extents, ..
            } => {
                let (from, run) = extents.find(at)?;
                if run < len {
                    return None;
                }
                (*stream, from)
            }
            Medium::File(_) => return None,
        };
        let from = usize::try_from(from).ok()?;
        bytes.get(from..from.checked_add(usize::try_from(len).ok()?)?)
    }

    /// Fills `buf` from `at` on.
    ///
    /// # Errors
    /// `Truncated` where the file ends before, or a stream does not hold it.
    pub(crate) fn read(
        &self,
        mut at: u64,
        mut buf: &mut [u8],
    ) -> std::result::Result<(), Unreadable> {
        if let Some(bytes) = self.slice(at, buf.len() as u64) {
            buf.copy_from_slice(bytes);
            return Ok(());
        }
        match self {
            Medium::Mapped(_) => Err(Unreadable::Truncated),
            Medium::File(file) => read_file(file, at, buf),
            Medium::Flat { extents, whole, .. } => {
                while !buf.is_empty() {
                    let want = buf.len() as u64;
                    let (len, bytes) = match (extents.find(at), extents.next_start(at)) {
                        (Some((_, run)), _) => {
                            let len = run.min(want);
                            let bytes = self.slice(at, len).ok_or(Unreadable::Truncated)?;
                            (len, Some(bytes))
                        }
                        // Nobody wrote there: a file made from the stream would have a hole.
                        (None, Some(next)) if *whole => ((next - at).min(want), None),
                        _ => return Err(Unreadable::Truncated),
                    };
                    let (now, then) = buf.split_at_mut(len as usize);
                    match bytes {
                        Some(bytes) => now.copy_from_slice(bytes),
                        None => now.fill(0),
                    }
                    buf = then;
                    at = at.saturating_add(len);
                }
                Ok(())
            }
        }
    }

    /// `len` bytes from `at` on, borrowed where possible.
    ///
    /// # Errors
    /// As [`Medium::read`].
    pub(crate) fn bytes(
        &self,
        at: u64,
        len: u64,
    ) -> std::result::Result<Cow<'d, [u8]>, Unreadable> {
        if let Some(bytes) = self.slice(at, len) {
            return Ok(Cow::Borrowed(bytes));
        }
        if len > self.stored() {
            return Err(Unreadable::Truncated);
        }
        let mut bytes = vec![0; len as usize];
        self.read(at, &mut bytes)?;
        Ok(Cow::Owned(bytes))
    }
}

#[cfg(unix)]
fn read_file(file: &File, at: u64, buf: &mut [u8]) -> std::result::Result<(), Unreadable> {
    use std::os::unix::fs::FileExt;
    file.read_exact_at(buf, at).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => Unreadable::Truncated,
        _ => Unreadable::Absent,
    })
}

#[cfg(not(unix))]
fn read_file(_: &File, _: u64, _: &mut [u8]) -> std::result::Result<(), Unreadable> {
    Err(Unreadable::Absent)
}
