//! Exit codes, the same for all verbs.

use std::path::PathBuf;
use std::process::ExitCode;

use fixtrace::low::base::error::Error;

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
    /// Files that were looked for, each for a line of its own.
    pub tried: Vec<PathBuf>,
    /// The next step.
    pub hint: Option<String>,
    /// A reader that went away is no failure.
    pub closed_pipe: bool,
}

impl Failure {
    /// A failure with advice.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Failure {
            hint: Some(hint.into()),
            ..Failure::alone(message)
        }
    }

    /// A failure that speaks for itself.
    pub fn alone(message: impl Into<String>) -> Self {
        Failure {
            message: message.into(),
            tried: Vec::new(),
            hint: None,
            closed_pipe: false,
        }
    }

    /// The failure that `e` is.
    pub fn of(e: &Error) -> Self {
        let tried = e.tried().to_vec();
        let line = e.clone().having_tried(Vec::new()).to_string();
        let end = if tried.is_empty() { "" } else { "; tried" };
        Failure {
            tried,
            ..Failure::alone(line + end)
        }
    }

    /// The same on a line.
    pub fn line(&self) -> String {
        let tried = self.tried.iter().map(|p| p.display().to_string());
        let tried: Vec<String> = tried.collect();
        match tried.is_empty() {
            true => self.message.clone(),
            false => format!("{} {}", self.message, tried.join(", ")),
        }
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Failure::of(&e)
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        Failure {
            closed_pipe: e.kind() == std::io::ErrorKind::BrokenPipe,
            ..Failure::alone(e.to_string())
        }
    }
}
