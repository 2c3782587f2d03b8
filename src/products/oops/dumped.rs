//! The log in a dump, and the images that its reports are of, where they were.

use std::collections::BTreeSet;
use std::path::Path;

use super::dmesg::dmesg;
use super::read::report::Oops;
use super::read::reports::{self, Facts};
use super::truth::desk::Desk;
use crate::base::addr::Slide;
use crate::base::error::{self, Error, ErrorKind, Finding, Result};
use crate::base::limits::Limits;
use crate::formats::image::note::hex;
use crate::world::dump::log::{self, Log};
use crate::world::dump::{Place, discover, place};
use crate::world::image::Image;
use crate::world::memory::{Dump, DumpKind};
use crate::world::session::{self, Noticed, Session, View, Wanted, with};

/// The log of a dump.
pub struct Dumped {
    /// It, as `dmesg` shows it.
    pub text: Vec<u8>,
    /// The reports in it.
    pub reports: Vec<Oops>,
    /// What it says that holds for all of them.
    pub facts: Facts,
    /// Who tells what is true of them; an error where the images that takes are not at hand, or are others.
    pub desk: Result<Desk>,
    /// Steps of work that reading it may take; see [`Limits::steps_of`](crate::base::limits::Limits::steps_of).
    pub steps: u64,
    /// Whether nothing of the log is missing.
    pub whole: bool,
    /// What is odd about the dump or missing of its log, and what was noticed on the way.
    pub noticed: Vec<Noticed>,
}

impl Dumped {
    /// Reads the log in the dump `path`. Images are opened as `options` say, for a log that has reports or cannot be
    /// found without them.
    ///
    /// # Errors
    /// When the file is no dump of a kernel, or its log cannot be found.
    pub fn open(path: &Path, options: &session::Options) -> Result<Self> {
        let session = Session::new(options.clone());
        let found = with(&session, |view| read(view, path))?;
        let of_log = |finding: Finding| Noticed::Input {
            file: Some(path.to_owned()),
            finding,
        };
        let mut noticed: Vec<Noticed> = found.findings.into_iter().map(of_log).collect();
        let whole = noticed.is_empty();
        noticed.extend(session.noticed());
        Ok(Dumped {
            text: found.text,
            desk: found.slide.map(|slide| Desk::at(session, slide)),
            reports: found.reports,
            facts: found.facts,
            steps: found.steps,
            whole,
            noticed,
        })
    }
}

/// A log, and where its kernel was; an error where that is not known of the images at hand.
struct Found {
    text: Vec<u8>,
    reports: Vec<Oops>,
    facts: Facts,
    findings: Vec<Finding>,
    steps: u64,
    slide: Result<Option<Slide>>,
}

impl Found {
    /// What `log` says, within `limits` and so many `steps`.
    fn new(log: Log, limits: &Limits, steps: u64) -> Self {
        let text = dmesg(&log);
        let (reports, facts, spent) = reports::parse_within(&text, limits, steps);
        let mut findings = log.findings;
        findings.extend(spent.map(|line| Finding {
            place: error::Place::default(),
            message: format!(
                "line {} of the log is too much work for so short a dump (limit work): no report is read from there on",
                line + 1
            ),
        }));
        Found {
            text,
            reports,
            facts,
            findings,
            steps,
            slide: Ok(None),
        }
    }
}

fn read(view: View<'_, '_>, path: &Path) -> Result<Found> {
    let storage = view.storage();
    let dump = Dump::open(path, storage)?;
    if dump.kind() == DumpKind::Process {
        let what = "is the core of a process, which has no kernel's log";
        return Err(Error::new(ErrorKind::Unsupported, what).in_file(path));
    }
    for finding in dump.findings() {
        let (finding, file) = (finding.clone(), Some(path.to_owned()));
        view.notice(Noticed::Input { file, finding });
    }
    let limits = &view.options().limits;
    let steps = limits.steps_of(dump.stored());
    match log::read(&dump, None) {
        Ok(log) => {
            let mut found = Found::new(log, limits, steps);
            // A log without reports asks for no image.
            if !found.reports.is_empty() {
                let images = images(view, &dump);
                found.slide = images.and_then(|()| settle(view, &dump, &found.reports));
            }
            Ok(found)
        }
        // An image cannot tell more where all is told, and the memory is not there.
        Err(why) if why.kind() != ErrorKind::MissingSection => Err(why.in_file(path)),
        Err(why) => {
            images(view, &dump).map_err(|e| match e.kind() {
                ErrorKind::NoImage => why.clone().in_file(path),
                _ => e,
            })?;
            let kernel = view.kernel();
            let vmlinux = kernel.vmlinux().ok_or(why.in_file(path))?;
            let place = place::find(&dump, &vmlinux.image)?;
            let log = log::read(&dump, Some((&vmlinux.image, &place)));
            let mut found = Found::new(log.map_err(|e| e.in_file(path))?, limits, steps);
            found.slide = settle(view, &dump, &found.reports);
            Ok(found)
        }
    }
}

/// Opens the images that are named, or that the dump asks for.
fn images(view: View<'_, '_>, dump: &Dump<'_>) -> Result<()> {
    let (release, build_id) = match view.options().vmlinux {
        // What is given is held against memory.
        Some(_) => (None, None),
        None => (place::release(dump), place::build_id(dump)),
    };
    view.open_images(Wanted {
        release: release.as_deref(),
        build_id: build_id.as_deref(),
    })
}

/// Places the images that `reports` are of as the dump has them; says where the kernel was. Where an image does not tell how to find it in
/// memory (an index), what VMCOREINFO says of slide and build-id has to do.
fn settle(view: View<'_, '_>, dump: &Dump<'_>, reports: &[Oops]) -> Result<Option<Slide>> {
    let kernel = view.kernel();
    let Some(vmlinux) = kernel.vmlinux() else {
        return Ok(None);
    };
    let image = &vmlinux.image;
    match place::find(dump, image) {
        Ok(found) => {
            modules(view, dump, (image, &found), reports)?;
            Ok(Some(found.slide))
        }
        Err(e) if e.kind() == ErrorKind::WrongImage && !view.options().force => Err(e),
        Err(e) => {
            let (wanted, own) = (place::build_id(dump), image.build_id());
            match (wanted.as_deref(), own) {
                (Some(wanted), Some(own)) if wanted == own => {}
                (Some(wanted), Some(own)) if !view.options().force => {
                    let what = format!("has build-id {}, the dump is of {}", hex(own), hex(wanted));
                    return Err(Error::new(ErrorKind::WrongImage, what).in_file(image.path()));
                }
                _ if view.options().force => {}
                _ => return Err(e),
            }
            Ok(dump.vmcoreinfo().and_then(|i| i.slide()))
        }
    }
}

/// Places the modules that are at hand; of others that `reports` name what memory holds of them has to do. Without types
/// where they were is not known: then they are found by name alone.
fn modules<'d>(
    view: View<'_, 'd>,
    dump: &Dump<'_>,
    (vmlinux, found): (&Image<'d>, &Place),
    reports: &[Oops],
) -> Result<()> {
    let Ok(world) = discover(dump, vmlinux, found) else {
        return Ok(());
    };
    let frames = reports.iter().flat_map(Oops::all_frames);
    let named: BTreeSet<&str> = frames
        .filter_map(|f| f.symbol.as_ref()?.module.as_deref())
        .collect();
    let mut placed = view.place(&world)?;
    let lacking = placed.lacking(&world).into_iter();
    let wanted = |n: &usize| {
        let loaded = world.images.get(*n);
        loaded.is_some_and(|l| named.contains(&*l.name))
    };
    for number in lacking.filter(wanted) {
        view.recover(&mut placed, &world, number, &found.memory(dump));
    }
    view.settle(&placed.kernel);
    Ok(())
}
