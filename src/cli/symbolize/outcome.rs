//! What a run over logs ends with, by what was noticed of their kernels.

use fixtrace::low::base::error::{Error, ErrorKind};
use fixtrace::low::world::session::Noticed;

use crate::cli::args::Images;
use crate::cli::exit::{Exit, Failure};
use crate::cli::open;

/// See the module text.
pub struct Outcome<'a> {
    args: &'a Images,
    /// What the run ends with.
    pub exit: Exit,
    /// The first reason that nothing could be said.
    pub failure: Option<Failure>,
}

impl<'a> Outcome<'a> {
    /// All is well.
    pub fn new(args: &'a Images) -> Self {
        Outcome {
            args,
            exit: Exit::Done,
            failure: None,
        }
    }

    /// Says why a log is shown as it is, and takes what that means for the end: what was named is wrong, or nothing was
    /// found.
    pub fn without_images(&mut self, why: &Error) {
        let named = self.args.vmlinux.is_some() || self.args.release.is_some();
        if named || why.kind() == ErrorKind::WrongImage {
            let failure = match why.kind() {
                ErrorKind::WrongImage => open::refused(why),
                _ => open::failure(why),
            };
            self.exit = self.exit.max_of(Exit::Usage);
            self.failure.get_or_insert(failure);
            return;
        }
        open::warn(self.args, &format!("the log is not annotated: {why}"));
        self.exit = self.exit.max_of(Exit::Partial);
    }

    /// Says what was noticed, and takes what it means for the end.
    pub fn take(&mut self, noticed: Vec<Noticed>) {
        for noticed in noticed {
            let (exit, failure) = match &noticed {
                Noticed::Refuted {
                    used: false, name, ..
                } if name == "vmlinux" => (Exit::Usage, Some(open::refused(&noticed))),
                Noticed::Refuted {
                    used: false, name, ..
                } => {
                    let named = self.args.modules.iter().any(|m| m.contains(name));
                    (if named { Exit::Usage } else { Exit::Partial }, None)
                }
                Noticed::Unopened(e) => (Exit::Usage, Some(open::failure(e))),
                _ => (Exit::Done, None),
            };
            self.exit = self.exit.max_of(exit);
            match (&self.failure, failure) {
                (None, Some(first)) => self.failure = Some(first),
                _ => open::say(self.args, [noticed]),
            }
        }
    }
}
