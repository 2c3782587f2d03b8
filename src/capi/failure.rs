//! What goes wrong, on its way to C.

use std::any::Any;

use crate::base::error::{Error, ErrorKind};

/// An error on its way to C.
pub(super) struct Failure {
    /// Its class.
    pub kind: &'static str,
    /// What is wrong.
    pub message: String,
}

impl Failure {
    /// Of an argument that is none.
    pub fn argument(message: impl Into<String>) -> Self {
        Failure {
            kind: "argument",
            message: message.into(),
        }
    }

    /// Of a panic that carried `payload`.
    pub fn panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Failure {
            kind: "panic",
            message: format!("a fault of the library: {}", text.unwrap_or("no message")),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            kind: name(error.kind()),
            message: error.to_string(),
        }
    }
}

/// What functions of this interface make inside.
pub(super) type Answer<T> = Result<T, Failure>;

/// What the class is called in C.
fn name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Io => "io",
        ErrorKind::NotFound => "not-found",
        ErrorKind::NoImage => "no-image",
        ErrorKind::NoRelease => "no-release",
        ErrorKind::NoOutput => "no-output",
        ErrorKind::Contradiction => "contradiction",
        ErrorKind::NotAnElf => "not-an-elf",
        ErrorKind::WrongArch => "wrong-arch",
        ErrorKind::Truncated => "truncated",
        ErrorKind::Malformed => "malformed",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::BeyondLimit => "beyond-limit",
        ErrorKind::MissingSection => "missing-section",
        ErrorKind::UnknownSymbol => "unknown-symbol",
        ErrorKind::WrongImage => "wrong-image",
    }
}
