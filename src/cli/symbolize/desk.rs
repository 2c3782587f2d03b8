//! The images that logs ask for: opened once, and held against what the logs say of them.

use std::collections::{BTreeMap, BTreeSet};

use fixtrace::addr::Slide;
use fixtrace::image::Storage;
use fixtrace::kernel::Kernel;
use fixtrace::oops::evidence::{Evidence, Verdict};
use fixtrace::oops::report::Oops;
use fixtrace::oops::reports::Facts;
use fixtrace::oops::tell::{Options, Settled};

use crate::cli::args::Symbolize;
use crate::cli::exit::{Exit, Failure};
use crate::cli::open;

/// A kernel and what logs say of it.
struct Known<'d> {
    kernel: Kernel<'d>,
    evidence: Evidence,
    /// Modules that were looked for and not found, or were others.
    without: BTreeSet<String>,
    /// Why it is not used.
    refused: Option<String>,
}

/// See the module text.
pub struct Desk<'a, 'd> {
    args: &'a Symbolize,
    storage: &'d Storage,
    kernels: Vec<Known<'d>>,
    /// By the release that a log names; the number of a kernel.
    releases: BTreeMap<Option<String>, Result<usize, ()>>,
    /// What the run ends with.
    pub exit: Exit,
    /// The first reason that nothing could be said.
    pub failure: Option<Failure>,
}

impl<'a, 'd> Desk<'a, 'd> {
    /// A desk without images.
    pub fn new(args: &'a Symbolize, storage: &'d Storage) -> Self {
        Desk {
            args,
            storage,
            kernels: Vec::new(),
            releases: BTreeMap::new(),
            exit: Exit::Done,
            failure: None,
        }
    }

    /// [`Desk::prepare`] for several: the kernels are asked for all names at once.
    pub fn prepare_all<'o>(&mut self, reports: &[(&'o Oops, &'o Facts)]) {
        for (oops, _) in reports {
            if oops.all_frames().next().is_some() {
                self.kernel(oops.release.as_deref());
            }
        }
        for (number, known) in self.kernels.iter().enumerate() {
            let own = |oops: &Oops| self.releases.get(&oops.release) == Some(&Ok(number));
            let reports = reports.iter().filter(|(o, _)| own(o));
            let symbols = reports
                .flat_map(|(o, _)| o.all_frames())
                .filter_map(|f| f.symbol.as_ref());
            let names = symbols.filter(|s| s.module.is_none()).map(|s| &*s.name);
            if let Some(vmlinux) = known.kernel.vmlinux() {
                vmlinux.image.symbols().expect_names(names);
            }
        }
        for (oops, facts) in reports {
            self.prepare(oops, facts);
        }
    }

    /// Opens what the frames of `oops` need, and takes what it says of that.
    pub fn prepare(&mut self, oops: &Oops, facts: &Facts) {
        if oops.all_frames().next().is_none() {
            return;
        }
        let Some(number) = self.kernel(oops.release.as_deref()) else {
            return;
        };
        let release = self
            .args
            .images
            .release
            .as_deref()
            .or(oops.release.as_deref());
        let modules = oops
            .all_frames()
            .filter_map(|f| f.symbol.as_ref()?.module.as_deref());
        for name in modules.collect::<BTreeSet<_>>() {
            let known = &mut self.kernels[number];
            if known.kernel.image(name).is_some() || known.without.contains(name) {
                continue;
            }
            let found = release.and_then(|release| {
                open::find_module(&self.args.images, name, release, self.storage)
            });
            match found {
                Some(image) => known.kernel.add(image, None),
                None => {
                    known.without.insert(name.to_owned());
                }
            }
        }
        let known = &mut self.kernels[number];
        known.evidence.observe(oops, facts, &known.kernel);
    }

    /// Leaves out images that logs have refuted. Said once of each.
    pub fn judge(&mut self) {
        for known in &mut self.kernels {
            let names: Vec<String> = known
                .kernel
                .images()
                .iter()
                .map(|p| p.image.name().to_owned())
                .collect();
            for name in names {
                let Verdict::Refuted(why) = known.evidence.verdict(&name) else {
                    continue;
                };
                let Some(placed) = known.kernel.image(&name) else {
                    continue;
                };
                let what = format!("{}: {why}", placed.image.path().display());
                if self.args.images.force {
                    if known.without.insert(format!("{name}, by force")) {
                        open::warn(&self.args.images, &format!("{what}; used all the same"));
                    }
                    continue;
                }
                if name == "vmlinux" {
                    if known.refused.is_none() {
                        known.refused = Some(what.clone());
                        self.exit = self.exit.max_of(Exit::Usage);
                        self.failure.get_or_insert_with(|| {
                            Failure::new(what, "pass the vmlinux that ran, or --force")
                        });
                    }
                    continue;
                }
                open::warn(
                    &self.args.images,
                    &format!("{what}; not used (--force uses it)"),
                );
                let named = self.args.images.modules.iter().any(|m| m.contains(&name));
                self.exit = self.exit.max_of(match named {
                    true => Exit::Usage,
                    false => Exit::Partial,
                });
                known.kernel.remove(&name);
                known.without.insert(name);
            }
        }
    }

    /// The kernel of a report, and how to look it up; `None` where nothing can be said.
    pub fn of(&self, oops: &Oops, facts: &Facts) -> Option<(&Kernel<'d>, Options, &Settled)> {
        let number = self.releases.get(&oops.release)?.ok()?;
        let known = self.kernels.get(number).filter(|k| k.refused.is_none())?;
        let same = facts.release == oops.release;
        let slide = self.args.images.slide.map(Slide);
        let slide = slide.or(facts.offset.filter(|_| same).map(Slide));
        Some((
            &known.kernel,
            Options {
                lines: !self.args.no_lines,
                slide: slide.or(known.evidence.slide()),
            },
            &known.evidence.settled,
        ))
    }

    /// Says which kernels nothing confirmed, and what else is to be said in the end.
    pub fn close(&mut self) {
        for known in &self.kernels {
            if known.refused.is_some() {
                continue;
            }
            for placed in known.kernel.images() {
                let (name, path) = (placed.image.name(), placed.image.path().display());
                match known.evidence.verdict(name) {
                    Verdict::Confirmed(by) if self.args.images.verbose => {
                        eprintln!("fixtrace: {path}: confirmed by {}", by.join(", "));
                    }
                    Verdict::Unconfirmed if known.evidence.met(name) => {
                        let what =
                            format!("{path}: the log holds too little to confirm that this ran");
                        open::warn(&self.args.images, &what);
                    }
                    _ => {}
                }
            }
            open::warn_of_lines(&self.args.images, &known.kernel);
        }
    }

    /// The number of the kernel of `release`, opened when first asked for.
    fn kernel(&mut self, release: Option<&str>) -> Option<usize> {
        let key = release.map(str::to_owned);
        if let Some(known) = self.releases.get(&key) {
            return known.ok();
        }
        let images = &self.args.images;
        // One image given is for all; which reports it is not for, the evidence says.
        let given = images.vmlinux.is_some() || images.release.is_some();
        let opened = match self.kernels.len() {
            1.. if given => self.given(release),
            _ => open::kernel(images, release, self.storage).map(|kernel| {
                self.kernels.push(Known {
                    kernel,
                    evidence: Evidence::default(),
                    without: BTreeSet::new(),
                    refused: None,
                });
                self.kernels.len() - 1
            }),
        };
        let opened = opened.map_err(|failure| {
            self.exit = self.exit.max_of(Exit::Usage);
            match &self.failure {
                None => self.failure = Some(failure),
                Some(_) => open::warn(images, &failure.message),
            }
        });
        self.releases.insert(key, opened);
        opened.ok()
    }

    /// The kernel that was given, if it can be the one of `release`.
    fn given(&self, release: Option<&str>) -> Result<usize, Failure> {
        let image = self.kernels[0].kernel.vmlinux().map(|p| &p.image);
        match image {
            Some(image) => open::check_release(&self.args.images, image, release).map(|()| 0),
            None => Ok(0),
        }
    }
}
