//! The answer to "which function was it?", as data.

use crate::base::addr::LinkAddr;
use crate::base::name::{Name, own};
use crate::engine::remark::Remark;
use crate::formats::extable::walk::Exit;

/// How the function is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Basis {
    /// A sized symbol covers the PC.
    Symbol,
    /// The PC lies in a cold part; the function is its parent.
    Cold,
    /// The PC lies in fixup code; the function is the origin.
    Fixup,
    /// The PC lies in text that nothing is known of.
    Anonymous,
    /// The PC lies in a thunk that stands for a jump, call or return.
    Trampoline,
    /// A sized symbol of a program in user space covers the PC.
    User,
    /// The PC lies in no image.
    None,
}

impl Basis {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Basis::Symbol => "symbol",
            Basis::Cold => "cold",
            Basis::Fixup => "fixup",
            Basis::Anonymous => "anonymous",
            Basis::Trampoline => "trampoline",
            Basis::User => "user",
            Basis::None => "none",
        }
    }
}

/// How sure the function is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Certainty {
    /// Not known.
    Unknown,
    /// One of several.
    Ambiguous,
    /// This one.
    Exact,
}

impl Certainty {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Certainty::Unknown => "unknown",
            Certainty::Ambiguous => "ambiguous",
            Certainty::Exact => "exact",
        }
    }
}

/// A witness for an origin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Evidence {
    /// A row of `__ex_table` leads here.
    ExTable,
    /// Following the landing's code leads here.
    ControlFlow,
    /// The caller's call instruction calls this function.
    CallSite,
    /// With the values that the caller passed, its call comes to the faulting instruction, and to no other's.
    Values,
}

impl Evidence {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Evidence::ExTable => "extable",
            Evidence::ControlFlow => "control-flow",
            Evidence::CallSite => "call-site",
            Evidence::Values => "values",
        }
    }
}

/// What others print.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Nearest<'d> {
    /// The last symbol not above the address.
    pub name: Name<'d>,
    /// Bytes from it to the PC.
    pub offset: u64,
    /// Its ELF size in bytes; `None` for a label.
    pub size: Option<u64>,
    /// Bytes to the next symbol, which the kernel prints as size.
    pub extent: u64,
}

/// A function that may have been running.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Function<'d> {
    /// Its name, of the parent for a cold part.
    pub name: Name<'d>,
    /// Its first byte.
    pub addr: LinkAddr,
    /// The source-level function of a `.part`, `.isra` or `.constprop` clone.
    pub parent: Option<Name<'d>>,
}

/// A faulting instruction that leads to the PC.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Origin<'d> {
    /// The function that owns it.
    pub function: Function<'d>,
    /// Bytes from the function (or its cold part) to the instruction.
    pub offset: u64,
    /// The faulting instruction.
    pub address: LinkAddr,
    /// `ex_handler_uaccess`, `EX_TYPE_UACCESS`, …
    pub handler: String,
    /// What the handler does to registers.
    pub effect: Option<String>,
    /// Witnesses.
    pub evidence: Vec<Evidence>,
}

/// The fixup a PC lies in.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Fixup<'d> {
    /// Where the handler sent execution; the first of several.
    pub landing: LinkAddr,
    /// Exits into functions: resume address and function.
    pub resumes: Vec<(LinkAddr, Option<Name<'d>>)>,
    /// The other exits: returns, indirect jumps and stops.
    pub exits: Vec<Exit>,
    /// What the PC goes back to.
    pub origins: Vec<Origin<'d>>,
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Attribution<'d> {
    /// What others print.
    pub nearest: Option<Nearest<'d>>,
    /// The function, when it is certain.
    pub function: Option<Function<'d>>,
    /// How it is known.
    pub basis: Basis,
    /// How sure it is.
    pub certainty: Certainty,
    /// All functions it could be, sorted by address; the function alone when certain.
    pub candidates: Vec<Function<'d>>,
    /// The fixup the PC lies in.
    pub fixup: Option<Fixup<'d>>,
    /// What else was noticed.
    pub remarks: Vec<Remark<'d>>,
}

impl<'d> Attribution<'d> {
    /// For a PC that no image holds.
    pub fn nowhere() -> Self {
        Attribution {
            nearest: None,
            function: None,
            basis: Basis::None,
            certainty: Certainty::Unknown,
            candidates: Vec::new(),
            fixup: None,
            remarks: Vec::new(),
        }
    }

    /// Fills function, certainty and candidates from what it could be.
    pub(super) fn settle(&mut self, mut candidates: Vec<Function<'d>>) {
        candidates.sort_by_key(|f| f.addr);
        candidates.dedup();
        (self.certainty, self.function) = match &candidates[..] {
            [] => (Certainty::Unknown, None),
            [one] => (Certainty::Exact, Some(one.clone())),
            _ => (Certainty::Ambiguous, None),
        };
        if self.remarks.contains(&Remark::UnknownOrigin) {
            self.certainty = self.certainty.min(Certainty::Ambiguous);
            self.function = None;
        }
        self.candidates = candidates;
    }

    /// The same with names of its own.
    pub fn into_owned(self) -> Attribution<'static> {
        Attribution {
            nearest: self.nearest.map(Nearest::into_owned),
            function: self.function.map(Function::into_owned),
            basis: self.basis,
            certainty: self.certainty,
            candidates: self
                .candidates
                .into_iter()
                .map(Function::into_owned)
                .collect(),
            fixup: self.fixup.map(Fixup::into_owned),
            remarks: self.remarks.into_iter().map(Remark::into_owned).collect(),
        }
    }
}

impl Nearest<'_> {
    fn into_owned(self) -> Nearest<'static> {
        Nearest {
            name: own(self.name),
            offset: self.offset,
            size: self.size,
            extent: self.extent,
        }
    }
}

impl Function<'_> {
    /// The same with names of its own.
    pub fn into_owned(self) -> Function<'static> {
        Function {
            name: own(self.name),
            addr: self.addr,
            parent: self.parent.map(own),
        }
    }
}

impl Fixup<'_> {
    fn into_owned(self) -> Fixup<'static> {
        let resume = |(at, function): (LinkAddr, Option<Name<'_>>)| (at, function.map(own));
        let origin = |o: Origin<'_>| Origin {
            function: o.function.into_owned(),
            offset: o.offset,
            address: o.address,
            handler: o.handler,
            effect: o.effect,
            evidence: o.evidence,
        };
        Fixup {
            landing: self.landing,
            resumes: self.resumes.into_iter().map(resume).collect(),
            exits: self.exits,
            origins: self.origins.into_iter().map(origin).collect(),
        }
    }
}
