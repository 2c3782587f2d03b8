//! A frame as JSON: `fixtrace.frame/1`. Fields are only ever added.

use serde::Serialize;

use crate::addr::LinkAddr;
use crate::attribute::Function;
use crate::lines::demangle;
use crate::symbolize::Resolved;

/// The name of this form.
pub const SCHEMA: &str = "fixtrace.frame/1";

/// A frame.
#[derive(Clone, Serialize, Debug)]
pub struct Frame {
    /// [`SCHEMA`]
    pub schema: &'static str,
    /// What was asked for (`lookup`).
    pub query: Option<String>,
    /// Runtime address.
    pub pc: Option<String>,
    /// Link address in `image`.
    pub address: Option<String>,
    /// `vmlinux`, a module's name, or a path.
    pub image: Option<String>,
    /// What others print.
    pub symbol: Option<Symbol>,
    /// The attributed function.
    pub function: Option<String>,
    /// The source-level function of a `.part`, `.isra` or `.constprop` clone.
    pub parent: Option<String>,
    /// How the function is known.
    pub basis: &'static str,
    /// How sure it is.
    pub certainty: &'static str,
    /// All functions it could be.
    pub candidates: Vec<String>,
    /// The fixup the PC lies in.
    pub fixup: Option<Fixup>,
    /// How the PC was obtained.
    pub trust: &'static str,
    /// Inlined calls, innermost first; the last is the physical function.
    pub inlines: Vec<InlineCall>,
    /// What else was noticed.
    pub notes: Vec<String>,
}

/// The nearest symbol.
#[derive(Clone, Serialize, Debug)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// Bytes from it to the PC.
    pub offset: u64,
    /// Its ELF size in bytes.
    pub size: Option<u64>,
}

/// A fixup.
#[derive(Clone, Serialize, Debug)]
pub struct Fixup {
    /// Runtime address where known, else link address, as all addresses here.
    pub landing: String,
    /// Where it rejoins functions.
    pub resumes: Vec<Resume>,
    /// Faulting instructions that lead to the PC.
    pub origins: Vec<Origin>,
}

/// A resume address.
#[derive(Clone, Serialize, Debug)]
pub struct Resume {
    /// Where.
    pub address: String,
    /// In which function.
    pub function: Option<String>,
}

/// A faulting instruction.
#[derive(Clone, Serialize, Debug)]
pub struct Origin {
    /// The function that owns it.
    pub function: String,
    /// Bytes from the function to it.
    pub offset: u64,
    /// Where it is.
    pub address: String,
    /// Handler function or type.
    pub handler: String,
    /// What the handler does to registers.
    pub effect: Option<String>,
    /// Witnesses.
    pub evidence: Vec<&'static str>,
}

/// An inlined call.
#[derive(Clone, Serialize, Debug)]
pub struct InlineCall {
    /// The function.
    pub function: Option<String>,
    /// Source file.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
}

impl Frame {
    /// The twin of `resolved`, whose PC was obtained as `trust` says.
    pub fn new(resolved: &Resolved<'_, '_>, query: Option<&str>, trust: &'static str) -> Self {
        let a = &resolved.attribution;
        let slide = resolved
            .located
            .and_then(|l| l.placed.slide)
            .unwrap_or_default();
        let shown = |at: LinkAddr| slide.runtime(at).to_string();
        let name = |f: &Function<'_>| demangle(f.name);
        let fixup = a.fixup.as_ref().map(|f| Fixup {
            landing: shown(f.landing),
            resumes: f
                .resumes
                .iter()
                .map(|(at, function)| Resume {
                    address: shown(*at),
                    function: function.map(demangle),
                })
                .collect(),
            origins: f
                .origins
                .iter()
                .map(|o| Origin {
                    function: name(&o.function),
                    offset: o.offset,
                    address: shown(o.address),
                    handler: o.handler.clone(),
                    effect: o.effect.clone(),
                    evidence: o.evidence.iter().map(|e| e.name()).collect(),
                })
                .collect(),
        });
        let inline = |i: &crate::lines::Inline| InlineCall {
            function: i.function.clone(),
            file: i.file.clone(),
            line: i.line,
            column: i.column,
        };
        Frame {
            schema: SCHEMA,
            query: query.map(str::to_owned),
            pc: resolved.pc.map(|a| a.to_string()),
            address: resolved.located.map(|l| l.link.to_string()),
            image: resolved.located.map(|l| l.placed.image.name().to_owned()),
            symbol: a.nearest.as_ref().map(|n| Symbol {
                name: n.name.to_owned(),
                offset: n.offset,
                size: n.size,
            }),
            function: a.function.as_ref().map(name),
            parent: a.function.as_ref().and_then(|f| f.parent).map(demangle),
            basis: a.basis.name(),
            certainty: a.certainty.name(),
            candidates: a.candidates.iter().map(name).collect(),
            fixup,
            trust,
            inlines: resolved.inlines.iter().map(inline).collect(),
            notes: a.notes.clone(),
        }
    }
}
