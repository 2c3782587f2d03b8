//! `fixtrace validate`: whether images can be unwound reliably.

mod baseline;
mod compare;
mod config;
mod images;
mod show;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use fixtrace::low::base::error::ErrorKind;
use fixtrace::low::base::parallel;
use fixtrace::low::formats::image::ImageKind;
use fixtrace::low::products::validate::{self as product, Allow, Baseline, Family, Loader, Policy};
use fixtrace::low::world::session::Noticed;

use self::images::{Looked, Question};
use self::show::Show;
use super::args::{FailOn, Findings, Validate};
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::{inputs, open, out, stderr};

/// Runs the verb.
pub fn run(args: &Validate) -> Result<Exit, Failure> {
    let args = &settled(args)?;
    parallel::limit(args.jobs.unwrap_or(0).into());
    let config = match &args.config {
        Some(path) => config::read(path)?,
        None => config::Config::default(),
    };
    let families = if args.families.is_empty() {
        &config.checks
    } else {
        &args.families
    };
    let fail_on = args.fail_on.or(config.fail_on).unwrap_or_default();
    let asked = product::Options {
        families: families.iter().map(|f| f.family()).collect(),
        sample: args.sample.or(config.sample).unwrap_or(64),
        list: args.list,
    };
    let mut allow = config.allow;
    for text in &args.allow {
        allow.push(allowed(text)?);
    }
    let policy = Policy {
        fail_on: fail_on.severity(),
        allow,
        baseline: args.baseline.as_deref().map(baseline::read).transpose()?,
    };
    let idle = |f: &Family| !product::in_memory(*f);
    if args.dump.is_some() && !asked.families.is_empty() && asked.families.iter().all(idle) {
        return Err(Failure::new(
            "none of these checks is of memory",
            "leave --dump out, or add --check orc,extable",
        ));
    }
    let sources = args.sources();
    let options = images::options(&sources);
    let form = args.form();
    let question = Question {
        options: &options,
        asked: &asked,
        dump: args.dump.as_deref(),
        policy: &policy,
        lines: matches!(form, Findings::Sarif | Findings::Github | Findings::Junit)
            .then_some(&args.out.strip_prefix),
    };
    match &args.compare[..] {
        [old, new] => compare::run(args, &question, old, new),
        _ => {
            let files = images::all(args)?;
            Run::new(args, question, &files)?.all(&files)
        }
    }
}

/// A dump among the images is what `--dump` names.
fn settled(args: &Validate) -> Result<Validate, Failure> {
    let mut args = args.clone();
    let (dumps, images) = std::mem::take(&mut args.images)
        .into_iter()
        .partition(|path| images::is_dump(path));
    args.images = images;
    let mut dumps: Vec<PathBuf> = dumps;
    dumps.extend(args.dump.take());
    args.dump = dumps.pop();
    match dumps.is_empty() {
        true => Ok(args),
        false => Err(Failure::new(
            "more than one dump",
            "name one: each is of another moment",
        )),
    }
}

/// `ID[=FUNCTION]`
fn allowed(text: &str) -> Result<Allow, Failure> {
    let (id, function) = match text.split_once('=') {
        Some((id, function)) => (id, Some(function.to_owned())),
        None => (text, None),
    };
    config::known(id).map_err(|what| Failure::new(what, "check --allow"))?;
    Ok(Allow {
        id: id.to_owned(),
        function,
        reason: None,
    })
}

/// A run over images.
struct Run<'r> {
    args: &'r Validate,
    question: Question<'r>,
    show: Show<'r>,
    baseline: Baseline,
    failing: u64,
    unread: usize,
    partial: bool,
}

impl<'r> Run<'r> {
    /// On the images `files`.
    fn new(args: &'r Validate, question: Question<'r>, files: &[PathBuf]) -> Result<Self, Failure> {
        let kept = args.write_baseline.as_deref();
        out::check(kept, &inputs::of_validate(args, files))?;
        out::apart(args.out.output.as_deref(), kept)?;
        Ok(Run {
            args,
            question,
            show: Show::new(args, files)?,
            baseline: Baseline::default(),
            failing: 0,
            unread: 0,
            partial: false,
        })
    }

    /// Validates `paths`: kernels first, so that modules can be held to them; modules side by side.
    fn all(mut self, paths: &[PathBuf]) -> Result<Exit, Failure> {
        self.show.begin(paths.len() == 1)?;
        let progress = Progress::new("images", paths.len(), self.args.quiet);
        let mut loaders: Vec<Loader> = Vec::new();
        let mut later: Vec<&PathBuf> = Vec::new();
        for path in paths {
            if images::is_module(path) {
                later.push(path);
                continue;
            }
            let kernel = |kind| kind == ImageKind::Vmlinux;
            match self.question.ask_if(path, &[], kernel) {
                Ok(Some(looked)) => {
                    loaders.extend(looked.loader.clone());
                    self.take(path, Ok(looked), &progress)?;
                }
                Ok(None) => later.push(path),
                Err(failure) => self.take(path, Err(failure), &progress)?,
            }
        }
        if self.args.dump.is_some() && later.len() == paths.len() {
            progress.clear();
            let what = "no image is a kernel: nothing is held to the dump";
            open::warn(&self.args.sources(), what);
            self.partial = true;
        }
        let question = self.question;
        parallel::stream(
            &later,
            |path| question.ask(path, &loaders),
            |path, looked| self.take(path, looked, &progress),
        )?;
        drop(progress);
        self.end(paths.len())
    }

    /// Shows what was found in one image.
    fn take(
        &mut self,
        path: &Path,
        looked: Result<Looked, Failure>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        progress.step();
        let looked = match looked {
            Ok(looked) => looked,
            Err(failure) => {
                progress.clear();
                self.unread += 1;
                self.show.unreadable(path, &failure)?;
                stderr::failure(&failure);
                return Ok(());
            }
        };
        let report = &looked.report;
        if self.args.verbose || !looked.noticed.is_empty() {
            progress.clear();
        }
        let left_out = |noticed: &Noticed| match noticed {
            Noticed::LeftOut(_) => true,
            Noticed::NoLines(e) => e.kind() == ErrorKind::BeyondLimit,
            _ => false,
        };
        self.partial |= looked.noticed.iter().any(left_out);
        open::say(&self.args.sources(), looked.noticed);
        self.failing += report.tally().failing;
        if self.args.write_baseline.is_some() {
            self.baseline.add(&report.kept());
        }
        if report.validation.lacking {
            progress.clear();
            for (family, why) in &report.validation.skipped {
                if product::in_memory(*family) {
                    let (image, family) = (&report.validation.image, family.name());
                    let what = format!("{image}: {family} not checked in all of memory: {why}");
                    open::warn(&self.args.sources(), &what);
                }
            }
            self.partial = true;
        }
        // What was asked for by name and could not be done is left out; of all checks some never apply.
        if !self.question.asked.families.is_empty() {
            for (family, why) in report.validation.undone() {
                progress.clear();
                let (image, family) = (&report.validation.image, family.name());
                open::warn(
                    &self.args.sources(),
                    &format!("{image}: {family} not checked: {why}"),
                );
                self.partial = true;
            }
        }
        if std::io::stdout().is_terminal() {
            progress.clear();
        }
        self.show.report(report)
    }

    fn end(mut self, images: usize) -> Result<Exit, Failure> {
        self.show.end()?;
        let mut negative = self.failing > 0;
        if let Some(path) = &self.args.write_baseline {
            if self.unread > 0 {
                return Err(Failure::new(
                    format!(
                        "{}: not written: not all images could be read",
                        path.display()
                    ),
                    "leave those out that cannot be read",
                ));
            }
            baseline::write(path, &self.baseline)?;
            // What is written down is accepted.
            negative = false;
        }
        Ok(match self.unread {
            n if n == images => Exit::Usage,
            _ if negative => Exit::Negative,
            0 if !self.partial => Exit::Done,
            _ => Exit::Partial,
        })
    }
}

impl FailOn {
    fn severity(self) -> Option<product::Severity> {
        match self {
            FailOn::Error => Some(product::Severity::Error),
            FailOn::Warning => Some(product::Severity::Warning),
            FailOn::Note => Some(product::Severity::Note),
            FailOn::Never => None,
        }
    }
}
