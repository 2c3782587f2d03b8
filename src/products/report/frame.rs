//! A frame as JSON: `fixtrace.frame/1`. Fields are only ever added.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::base::addr::LinkAddr;
use crate::base::demangle::demangle;
use crate::engine::attribute::{self, Basis, Certainty, Function};
use crate::engine::resolve::Resolved;
use crate::formats::lines::{Inline, below};

/// The name of this form.
pub const SCHEMA: &str = "fixtrace.frame/1";

/// An address, shown as `0x…`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address(pub u64);

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buffer = [0; 18];
        serializer.serialize_str(self.text(&mut buffer))
    }
}

impl Address {
    /// The address in hexadecimal, written to `buffer`.
    pub fn text(self, buffer: &mut [u8; 18]) -> &str {
        let mut left = self.0;
        let mut at = buffer.len();
        loop {
            at -= 1;
            buffer[at] = b"0123456789abcdef"[(left & 15) as usize];
            left >>= 4;
            if left == 0 {
                break;
            }
        }
        buffer[at - 2..at].copy_from_slice(b"0x");
        str::from_utf8(&buffer[at - 2..]).unwrap_or_default()
    }
}

/// A frame.
#[derive(Clone, Serialize, Debug)]
pub struct Frame<'a> {
    /// [`SCHEMA`]
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
    pub notes: &'a [String],
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
    /// Where it rejoins functions.
    pub resumes: Vec<Resume<'a>>,
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
    /// For a PC that no image is known for.
    pub fn nowhere(pc: Option<Address>, trust: &'static str) -> Self {
        Frame {
            schema: SCHEMA,
            query: None,
            pc,
            address: None,
            image: None,
            symbol: None,
            function: None,
            parent: None,
            basis: Basis::None.name(),
            certainty: Certainty::Unknown.name(),
            candidates: Vec::new(),
            fixup: None,
            trust,
            inlines: Vec::new(),
            notes: &[],
        }
    }

    /// The twin of `resolved`, whose PC was obtained as `trust` says.
    pub fn new(
        resolved: &'a Resolved<'_, '_>,
        query: Option<&'a str>,
        trust: &'static str,
    ) -> Self {
        let a = &resolved.attribution;
        let slide = resolved
            .located
            .and_then(|l| l.placed.slide)
            .unwrap_or_default();
        let shown = |at: LinkAddr| Address(slide.runtime(at).0);
        Frame {
            schema: SCHEMA,
            query,
            pc: resolved.pc.map(|a| Address(a.0)),
            address: resolved.located.map(|l| Address(l.link.0)),
            image: resolved.located.map(|l| l.placed.image.name()),
            symbol: a.nearest.as_ref().map(|n| Symbol {
                name: n.name,
                offset: n.offset,
                size: n.size,
            }),
            function: a.function.as_ref().map(name),
            parent: a.function.as_ref().and_then(|f| f.parent).map(demangle),
            basis: a.basis.name(),
            certainty: a.certainty.name(),
            candidates: a.candidates.iter().map(name).collect(),
            fixup: a.fixup.as_ref().map(|f| fixup(f, shown)),
            trust,
            inlines: resolved.inlines.iter().map(inline).collect(),
            notes: &a.notes,
        }
    }

    /// The same without what `prefixes` say at the beginning of source paths: the first that fits counts.
    pub fn strip_prefixes(&mut self, prefixes: &[String]) {
        for file in self.inlines.iter_mut().filter_map(|i| i.file.as_mut()) {
            *file = below(file, prefixes);
        }
    }
}

fn name<'a>(f: &Function<'a>) -> Cow<'a, str> {
    demangle(f.name)
}

fn fixup<'a>(f: &'a attribute::Fixup<'_>, shown: impl Fn(LinkAddr) -> Address) -> Fixup<'a> {
    let resume = |(at, function): &(LinkAddr, Option<&'a str>)| Resume {
        address: shown(*at),
        function: function.map(demangle),
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
        origins: f.origins.iter().map(origin).collect(),
    }
}

fn inline<'a>(i: &'a Inline<'_>) -> InlineCall<'a> {
    InlineCall {
        function: i.function.as_deref(),
        file: i.file,
        line: i.line,
        column: i.column,
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn addresses_are_shown_in_hexadecimal() {
        for n in [0, 1, 0x10, 0xffff_ffff_81c0_1d27, u64::MAX] {
            assert_eq!(Address(n).text(&mut [0; 18]), format!("{n:#x}"));
        }
    }
}
