//! What a run over logs ends with, by what was noticed of their kernels.

use std::path::Path;

use fixtrace::low::base::error::{Error, ErrorKind};
use fixtrace::low::products::oops::read::report::Oops;
use fixtrace::low::products::oops::truth::annotate::CUT;
use fixtrace::low::products::oops::truth::clerk::Held;
use fixtrace::low::world::session::Noticed;

use crate::cli::args::{Images, Require};
use crate::cli::exit::{Exit, Failure};
use crate::cli::{open, require};

/// See the module text.
pub struct Outcome<'a> {
    args: &'a Images,
    /// What the run ends with.
    pub exit: Exit,
    /// The first reason that nothing could be said.
    pub failure: Option<Failure>,
    /// Why no kernel was found where none was named, for each that logs are of.
    without: Vec<Error>,
    /// Whether what is shown of a log is less without images. Reports as data are whole.
    pub partly: bool,
    /// What stacks are to be, how many were not, and how many there were.
    require: Option<Require>,
    unmet: (usize, usize),
    /// The last report that was cut: its log and its line.
    cut: Option<(String, u64)>,
}

impl<'a> Outcome<'a> {
    /// All is well.
    pub fn new(args: &'a Images, require: Option<Require>) -> Self {
        Outcome {
            args,
            require,
            unmet: (0, 0),
            exit: Exit::Done,
            failure: None,
            without: Vec::new(),
            partly: true,
            cut: None,
        }
    }

    /// Says once for all logs why nothing was looked up.
    pub fn close(&mut self) {
        let (failed, all) = self.unmet;
        if let Some(require) = self.require
            && require::say(self.args, require, failed, all)
        {
            self.exit = self.exit.max_of(Exit::Negative);
        }
        let [first, rest @ ..] = &self.without[..] else {
            return;
        };
        let more = match rest.len() {
            0 => String::new(),
            more => format!("; nor are those of {more} other kernels (-v names them)"),
        };
        let first = Failure::of(first).line();
        let what = format!("frames are not looked up: {first}{more}");
        open::warn(self.args, &what);
        if self.args.verbose {
            rest.iter().for_each(|e| open::warn_of(self.args, e));
        }
        if self.partly {
            self.exit = self.exit.max_of(Exit::Partial);
        }
    }
    /// Takes what is held of the stack of a report on line `line` of `log`, from 0.
    pub fn holds(&mut self, log: &str, line: u64, held: &Held) {
        let Some(require) = self.require else { return };
        self.unmet.1 += 1;
        if !require::met(require, &held.verdicts) {
            self.unmet.0 += 1;
            let (whose, line) = (&held.whose, line + 1);
            open::warn(
                self.args,
                &format!("{log}:{line}: {whose}: {}", held.verdicts),
            );
        }
    }

    /// Says what was left out.
    pub fn lacks(&mut self, what: &str) {
        open::warn(self.args, what);
        self.exit = self.exit.max_of(Exit::Partial);
    }

    /// Says why the file `path`, one of several, is left out.
    pub fn without_file(&mut self, path: &Path, why: &Failure) {
        let named = path.display().to_string();
        match why.message.starts_with(&named) {
            true => self.lacks(&why.line()),
            false => self.lacks(&format!("{named}: {}", why.line())),
        }
    }

    /// Says that parts of a report of `log` are left out: it is longer than any real one.
    pub fn cut(&mut self, log: &str, oops: &Oops) {
        let line = oops.lines.start + 1;
        let place = (log.to_owned(), line);
        // A long report may be told in several parts.
        if oops.cut && self.cut.as_ref() != Some(&place) {
            self.lacks(&format!("{log}:{line}: {CUT}"));
            self.cut = Some(place);
        }
    }

    /// Says why a log is shown as it is, and takes what that means for the end: what was named is wrong, or nothing was
    /// found.
    pub fn without_images(&mut self, why: &Error) {
        if self.named() || why.kind() == ErrorKind::WrongImage {
            let failure = match why.kind() {
                ErrorKind::WrongImage => open::refused(why),
                _ => open::failure(why),
            };
            self.exit = self.exit.max_of(Exit::Usage);
            self.failure.get_or_insert(failure);
            return;
        }
        let why = Failure::of(why).line();
        self.lacks(&format!("the log is not annotated: {why}"));
    }

    /// Whether a kernel was asked for.
    fn named(&self) -> bool {
        self.args.vmlinux.is_some() || self.args.release.is_some()
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
                Noticed::Unopened(e) if !self.named() && is_absence(e.kind()) => {
                    self.without.push(e.clone());
                    continue;
                }
                Noticed::Unopened(e) => (Exit::Usage, Some(open::failure(e))),
                Noticed::LeftOut(_) => (Exit::Partial, None),
                Noticed::NoLines(e) if e.kind() == ErrorKind::BeyondLimit => (Exit::Partial, None),
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

/// Whether an error of this kind says that there is no image of a log's kernel, not that something is wrong with one.
fn is_absence(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NoImage | ErrorKind::NoRelease | ErrorKind::NotFound | ErrorKind::WrongArch
    )
}
