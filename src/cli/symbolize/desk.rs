//! The images that logs ask for: opened once, and held against what the logs say of them.

use std::collections::{BTreeMap, BTreeSet};

use fixtrace::low::base::addr::Slide;
use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::oops::read::report::Oops;
use fixtrace::low::products::oops::read::reports::Facts;
use fixtrace::low::products::oops::truth::evidence::{Evidence, Verdict};
use fixtrace::low::products::oops::truth::tell::{Options, Settled};
use fixtrace::low::world::kernel::{Kernel, Placed};

use crate::cli::args::Symbolize;
use crate::cli::exit::{Exit, Failure};
use crate::cli::open;

/// A kernel and what a log says of it.
struct Known<'d> {
    kernel: Kernel<'d>,
    judged: Judged,
    /// Modules that the log at hand has refuted.
    aside: Vec<Placed<'d>>,
    /// Modules that were looked for and not found.
    without: BTreeSet<String>,
    /// What was said of it already.
    told: BTreeSet<String>,
}

/// What one log says of one kernel: other logs are of other boots, and may be of other builds.
#[derive(Clone, Default)]
pub struct Judged {
    evidence: Evidence,
    /// Whether it is another kernel.
    refused: bool,
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

    /// Begins with another log.
    pub fn begin(&mut self) {
        for known in &mut self.kernels {
            known.judged = Judged::default();
            for placed in std::mem::take(&mut known.aside) {
                known.kernel.add(placed.image, placed.slide);
            }
        }
    }

    /// What the log at hand says of the kernels; `None` if it refuted modules, which are there again for the next.
    pub fn judged(&self) -> Option<Vec<Judged>> {
        let whole = self.kernels.iter().all(|k| k.aside.is_empty());
        whole.then(|| self.kernels.iter().map(|k| k.judged.clone()).collect())
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
            let aside = known.aside.iter().any(|p| p.image.name() == name);
            if aside || known.kernel.image(name).is_some() || known.without.contains(name) {
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
        known.judged.evidence.observe(oops, facts, &known.kernel);
    }

    /// Leaves out images that the log at hand has refuted. The same is said once only.
    pub fn judge(&mut self) {
        let args = &self.args.images;
        for known in &mut self.kernels {
            let images = known.kernel.images().iter();
            let names: Vec<String> = images.map(|p| p.image.name().to_owned()).collect();
            for name in names {
                let Verdict::Refuted(why) = known.judged.evidence.verdict(&name) else {
                    continue;
                };
                let Some(placed) = known.kernel.image(&name) else {
                    continue;
                };
                let what = format!("{}: {why}", placed.image.path().display());
                let new = known.told.insert(what.clone());
                if args.force {
                    if new {
                        open::warn(args, &format!("{what}; used all the same"));
                    }
                    continue;
                }
                if name == "vmlinux" {
                    known.judged.refused = true;
                    self.exit = self.exit.max_of(Exit::Usage);
                    match &self.failure {
                        None => {
                            let hint = "pass the vmlinux that ran, or --force";
                            self.failure = Some(Failure::new(what, hint));
                        }
                        Some(_) if new => open::warn(args, &what),
                        Some(_) => {}
                    }
                    continue;
                }
                if new {
                    open::warn(args, &format!("{what}; not used (--force uses it)"));
                }
                let named = args.modules.iter().any(|m| m.contains(&name));
                self.exit = self.exit.max_of(match named {
                    true => Exit::Usage,
                    false => Exit::Partial,
                });
                known.aside.extend(known.kernel.remove(&name));
            }
        }
    }

    /// The kernel of a report of the log at hand, and how to look it up; `None` where nothing can be said.
    pub fn of(&self, oops: &Oops, facts: &Facts) -> Option<(&Kernel<'d>, Options, &Settled)> {
        let number = self.releases.get(&oops.release)?.ok()?;
        self.by(&self.kernels.get(number)?.judged, oops, facts)
    }

    /// The same for a log of which `judged` is known.
    pub fn of_judged<'s>(
        &'s self,
        judged: &'s [Judged],
        oops: &Oops,
        facts: &Facts,
    ) -> Option<(&'s Kernel<'d>, Options, &'s Settled)> {
        let number = self.releases.get(&oops.release)?.ok()?;
        self.by(judged.get(number)?, oops, facts)
    }

    fn by<'s>(
        &'s self,
        judged: &'s Judged,
        oops: &Oops,
        facts: &Facts,
    ) -> Option<(&'s Kernel<'d>, Options, &'s Settled)> {
        let number = self.releases.get(&oops.release)?.ok()?;
        let known = self.kernels.get(number).filter(|_| !judged.refused)?;
        let same = facts.release == oops.release;
        let slide = self.args.images.slide.map(Slide);
        let slide = slide.or(facts.offset.filter(|_| same).map(Slide));
        Some((
            &known.kernel,
            Options {
                lines: !self.args.no_lines,
                slide: slide.or(judged.evidence.slide()),
            },
            &judged.evidence.settled,
        ))
    }

    /// Says which images the log at hand does not confirm. The same is said once only.
    pub fn doubt(&mut self) {
        let args = &self.args.images;
        for known in self.kernels.iter_mut().filter(|k| !k.judged.refused) {
            for placed in known.kernel.images() {
                let (name, path) = (placed.image.name(), placed.image.path().display());
                let evidence = &known.judged.evidence;
                let what = match evidence.verdict(name) {
                    Verdict::Confirmed(by) if args.verbose => {
                        format!("{path}: confirmed by {}", by.join(", "))
                    }
                    Verdict::Unconfirmed if evidence.met(name) => {
                        format!("{path}: the log holds too little to confirm that this ran")
                    }
                    _ => continue,
                };
                if known.told.insert(what.clone()) {
                    open::warn(args, &what);
                }
            }
        }
    }

    /// Says what else is to be said in the end.
    pub fn close(&mut self) {
        for known in &self.kernels {
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
                    judged: Judged::default(),
                    aside: Vec::new(),
                    without: BTreeSet::new(),
                    told: BTreeSet::new(),
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
