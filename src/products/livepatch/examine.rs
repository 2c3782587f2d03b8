//! All that makes one function hard or dangerous to patch, as far as its image tells.

use super::asked::Asked;
use super::hazard::{Effect, Hazard, Kind};
use super::location::{self, Location};
use super::subject::Subject;
use super::target::{Target, resolve};
use super::unresolved::Unresolved;
use super::{ends, inlined, keys, names, outside, sleeps};

use crate::world::kernel::Kernel;
use crate::world::session::{Session, with};

/// What an image tells of patching one of its functions.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Examined {
    /// The function.
    pub target: Target,
    /// Its source file and line, where that is known.
    pub source: Option<(String, u32)>,
    /// Where the tracer diverts calls of it.
    pub location: Location,
    /// What the kernel logs when it refuses the patch.
    pub refused: Option<String>,
    /// The hazards, in the order of [`super::hazard::KINDS`].
    pub hazards: Vec<Hazard>,
    /// What could not be looked at.
    pub gaps: Vec<Gap>,
}

/// What is missing to say more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Gap {
    /// Debug information.
    Lines,
    /// The file that the index is of.
    Code,
    /// The table of places that the tracer can patch.
    Mcount,
}

impl Gap {
    /// What is not known for it.
    pub fn text(self) -> &'static str {
        match self {
            Gap::Lines => "without debug information it is not known where it was inlined",
            Gap::Code => "without the file that the index was made from its code is not looked at",
            Gap::Mcount => "the image has no table of places that can be traced",
        }
    }
}

/// How a livepatch would fare.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing speaks against it.
    Plain,
    /// Too little is known.
    Unknown,
    /// Something has to be looked after.
    Hard,
    /// The kernel may let tasks go that are in the function.
    Dangerous,
    /// The kernel refuses it.
    Refused,
}

impl Verdict {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Plain => "plain",
            Verdict::Unknown => "unknown",
            Verdict::Hard => "hard",
            Verdict::Dangerous => "dangerous",
            Verdict::Refused => "refused",
        }
    }
}

impl Examined {
    /// The worst that was found.
    pub fn verdict(&self) -> Verdict {
        let worst = self.hazards.iter().map(|h| match h.effect {
            Effect::Refused => Verdict::Refused,
            Effect::Hidden => Verdict::Dangerous,
            Effect::Note => Verdict::Plain,
            _ => Verdict::Hard,
        });
        let known = match self.location {
            Location::Unknown => Verdict::Unknown,
            Location::At(_) | Location::Nowhere => Verdict::Plain,
        };
        worst.chain([known]).max().unwrap_or(known)
    }
}

/// Looks at the function that is asked for, in the images of `session`.
///
/// # Errors
/// Why the kernel would find none.
pub fn examined(session: &Session, asked: &Asked) -> Result<Examined, Unresolved> {
    with(session, |view| {
        let kernel = view.kernel();
        let target = resolve(&kernel, asked)?;
        examine(&kernel, &target).ok_or(Unresolved::NoImage)
    })
}

/// Looks at the function `target` of `kernel`; `None` where its image is not there.
pub fn examine(kernel: &Kernel<'_>, target: &Target) -> Option<Examined> {
    let image = &*kernel.image(&target.image)?.image;
    let subject = Subject::new(kernel, image, target);
    let location = location::location(image, target);
    let lines = image.lines().ok().flatten();
    let mut gaps = Vec::new();
    gaps.extend(image.is_excerpt().then_some(Gap::Code));
    gaps.extend((location == Location::Unknown && !image.is_excerpt()).then_some(Gap::Mcount));
    gaps.extend(lines.is_none().then_some(Gap::Lines));
    let mut hazards = Vec::new();
    hazards.extend(refusals(&subject, location));
    hazards.extend(outside::hazards(&subject));
    hazards.extend(ends::hazards(&subject));
    hazards.extend(inlined::hazard(&subject));
    hazards.extend(names::hazards(&subject));
    hazards.extend(sleeps::hazards(&subject));
    hazards.extend(keys::hazards(&subject));
    hazards.sort_by_key(|h| h.kind);
    let place = lines.and_then(|l| l.at(target.link).last());
    let source = place.and_then(|p| Some((p.file?.to_string(), p.line?)));
    let refused = location == Location::Nowhere;
    Some(Examined {
        source,
        location,
        refused: refused.then(|| location::refused(image, &target.asked.name)),
        hazards,
        gaps,
        target: target.clone(),
    })
}

/// Why calls cannot be diverted.
fn refusals(subject: &Subject<'_, '_>, location: Location) -> Vec<Hazard> {
    let image = subject.image;
    if location != Location::Nowhere {
        return Vec::new();
    }
    let own = || vec![subject.spot(subject.target.link, "")];
    let hazard = |kind, fact: &str| Hazard::new(kind, fact, own());
    let mut found = vec![hazard(
        Kind::NoFtraceLocation,
        "is in no list of the tracer's",
    )];
    let symbols = image.symbols();
    let cold = crate::formats::image::names::cold_base(subject.name());
    let file = image.lines().ok().flatten();
    let file = file.and_then(|l| l.at(subject.target.link).last()?.file);
    let assembler = file.as_ref().is_some_and(|f| f.ends_with(".S"));
    let parent = subject
        .id
        .filter(|_| cold.is_some())
        .map(|id| symbols.cold_parent(id).all());
    found.push(match parent {
        Some(parents) => {
            let spots = parents
                .iter()
                .map(|id| subject.spot(symbols.range(*id).0, ""));
            let spots = spots.collect();
            Hazard::new(Kind::ColdSymbol, "is a cold part", spots)
        }
        None if location::is_freed(image, subject.target.link) => {
            hazard(Kind::InitText, "is in memory that is freed")
        }
        None if names::region(subject, &[".noinstr.text", ".entry.text"]) => {
            hazard(Kind::Noinstr, "is in .noinstr.text or .entry.text")
        }
        None if assembler => hazard(Kind::Assembler, "its source is assembler"),
        None if file.is_some() => hazard(Kind::Notrace, "has no call of __fentry__"),
        None => return found,
    });
    found
}
