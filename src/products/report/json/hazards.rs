//! What makes a function hard or dangerous to patch, as JSON: `fixtrace.livepatch-static/1`. Fields are only ever added.

use serde::Serialize;

use super::Address;
use crate::products::livepatch::asked::Asked;
use crate::products::livepatch::examine::Examined;
use crate::products::livepatch::hazard;
use crate::products::livepatch::location::Location;
use crate::products::livepatch::unresolved::{self, Unresolved};

/// The name of this form.
pub(crate) const SCHEMA: &str = "fixtrace.livepatch-static/1";

/// A function.
#[derive(Serialize, Debug)]
pub struct Function<'a> {
    /// The name of this form, with its version.
    pub schema: &'static str,
    /// What was asked for.
    pub query: String,
    /// The symbol.
    pub name: &'a str,
    /// The module; none for the kernel proper.
    pub object: Option<&'a str>,
    /// Which of the symbols of its name, from 1.
    pub sympos: Option<u64>,
    /// `vmlinux` or a module's name.
    pub image: Option<&'a str>,
    /// Runtime address.
    pub pc: Option<Address>,
    /// Link address.
    pub address: Option<Address>,
    /// Bytes that the kernel takes for it: up to the next symbol.
    pub size: Option<u64>,
    /// Where the tracer diverts calls, link address.
    pub location: Option<Address>,
    /// Source file.
    pub file: Option<&'a str>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// How a livepatch would fare.
    pub verdict: &'static str,
    /// Why the kernel finds no function.
    pub unresolved: Option<&'static str>,
    /// What the kernel logs when it refuses.
    pub refused: Option<String>,
    /// The symbols of that name, where they do not decide.
    pub choices: Vec<Choice<'a>>,
    /// What was found.
    pub hazards: Vec<Hazard<'a>>,
    /// What could not be looked at.
    pub notes: Vec<String>,
}

/// A symbol that may be meant.
#[derive(Serialize, Debug)]
pub struct Choice<'a> {
    /// Its position.
    pub sympos: u64,
    /// Link address.
    pub address: Address,
    /// Whether it is code.
    pub code: bool,
    /// Its source file.
    pub file: Option<&'a str>,
}

/// A hazard.
#[derive(Serialize, Debug)]
pub struct Hazard<'a> {
    /// Its kind.
    pub id: &'static str,
    /// What it does.
    pub effect: &'static str,
    /// What was found.
    pub message: &'a str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub help: &'static str,
    /// Where.
    pub places: Vec<Place<'a>>,
}

/// A place that shows it.
#[derive(Serialize, Debug)]
pub struct Place<'a> {
    /// Link address.
    pub address: Address,
    /// The function or symbol there.
    pub function: &'a str,
    /// Bytes from that to the place.
    pub offset: u64,
    /// How often.
    pub count: u64,
    /// What is there.
    pub what: &'a str,
}

impl<'a> Function<'a> {
    /// The twin of what is known of `asked`.
    pub fn new(asked: &'a Asked, answer: &'a Result<Examined, Unresolved>) -> Self {
        let found = answer.as_ref().ok();
        let why = answer.as_ref().err();
        let target = found.map(|f| &f.target);
        let source = found.and_then(|f| f.source.as_ref());
        let location = match found.map(|f| f.location) {
            Some(Location::At(at)) => Some(Address(at.0)),
            _ => None,
        };
        let gaps = found.map(|f| &f.gaps[..]).unwrap_or_default();
        let hazards = found.map(|f| &f.hazards[..]).unwrap_or_default();
        let choices = why.map(Unresolved::choices).unwrap_or_default();
        let refused = match answer {
            Ok(found) => found.refused.clone(),
            Err(why) => why.kernel(asked),
        };
        Function {
            schema: SCHEMA,
            query: asked.to_string(),
            name: &asked.name,
            object: asked.object.as_deref(),
            sympos: target.map(|t| t.position),
            image: target.map(|t| &*t.image),
            pc: target.and_then(|t| t.addr).map(|a| Address(a.0)),
            address: target.map(|t| Address(t.link.0)),
            size: target.map(|t| t.size),
            location,
            file: source.map(|s| &*s.0),
            line: source.map(|s| s.1),
            verdict: found.map_or("refused", |f| f.verdict().name()),
            unresolved: why.map(Unresolved::id),
            refused,
            choices: choices.iter().map(choice).collect(),
            hazards: hazards.iter().map(hazard).collect(),
            notes: why
                .map(ToString::to_string)
                .into_iter()
                .chain(gaps.iter().map(|g| g.text().to_owned()))
                .collect(),
        }
    }
}

fn choice(c: &unresolved::Choice) -> Choice<'_> {
    Choice {
        sympos: c.sympos,
        address: Address(c.link.0),
        code: c.code,
        file: c.file.as_deref(),
    }
}

fn hazard(h: &hazard::Hazard) -> Hazard<'_> {
    Hazard {
        id: h.kind.id(),
        effect: h.effect.name(),
        message: &h.fact,
        why: h.kind.why(),
        help: h.kind.help(),
        places: h.spots.iter().map(place).collect(),
    }
}

fn place(s: &hazard::Spot) -> Place<'_> {
    Place {
        address: Address(s.link.0),
        function: &s.function,
        offset: s.offset,
        count: s.count,
        what: &s.what,
    }
}
