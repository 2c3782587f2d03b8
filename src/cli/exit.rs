//! Exit codes, the same for all verbs.

use std::process::ExitCode;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Exit {
    /// All was done.
    Done = 0,
    /// A negative verdict: nothing of what was asked for was found.
    Negative = 1,
    /// Wrong usage, or an input that could not be read at all.
    Usage = 2,
    /// Done in part; stderr says what was left out.
    Partial = 3,
}

impl Exit {
    /// Both happened: wrong input outweighs what was left out.
    pub fn max_of(self, other: Exit) -> Exit {
        let weight = |e: Exit| match e {
            Exit::Done => 0,
            Exit::Negative => 1,
            Exit::Partial => 2,
            Exit::Usage => 3,
        };
        if weight(other) > weight(self) {
            other
        } else {
            self
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// An error that ends the run, and what to do about it.
pub struct Failure {
    /// What happened.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
    /// A reader that went away is no failure.
    pub closed_pipe: bool,
}

impl Failure {
    /// A failure with advice.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Failure {
            message: message.into(),
            hint: Some(hint.into()),
            closed_pipe: false,
        }
    }
}

impl From<fixtrace::low::base::error::Error> for Failure {
    fn from(e: fixtrace::low::base::error::Error) -> Self {
        Failure {
            message: e.to_string(),
            hint: None,
            closed_pipe: false,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        Failure {
            message: e.to_string(),
            hint: None,
            closed_pipe: e.kind() == std::io::ErrorKind::BrokenPipe,
        }
    }
}
