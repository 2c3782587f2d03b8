//! What went wrong, and where in which file.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::text::{Escaped, Escaping, escaped};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an input could not be used.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    place: Place,
    detail: String,
    tried: Vec<PathBuf>,
    source: Option<Arc<std::io::Error>>,
}

/// Classes of errors; a caller may branch on them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused.
    Io,
    /// No file was found in any of the places looked at.
    NotFound,
    /// Neither an image was named nor anything that one could be found by.
    NoImage,
    /// A text that names no kernel release.
    NoRelease,
    /// A place for output that nothing is written to.
    NoOutput,
    /// Things were asked for that exclude each other.
    Contradiction,
    /// Not an ELF file (nor a compressed one, nor a bzImage).
    NotAnElf,
    /// An ELF file for another machine than x86.
    WrongArch,
    /// The file ends before what it announces.
    Truncated,
    /// The file contradicts itself or the format.
    Malformed,
    /// A form that this build or version does not read.
    Unsupported,
    /// It would cost more than [`Limits`](super::limits::Limits) allow.
    BeyondLimit,
    /// The section asked for is not in the file.
    MissingSection,
    /// A symbol or address that no image has.
    UnknownSymbol,
    /// An image that provably is not the one the input came from.
    WrongImage,
}

/// Where: file, section, offset in bytes (in the section when one is named, else in the file).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Place {
    /// The file, when known.
    pub file: Option<PathBuf>,
    /// The section, when known.
    pub section: Option<String>,
    /// Byte offset, when known.
    pub offset: Option<u64>,
}

impl Error {
    /// A new error of `kind`; `detail` is a fragment that fits behind "failed: ".
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            place: Place::default(),
            detail: detail.into(),
            tried: Vec::new(),
            source: None,
        }))
    }

    /// An error of the operating system on `file`.
    pub fn io(file: &Path, source: std::io::Error) -> Self {
        let mut e = Error::new(ErrorKind::Io, source.to_string()).in_file(file);
        e.0.source = Some(Arc::new(source));
        e
    }

    /// The class of this error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where it happened.
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// Files that were looked for in vain.
    pub fn tried(&self) -> &[PathBuf] {
        &self.0.tried
    }

    /// The same error, with the files that were looked for.
    pub fn having_tried(mut self, files: Vec<PathBuf>) -> Self {
        self.0.tried = files;
        self
    }

    /// The same error, with its file unless one is known already.
    pub fn in_file(mut self, file: &Path) -> Self {
        self.0.place.file.get_or_insert_with(|| file.to_owned());
        self
    }

    /// The same error, with its section.
    pub fn in_section(mut self, section: &str) -> Self {
        self.0.place.section = Some(section.to_owned());
        self
    }

    /// The same error, with its offset in bytes.
    pub fn at(mut self, offset: u64) -> Self {
        self.0.place.offset = Some(offset);
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut colon = "";
        if let Some(file) = &self.file {
            Escaped(file.display()).fmt(f)?;
            colon = ": ";
        }
        let section = self.section.as_deref().map(escaped);
        match (section, self.offset) {
            (Some(s), Some(o)) => write!(f, "{colon}{s}+{o:#x}"),
            (Some(s), None) => write!(f, "{colon}{s}"),
            (None, Some(o)) => write!(f, "{colon}offset {o:#x}"),
            (None, None) => Ok(()),
        }
    }
}

/// On a line; the files that were tried on lines below it, indented.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.0.place.to_string();
        if !place.is_empty() {
            write!(f, "{place}: ")?;
        }
        f.write_str(&escaped(&self.0.detail))?;
        if !self.0.tried.is_empty() {
            f.write_str("; tried")?;
        }
        let mut tried = self.0.tried.iter();
        tried.try_for_each(|file| write!(f, "\n  {}", Escaped(file.display())))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|e| &**e as _)
    }
}

/// Something odd in an input that could still be read: reported, never fatal.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What, as a lower-case fragment.
    pub message: String,
}

impl Finding {
    /// A finding in `section` at `offset` bytes.
    pub fn new(section: &str, offset: u64, message: impl Into<String>) -> Self {
        Finding {
            place: Place {
                file: None,
                section: Some(section.to_owned()),
                offset: Some(offset),
            },
            message: message.into(),
        }
    }

    /// A finding about `thing` as a whole.
    pub fn about(thing: &str, message: impl Into<String>) -> Self {
        let mut finding = Finding::new(thing, 0, message);
        finding.place.offset = None;
        finding
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}: {}", self.place, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_file_section_and_offset() {
        let e = Error::new(ErrorKind::Malformed, "entry is cut off")
            .in_section(".orc_unwind")
            .at(0x1f4)
            .in_file(Path::new("vmlinux"));
        assert_eq!(
            e.to_string(),
            "vmlinux: .orc_unwind+0x1f4: entry is cut off"
        );
        assert_eq!(e.kind(), ErrorKind::Malformed);
    }
    #[test]
    fn names_in_an_error_do_not_act() {
        let e = Error::new(ErrorKind::Malformed, "no \x1b]0;x\x07")
            .in_section(".a\nfixtrace: forged")
            .in_file(Path::new("a\x1b[2J"));
        assert_eq!(
            e.to_string(),
            "a\\u{1b}[2J: .a\\nfixtrace: forged: no \\u{1b}]0;x\\u{7}"
        );
        let tried = vec![PathBuf::from("/a\nb"), PathBuf::from("/c")];
        let e = Error::new(ErrorKind::NotFound, "no vmlinux").having_tried(tried);
        assert_eq!(e.to_string(), "no vmlinux; tried\n  /a\\nb\n  /c");
        assert_eq!(Finding::about("a\r", "b\x08").to_string(), "a\\r: b\\u{8}");
    }
}
