//! The images that logs ask for: opened once, and held against what each log says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::evidence::{Evidence, Verdict};
use super::tell::{Options, Settled};
use crate::base::addr::Slide;
use crate::base::arch::Arch;
use crate::base::error::{Error, ErrorKind, Result};
use crate::formats::image::note::from_hex;
use crate::products::oops::read::report::Oops;
use crate::products::oops::read::reports::Facts;
use crate::world::kernel::Kernel;
use crate::world::session::{self, Noticed, Session, View, Wanted, with};

/// See the module text.
pub struct Desk {
    options: session::Options,
    /// One kernel is for all logs; which reports it is not for, the evidence says.
    given: bool,
    kernels: Vec<Known>,
    /// By the release that a log names; the number of a kernel.
    releases: BTreeMap<Option<String>, Option<usize>>,
    /// Architectures that were declined.
    declined: BTreeSet<Arch>,
    /// Where the kernel was, as the dump that its log came with has it.
    slide: Option<Slide>,
    noticed: Vec<Noticed>,
}

/// A kernel and what the log at hand says of it.
struct Known {
    session: Session,
    judged: Judged,
    /// What was said of it already.
    told: BTreeSet<String>,
}

/// What one log says of one kernel: other logs are of other boots, and may be of other builds.
#[derive(Clone, Default)]
pub struct Judged {
    evidence: Evidence,
    /// Whether it is another kernel.
    refused: bool,
    /// Modules that are others.
    refuted: BTreeSet<String>,
}

impl Judged {
    /// The images that the log did not refute.
    fn kernel<'d>(&self, view: View<'_, 'd>) -> Arc<Kernel<'d>> {
        let whole = view.kernel();
        if self.refuted.is_empty() {
            return whole;
        }
        let names: Vec<&str> = self.refuted.iter().map(String::as_str).collect();
        Arc::new(whole.without(&names))
    }
}

impl Known {
    fn new(session: Session) -> Self {
        Known {
            session,
            judged: Judged::default(),
            told: BTreeSet::new(),
        }
    }
}

impl Desk {
    /// A desk that opens what `options` name, or what each log is of.
    pub fn new(options: session::Options) -> Self {
        Desk {
            given: options.vmlinux.is_some() || options.release.is_some(),
            options,
            kernels: Vec::new(),
            releases: BTreeMap::new(),
            declined: BTreeSet::new(),
            slide: None,
            noticed: Vec::new(),
        }
    }

    /// A desk for logs of the kernel of `session`.
    pub fn of(session: Session) -> Self {
        Desk {
            given: true,
            options: session.options().clone(),
            kernels: vec![Known::new(session)],
            releases: BTreeMap::new(),
            declined: BTreeSet::new(),
            slide: None,
            noticed: Vec::new(),
        }
    }

    /// A desk for the log of the kernel of `session`, which was at `slide`.
    pub fn at(session: Session, slide: Option<Slide>) -> Self {
        Desk {
            slide,
            ..Desk::of(session)
        }
    }

    /// Begins with another log.
    pub fn begin(&mut self) {
        for known in &mut self.kernels {
            known.judged = Judged::default();
        }
    }

    /// What the log at hand says of the kernels.
    pub fn judged(&self) -> Vec<Judged> {
        self.kernels.iter().map(|k| k.judged.clone()).collect()
    }

    /// Opens what the frames of `reports` need, and takes what they say of that. The kernels are asked for all names at
    /// once.
    pub fn prepare(&mut self, reports: &[(&Oops, &Facts)]) {
        for (oops, _) in reports {
            if oops.all_frames().next().is_some() {
                self.kernel(oops);
            }
        }
        for (number, known) in self.kernels.iter().enumerate() {
            let own = |oops: &Oops| self.releases.get(&oops.release) == Some(&Some(number));
            let reports = reports.iter().filter(|(o, _)| own(o));
            let symbols = reports
                .flat_map(|(o, _)| o.all_frames())
                .filter_map(|f| f.symbol.as_ref());
            let names = symbols.filter(|s| s.module.is_none()).map(|s| &*s.name);
            with(&known.session, |view| {
                if let Some(vmlinux) = view.kernel().vmlinux() {
                    vmlinux.image.symbols().expect_names(names);
                }
            });
        }
        for (oops, facts) in reports {
            self.observe(oops, facts);
        }
    }

    fn observe(&mut self, oops: &Oops, facts: &Facts) {
        if oops.all_frames().next().is_none() {
            return;
        }
        let number = self.kernel(oops);
        let Some(known) = number.and_then(|n| self.kernels.get_mut(n)) else {
            return;
        };
        let facts = &Facts {
            offset: self.slide.map(|s| s.0).or(facts.offset),
            ..facts.clone()
        };
        let release = self.options.release.as_deref().or(oops.version());
        let modules = oops
            .all_frames()
            .filter_map(|f| f.symbol.as_ref()?.module.as_deref());
        let modules: BTreeSet<&str> = modules.collect();
        let Known {
            session, judged, ..
        } = known;
        with(session, |view| {
            for name in modules {
                view.module(name, release);
            }
            let kernel = judged.kernel(view);
            judged.evidence.observe(oops, facts, &kernel);
        });
        self.noticed.extend(session.noticed());
    }

    /// Leaves out images that the log at hand has refuted. The same is said once only.
    pub fn judge(&mut self) {
        let force = self.options.force;
        for known in &mut self.kernels {
            let Known {
                session,
                judged,
                told,
            } = known;
            with(session, |view| {
                let kernel = judged.kernel(view);
                for placed in kernel.images() {
                    let name = placed.image.name();
                    let Verdict::Refuted(why) = judged.evidence.verdict(name) else {
                        continue;
                    };
                    // Of several with one name the first is used.
                    if force && !kernel.image(name).is_some_and(|p| std::ptr::eq(p, placed)) {
                        continue;
                    }
                    let what = Noticed::Refuted {
                        name: name.to_owned(),
                        image: placed.image.path().to_owned(),
                        why,
                        used: force,
                    };
                    if told.insert(what.to_string()) {
                        self.noticed.push(what);
                    }
                    match name {
                        _ if force => {}
                        "vmlinux" => judged.refused = true,
                        name => {
                            judged.refuted.insert(name.to_owned());
                        }
                    }
                }
            });
        }
    }

    /// Says which images the log at hand does not confirm, unless memory has. The same is said once only.
    pub fn doubt(&mut self) {
        if self.slide.is_some() {
            return;
        }
        let details = self.options.details;
        for known in self.kernels.iter_mut().filter(|k| !k.judged.refused) {
            let Known {
                session,
                judged,
                told,
            } = known;
            with(session, |view| {
                for placed in judged.kernel(view).images() {
                    let name = placed.image.name();
                    let image = || placed.image.path().to_owned();
                    let what = match judged.evidence.verdict(name) {
                        Verdict::Confirmed(by) if details => {
                            Noticed::Confirmed { image: image(), by }
                        }
                        Verdict::Unconfirmed if judged.evidence.met(name) => {
                            Noticed::Unconfirmed { image: image() }
                        }
                        _ => continue,
                    };
                    if told.insert(what.to_string()) {
                        self.noticed.push(what);
                    }
                }
            });
        }
    }

    /// Asks something of the kernel of a report of the log at hand; `None` where nothing can be said.
    pub fn ask<R>(
        &self,
        oops: &Oops,
        facts: &Facts,
        ask: impl for<'d> FnOnce(&Kernel<'d>, Options, &Settled) -> R,
    ) -> Option<R> {
        let known = self.known(oops)?;
        self.by(known, &known.judged, oops, facts, ask)
    }

    /// The same for a log of which `judged` is known.
    pub fn ask_judged<R>(
        &self,
        judged: &[Judged],
        oops: &Oops,
        facts: &Facts,
        ask: impl for<'d> FnOnce(&Kernel<'d>, Options, &Settled) -> R,
    ) -> Option<R> {
        let known = self.known(oops)?;
        let number = *self.releases.get(&oops.release)?;
        self.by(known, judged.get(number?)?, oops, facts, ask)
    }

    fn known(&self, oops: &Oops) -> Option<&Known> {
        if foreign(oops).is_some() {
            return None;
        }
        let number = *self.releases.get(&oops.release)?;
        self.kernels.get(number?)
    }

    fn by<R>(
        &self,
        known: &Known,
        judged: &Judged,
        oops: &Oops,
        facts: &Facts,
        ask: impl for<'d> FnOnce(&Kernel<'d>, Options, &Settled) -> R,
    ) -> Option<R> {
        if judged.refused {
            return None;
        }
        let same = facts.release == oops.release;
        let slide = self.slide.or(self.options.slide);
        let slide = slide.or(facts.offset.filter(|_| same).map(Slide));
        let options = Options {
            lines: self.options.lines,
            verdicts: false,
            slide: slide.or(judged.evidence.slide()),
        };
        let answer = with(&known.session, |view| {
            ask(&judged.kernel(view), options, &judged.evidence.settled)
        });
        Some(answer)
    }

    /// What was noticed since this was asked last.
    pub fn noticed(&mut self) -> Vec<Noticed> {
        std::mem::take(&mut self.noticed)
    }

    /// Images whose debug information was asked for and could not be read, so far.
    pub fn without_lines(&self) -> Vec<Noticed> {
        let kernels = self.kernels.iter();
        kernels.flat_map(|k| k.session.without_lines()).collect()
    }

    /// The number of the kernel that `oops` is of, opened when first asked for.
    fn kernel(&mut self, oops: &Oops) -> Option<usize> {
        if let Some(arch) = foreign(oops) {
            if self.declined.insert(arch) {
                let what = format!("the log is of {}, not of x86", arch.name());
                let e = Error::new(ErrorKind::WrongArch, what);
                self.noticed.push(Noticed::Unopened(e));
            }
            return None;
        }
        if let Some(known) = self.releases.get(&oops.release) {
            return *known;
        }
        let opened = match self.kernels.first() {
            Some(first) if self.given => {
                let fits = given(&first.session, oops.version());
                self.noticed.extend(first.session.noticed());
                fits.map(|()| 0)
            }
            _ => {
                let session = Session::new(self.options.clone());
                let build_id = oops.build_id.as_deref().and_then(from_hex);
                let opened = session.open_images(Wanted {
                    release: oops.version(),
                    build_id: build_id.as_deref(),
                });
                self.noticed.extend(session.noticed());
                opened.map(|()| {
                    self.kernels.push(Known::new(session));
                    self.kernels.len() - 1
                })
            }
        };
        let opened = opened.map_err(|e| self.noticed.push(Noticed::Unopened(e)));
        self.releases.insert(oops.release.clone(), opened.ok());
        opened.ok()
    }
}

/// The architecture of a report that no image can be for.
fn foreign(oops: &Oops) -> Option<Arch> {
    oops.arch.filter(|arch| !arch.is_x86())
}

/// Whether the kernel of `session` can be the one of `release`.
fn given(session: &Session, release: Option<&str>) -> Result<()> {
    with(session, |view| match view.kernel().vmlinux() {
        Some(vmlinux) => view.check_release(&vmlinux.image, release),
        None => Ok(()),
    })
}
