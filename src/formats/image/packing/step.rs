//! How unpacking goes on.

/// How far a member is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// It goes on.
    More,
    /// It is at its end.
    End,
    /// The same, and it says that it had other contents.
    Unsound,
}

/// Why nothing more can be unpacked.
pub(super) enum Break {
    /// The file ends before this.
    Cut(&'static str),
    /// The bytes cannot be; why.
    Damaged(String),
}
