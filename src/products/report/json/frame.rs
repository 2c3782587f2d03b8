//! A frame as JSON: `fixtrace.frame/1`. Fields are only ever added.

use std::borrow::Cow;

use serde::Serialize;

use super::Address;
use crate::base::addr::LinkAddr;
use crate::base::demangle::demangle;
use crate::base::name::Name;
use crate::engine::attribute;
use crate::engine::stack;
use crate::formats::lines::Inline;
use crate::products::report::human::named as name;

/// The name of this form.
pub(crate) const SCHEMA: &str = "fixtrace.frame/1";

/// A frame.
#[derive(Clone, Serialize, Debug)]
pub struct Frame<'a> {
    /// The name of this form, with its version.
    pub schema: &'static str,
    /// What was asked for (`lookup`).
    pub query: Option<&'a str>,
    /// Runtime address.
    pub pc: Option<Address>,
    /// Link address in `image`.
    pub address: Option<Address>,
    /// `vmlinux`, a module's name, or a path.
    pub image: Option<&'a str>,
    /// What others print.
    pub symbol: Option<Symbol<'a>>,
    /// The attributed function.
    pub function: Option<Cow<'a, str>>,
    /// The source-level function of a `.part`, `.isra` or `.constprop` clone.
    pub parent: Option<Cow<'a, str>>,
    /// How the function is known.
    pub basis: &'static str,
    /// How sure it is.
    pub certainty: &'static str,
    /// All functions it could be.
    pub candidates: Vec<Cow<'a, str>>,
    /// The fixup the PC lies in.
    pub fixup: Option<Fixup<'a>>,
    /// How the PC was obtained.
    pub trust: &'static str,
    /// Inlined calls, innermost first; the last is the physical function.
    pub inlines: Vec<InlineCall<'a>>,
    /// What else was noticed.
    pub notes: Vec<String>,
}

/// The nearest symbol.
#[derive(Clone, Serialize, Debug)]
pub struct Symbol<'a> {
    /// Its name.
    pub name: &'a str,
    /// Bytes from it to the PC.
    pub offset: u64,
    /// Its ELF size in bytes.
    pub size: Option<u64>,
}

/// A fixup.
#[derive(Clone, Serialize, Debug)]
pub struct Fixup<'a> {
    /// Runtime address where known, else link address, as all addresses here.
    pub landing: Address,
    /// Its exits into functions.
    pub resumes: Vec<Resume<'a>>,
    /// Its other exits.
    pub exits: Vec<&'static str>,
    /// Faulting instructions that lead to the PC.
    pub origins: Vec<Origin<'a>>,
}

/// A resume address.
#[derive(Clone, Serialize, Debug)]
pub struct Resume<'a> {
    /// Where.
    pub address: Address,
    /// In which function.
    pub function: Option<Cow<'a, str>>,
}

/// A faulting instruction.
#[derive(Clone, Serialize, Debug)]
pub struct Origin<'a> {
    /// The function that owns it.
    pub function: Cow<'a, str>,
    /// Bytes from the function to it.
    pub offset: u64,
    /// Where it is.
    pub address: Address,
    /// Handler function or type.
    pub handler: &'a str,
    /// What the handler does to registers.
    pub effect: Option<&'a str>,
    /// Witnesses.
    pub evidence: Vec<&'static str>,
}

/// An inlined call.
#[derive(Clone, Serialize, Debug)]
pub struct InlineCall<'a> {
    /// The function.
    pub function: Option<&'a str>,
    /// Source file.
    pub file: Option<&'a str>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
}

impl<'a> Frame<'a> {
    /// The twin of `frame`, which was asked for as `query`.
    pub fn new(frame: &'a stack::Frame<'_>, query: Option<&'a str>) -> Self {
        let a = &frame.attribution;
        let place = frame.place.as_ref();
        let slide = place.and_then(|p| p.slide).unwrap_or_default();
        let shown = |at: LinkAddr| Address(slide.runtime(at).0);
        let remarks = frame.all_remarks().filter(|r| !r.is_of_log());
        Frame {
            schema: SCHEMA,
            query,
            pc: frame.pc.map(|pc| Address(pc.raw().0)),
            address: place.map(|p| Address(p.pc.raw().0)),
            image: place.map(|p| &*p.image),
            symbol: a.nearest.as_ref().map(|n| Symbol {
                name: &n.name,
                offset: n.offset,
                size: n.size,
            }),
            function: a.function.as_ref().map(name),
            parent: a
                .function
                .as_ref()
                .and_then(|f| f.parent.as_deref())
                .map(demangle),
            basis: a.basis.name(),
            certainty: a.certainty.name(),
            candidates: a.candidates.iter().map(name).collect(),
            fixup: a.fixup.as_ref().map(|f| fixup(f, shown)),
            trust: frame.trust.name(),
            inlines: frame.inlines.iter().map(inline).collect(),
            notes: remarks.map(ToString::to_string).collect(),
        }
    }
}

fn fixup<'a>(f: &'a attribute::Fixup<'_>, shown: impl Fn(LinkAddr) -> Address) -> Fixup<'a> {
    let resume = |(at, function): &'a (LinkAddr, Option<Name<'_>>)| Resume {
        address: shown(*at),
        function: function.as_deref().map(demangle),
    };
    let origin = |o: &'a attribute::Origin<'_>| Origin {
        function: name(&o.function),
        offset: o.offset,
        address: shown(o.address),
        handler: &o.handler,
        effect: o.effect.as_deref(),
        evidence: o.evidence.iter().map(|e| e.name()).collect(),
    };
    Fixup {
        landing: shown(f.landing),
        resumes: f.resumes.iter().map(resume).collect(),
        exits: f.exits.iter().map(|e| e.name()).collect(),
        origins: f.origins.iter().map(origin).collect(),
    }
}

fn inline<'a>(i: &'a Inline<'_>) -> InlineCall<'a> {
    InlineCall {
        function: i.function.as_deref(),
        file: i.file.as_deref(),
        line: i.line,
        column: i.column,
    }
}
