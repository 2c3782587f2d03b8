//! Whether an image is the one that ran: what a log says of it, against what it is.

use std::collections::{BTreeMap, BTreeSet};

use super::placed::find;
use super::tell::{Settled, settle};
use crate::base::addr::{Address, Slide};
use crate::engine::remark::Missing;
use crate::formats::image::ImageKind;
use crate::formats::image::locate::underscored;
use crate::formats::image::note::hex;
use crate::products::oops::code::patched::compare;
use crate::products::oops::read::registers::Code;
use crate::products::oops::read::report::{LogFrame, Oops};
use crate::products::oops::read::reports::Facts;
use crate::world::image::Image;
use crate::world::kernel::{Kernel, Located, same_name};

/// What is held of an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is the one that ran; by what.
    Confirmed(Vec<String>),
    /// Nothing speaks against it, and too little for it.
    Unconfirmed,
    /// It is another; by what.
    Refuted(String),
}

/// Sizes of so many functions are no accident.
const ENOUGH: usize = 5;

/// What confirms a whole build.
const BANNER: &str = "the kernel's banner";

/// Names and sizes that are kept of an image, at most.
const MAX_NAMES: usize = 10_000;

/// What was seen of one image.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// Functions whose size is the image's.
    fit: BTreeSet<String>,
    /// Functions whose size is not, with both sizes.
    unfit: BTreeMap<String, (u64, u64)>,
    /// Names that it does not have.
    absent: BTreeSet<String>,
    /// What confirms it.
    by: BTreeSet<String>,
    /// What refutes it.
    against: Option<String>,
}

/// What several witnesses tell of one thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Told {
    /// Nothing.
    #[default]
    Nothing,
    /// All the same.
    One(Slide),
    /// They contradict each other.
    Torn,
}

impl Told {
    fn hear(&mut self, slide: Slide) {
        *self = match self {
            Told::Nothing => Told::One(slide),
            Told::One(known) if *known == slide => return,
            _ => Told::Torn,
        };
    }

    fn one(self) -> Option<Slide> {
        match self {
            Told::One(slide) => Some(slide),
            _ => None,
        }
    }
}

/// What logs say of images.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    images: BTreeMap<String, Seen>,
    /// Places whose code was looked at.
    coded: BTreeSet<String>,
    /// Where the kernel ran, as addresses beside symbols tell, and as its code does.
    slide: Told,
    slide_by_code: Told,
    /// Which alternatives the kernel chose.
    pub settled: Settled,
}

impl Evidence {
    /// Takes what `oops` says of the images of `kernel`.
    pub fn observe(&mut self, oops: &Oops, facts: &Facts, kernel: &Kernel<'_>) {
        for placed in kernel.images() {
            let image = &placed.image;
            let vmlinux = image.kind() == ImageKind::Vmlinux;
            let ids = oops.all_frames().filter_map(|f| {
                let symbol = f.symbol.as_ref()?;
                let module = symbol.module.as_deref()?;
                (same_name(module, image.name())).then_some(symbol.build_id.as_deref()?)
            });
            let ids: BTreeSet<&str> = match vmlinux {
                true => oops.build_id.as_deref().into_iter().collect(),
                false => ids.collect(),
            };
            let seen = self.images.entry(underscored(image.name())).or_default();
            seen.identify(image, &ids);
            seen.release(image, oops.version());
            if vmlinux && facts.release == oops.release {
                seen.banner(image, facts.banner.as_deref());
            }
        }
        for frame in oops.all_frames() {
            self.size(frame, kernel);
            let block = frame.block.and_then(|b| oops.blocks.get(b));
            if let Some(Code::Bytes(code, Some(mark))) = block.and_then(|b| b.code.as_ref()) {
                self.code(frame, code, *mark, facts, kernel);
            }
        }
        settle(oops, kernel, &mut self.settled);
    }

    /// Whether any log had a function of the image called `name`.
    pub(crate) fn met(&self, name: &str) -> bool {
        let seen = self.images.get(&underscored(name));
        seen.is_some_and(|s| !s.fit.is_empty() || !s.unfit.is_empty())
    }

    /// What is held of the image called `name`.
    pub(crate) fn verdict(&self, name: &str) -> Verdict {
        match self.images.get(&underscored(name)) {
            Some(seen) => seen.verdict(name),
            None => Verdict::Unconfirmed,
        }
    }

    /// Runtime minus link address of the kernel: as frames tell that have both a symbol and an address; else as the
    /// fields of its code do, if all of them agree.
    pub(crate) fn slide(&self) -> Option<Slide> {
        match self.slide {
            Told::Nothing => self.slide_by_code.one(),
            told => told.one(),
        }
    }

    /// What the code around RIP says of the image it is of.
    fn code(
        &mut self,
        frame: &LogFrame,
        code: &[u8],
        mark: usize,
        facts: &Facts,
        kernel: &Kernel<'_>,
    ) {
        /// So many bytes are no accident.
        const ENOUGH: usize = 16;
        if self.coded.len() > MAX_NAMES || !self.coded.insert(frame.printed()) {
            return;
        }
        let Ok(located) = find(frame, kernel, None) else {
            return;
        };
        let at = located.link.offset(-(mark as i64));
        let image = located.image;
        let vmlinux = image.kind() == ImageKind::Vmlinux;
        if image.bits() == 32 {
            // What is patched in 32-bit code is not known here: equal code confirms, other code says nothing.
            if image.code(at).starts_with(code) && code.len() >= ENOUGH {
                let seen = self.images.entry(underscored(image.name())).or_default();
                seen.by.insert("the code around EIP".to_owned());
            }
            return;
        }
        // Each piece of code is asked by itself, so that one that went bad does not speak for all.
        let slide = facts.offset.map(Slide).or(self.slide.one());
        let Some(found) = compare(image, at, code, slide.filter(|_| vmlinux)) else {
            return;
        };
        if vmlinux && slide.is_none() {
            found.slide.iter().for_each(|s| self.slide_by_code.hear(*s));
            if found.torn {
                self.slide_by_code = Told::Torn;
            }
        }
        let seen = self.images.entry(underscored(image.name())).or_default();
        if found.refutes() {
            let why = format!(
                "its code at {} is not what ran: {} of {} bytes differ, and no patching explains it",
                frame.printed(),
                found.unexplained.len(),
                code.len()
            );
            seen.against.get_or_insert(why);
        } else if found.unexplained.is_empty() && found.same >= ENOUGH {
            let by = match found.by_shape {
                false => "the code around RIP",
                true => "the code around RIP, its patches by their shape",
            };
            seen.by.insert(by.to_owned());
        }
    }

    fn size(&mut self, frame: &LogFrame, kernel: &Kernel<'_>) {
        let Some(symbol) = &frame.symbol else { return };
        let name = symbol.module.as_deref().unwrap_or("vmlinux");
        if kernel.image(name).is_none() {
            return;
        }
        let seen = self.images.entry(underscored(name)).or_default();
        if seen.fit.contains(&symbol.name) || seen.fit.len() > MAX_NAMES {
            return;
        }
        match find(frame, kernel, None) {
            Ok(located) => {
                // A name without its size fits many builds.
                if symbol.size.is_some() {
                    seen.fit.insert(symbol.name.clone());
                }
                if symbol.module.is_none()
                    && symbol.offset.is_some()
                    && let Some(slide) = slide(frame, located)
                {
                    self.slide.hear(slide);
                }
            }
            Err(Missing::Several(_)) if symbol.size.is_some() => {
                seen.fit.insert(symbol.name.clone());
            }
            Err(Missing::Size(size)) if seen.unfit.len() < MAX_NAMES => {
                let printed = symbol.size.unwrap_or(0);
                seen.unfit.insert(symbol.name.clone(), (printed, size));
            }
            Err(Missing::Symbol) if seen.absent.len() < MAX_NAMES => {
                seen.absent.insert(symbol.name.clone());
            }
            Err(_) => {}
        }
    }
}

/// The slide that an address beside a symbol tells, if it is one that KASLR makes.
fn slide(frame: &LogFrame, located: Located<'_, '_>) -> Option<Slide> {
    Slide::kaslr(frame.address?.wrapping_sub(located.link.0))
}

impl Seen {
    fn identify(&mut self, image: &Image<'_>, ids: &BTreeSet<&str>) {
        let Some(own) = image.build_id().map(hex) else {
            return;
        };
        for id in ids {
            match id.eq_ignore_ascii_case(&own) {
                true => {
                    self.by.insert("its build-id".to_owned());
                }
                false => {
                    let why = format!("has build-id {own}, the log's is {id}");
                    self.against.get_or_insert(why);
                }
            }
        }
    }

    fn release(&mut self, image: &Image<'_>, release: Option<&str>) {
        let (Some(wanted), Some(own)) = (release, image.release()) else {
            return;
        };
        if wanted != own {
            let why = format!("is Linux {own}, the log is of {wanted}");
            self.against.get_or_insert(why);
        }
    }

    fn banner(&mut self, image: &Image<'_>, banner: Option<&str>) {
        // The same banner once is enough: the search for it goes through all constants.
        if banner.is_none() || self.by.contains(BANNER) {
            return;
        }
        let (Some(wanted), Some(own)) = (banner, image.banner()) else {
            return;
        };
        let (wanted, own) = (wanted.trim(), own.trim());
        // The number of the build is put in by the linker, in one of two copies; a console may cut off the end.
        let build = |b: &str| {
            let rest = &b[b.find(" #")? + 2..];
            Some(
                rest.trim_start_matches(|c: char| c.is_ascii_digit())
                    .trim()
                    .to_owned(),
            )
        };
        match (build(wanted), build(own)) {
            (Some(log), Some(own)) if !log.is_empty() && log == own => {
                self.by.insert(BANNER.to_owned());
            }
            (Some(log), Some(own)) if !own.starts_with(&log) => {
                let why = format!("is of the build \"{own}\", the log's is \"{log}\"");
                self.against.get_or_insert(why);
            }
            _ => {}
        }
    }

    fn verdict(&self, name: &str) -> Verdict {
        let sure = self.by.contains("its build-id");
        if let Some(why) = self.against.as_ref().filter(|_| !sure) {
            return Verdict::Refuted(why.clone());
        }
        // A log may be damaged in places; of another build some functions differ, however alike it is.
        let whole = self.by.contains(BANNER);
        let bearable = if whole {
            self.fit.len()
        } else {
            self.fit.len() / 16
        };
        if self.unfit.len() > bearable && !sure {
            let (function, (log, own)) = self.unfit.first_key_value().expect("not empty");
            return Verdict::Refuted(format!(
                "its {function} has {own:#x} bytes, the log's {log:#x}; {} of {} functions differ",
                self.unfit.len(),
                self.unfit.len() + self.fit.len()
            ));
        }
        if self.fit.is_empty() && self.absent.len() >= ENOUGH && !sure {
            let first = self.absent.first().expect("not empty");
            return Verdict::Refuted(format!("has no {first}, nor any other function of the log"));
        }
        let mut by: Vec<String> = self.by.iter().cloned().collect();
        if self.fit.len() >= ENOUGH && self.unfit.is_empty() {
            by.push(format!("the sizes of {} functions", self.fit.len()));
        }
        // A module is small: all of its functions that were met, and one is enough with the kernel's release.
        if name != "vmlinux" && by.is_empty() && self.fit.len() >= 2 && self.unfit.is_empty() {
            by.push(format!("the sizes of {} functions", self.fit.len()));
        }
        match by.is_empty() {
            true => Verdict::Unconfirmed,
            false => Verdict::Confirmed(by),
        }
    }
}
