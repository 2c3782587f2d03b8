//! What was noticed at a frame, as values; and their one rendering in words.

use std::fmt;

use crate::base::addr::{Addr, LinkAddr};
use crate::base::name::{Name, joined, own};
use crate::base::text::{Escaping, escaped};
use crate::world::dump::Tracer;

/// Something noticed. [`Display`](fmt::Display) gives it as a sentence without a full stop.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Remark<'a> {
    /// The symbols have no sizes: where functions end is read from their code.
    SizesAssumed,
    /// In the padding before a function.
    Padding(Name<'a>),
    /// The nearest symbol ends before.
    PastEnd {
        /// Its name.
        symbol: Name<'a>,
        /// Bytes from its end.
        bytes: u64,
    },
    /// The nearest symbol has no size.
    Label(Name<'a>),
    /// In a stub of `static_cpu_has()`.
    CpuFeatureStub,
    /// A fault inside fixup code led here.
    Chained {
        /// Fixups between the origin and here.
        depth: usize,
        /// Whether it cannot have come from an origin straight.
        surely: bool,
    },
    /// The function that covers the fixup code comes to it by itself, too.
    RunsItself(Name<'a>),
    /// One of the faulting instructions that lead here is in code that no function is known for.
    UnknownOrigin,
    /// An instruction of the exception table that is tried again.
    Retried {
        /// Handler or type.
        handler: Name<'a>,
    },
    /// An instruction of the exception table.
    MayFault {
        /// Handler or type.
        handler: Name<'a>,
        /// Where a fault goes on, as symbol and offset.
        to: Name<'a>,
    },
    /// A landing inside of a function.
    Landing {
        /// The first instruction that may fault so, as symbol and offset.
        from: Name<'a>,
        /// How many others.
        more: usize,
    },
    /// The source line of fixup code itself.
    LandingLine {
        /// The landing: where it ran, or where it is linked if that is not known.
        landing: Addr,
        /// The file.
        file: Name<'a>,
        /// The line.
        line: u32,
    },
    /// Of the caller's call: it does not decide.
    CallUndecided(Undecided<'a>),
    /// The caller's call reaches none of the origins.
    CallDisagrees {
        /// What it reaches.
        called: Vec<Name<'a>>,
    },
    /// The symbol asked for has another size than was said.
    OtherSize(Name<'a>),
    /// Several symbols have the name asked for.
    SameName(usize),
    /// Several modules that run nobody knows where are linked at the address asked for.
    SameAddress(usize),
    /// ORC and CFI give different frame addresses.
    TablesDisagree {
        /// The frame address by the row that was followed.
        used: Addr,
        /// Whether that was ORC's.
        orc: bool,
        /// The other's.
        other: Addr,
    },
    /// The PC is no code: a call through a bad pointer led here.
    BadCall,
    /// No table has a row: RBP was taken for a frame pointer.
    NoRow,
    /// No table leads here: the first return address on the stack whose call is of the function before.
    Scanned,
    /// A tracer had replaced this return address.
    Hijacked(Tracer),
    /// The PC is where a tracer makes functions return to.
    Trampoline(Tracer),
    /// The stack pointer was in the guard page below its stack.
    GuardPage,
    /// Code that was made at run time; its name, where that is known.
    Generated(Option<Name<'a>>),
    /// The CPU is in a handler that was called here; its frames are not known.
    HandlerUnknown,
    /// No file of this module is at hand: what memory holds of it serves.
    OutOfMemory(Name<'a>),
    /// No call ends at this return address.
    NoCall,
    /// The call before this return address goes to another place.
    Elsewhere(Addr),
    /// Frames of a log that cannot follow each other.
    Broken {
        /// The frame inside.
        inner: Name<'a>,
        /// The function that the call names, if one ends there; and whether that one calls the frame inside.
        called: Option<(Name<'a>, bool)>,
        /// Frames marked with `?` that fill the gap.
        lost: Vec<Name<'a>>,
    },
    /// A frame marked with `?` whose call names the frame inside.
    Confirmed(Name<'a>),
    /// A frame of a log that has no place in the images.
    Missing(Missing),
}

/// Why a frame of a log has no place in the images.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Missing {
    /// No image of the module is at hand.
    Module(String),
    /// The image has no symbol of this name.
    Symbol,
    /// The image has the symbol, but in another size, in bytes.
    Size(u64),
    /// Several functions have this name and this size.
    Several(usize),
    /// The log gives a number, and where the kernel was is not known, or nothing was there.
    Address,
    /// The log gives a name without the bytes from it.
    Offset,
}

/// Why the call of a frame's caller does not tell the owners of a fixup apart.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Undecided<'a> {
    /// It is of another image.
    OtherImage,
    /// It is of code that is in no image.
    NoImage,
    /// It is through a pointer.
    Pointer,
    /// It is of a function that goes on through a pointer, or by code that is not at hand.
    Anywhere(Name<'a>),
    /// No function covers what it is of.
    Uncovered(LinkAddr),
    /// No call ends at the return address.
    NoCall(LinkAddr),
    /// The return address is in no function.
    NoFunction(LinkAddr),
    /// The index does not hold it.
    NotHeld(LinkAddr),
}

impl Remark<'_> {
    /// Whether it is about what a log shows, beside what is true of the place.
    pub fn is_of_log(&self) -> bool {
        matches!(
            self,
            Remark::Broken { .. } | Remark::Confirmed(_) | Remark::Missing(_)
        )
    }

    /// The same with names of its own.
    pub fn into_owned(self) -> Remark<'static> {
        match self {
            Remark::SizesAssumed => Remark::SizesAssumed,
            Remark::Padding(name) => Remark::Padding(own(name)),
            Remark::PastEnd { symbol, bytes } => Remark::PastEnd {
                symbol: own(symbol),
                bytes,
            },
            Remark::Label(name) => Remark::Label(own(name)),
            Remark::CpuFeatureStub => Remark::CpuFeatureStub,
            Remark::Chained { depth, surely } => Remark::Chained { depth, surely },
            Remark::RunsItself(name) => Remark::RunsItself(own(name)),
            Remark::UnknownOrigin => Remark::UnknownOrigin,
            Remark::Retried { handler } => Remark::Retried {
                handler: own(handler),
            },
            Remark::MayFault { handler, to } => Remark::MayFault {
                handler: own(handler),
                to: own(to),
            },
            Remark::Landing { from, more } => Remark::Landing {
                from: own(from),
                more,
            },
            Remark::LandingLine {
                landing,
                file,
                line,
            } => Remark::LandingLine {
                landing,
                file: own(file),
                line,
            },
            Remark::CallUndecided(why) => Remark::CallUndecided(why.into_owned()),
            Remark::CallDisagrees { called } => Remark::CallDisagrees {
                called: called.into_iter().map(own).collect(),
            },
            Remark::OtherSize(name) => Remark::OtherSize(own(name)),
            Remark::SameName(count) => Remark::SameName(count),
            Remark::SameAddress(count) => Remark::SameAddress(count),
            Remark::TablesDisagree { used, orc, other } => {
                Remark::TablesDisagree { used, orc, other }
            }
            Remark::BadCall => Remark::BadCall,
            Remark::NoRow => Remark::NoRow,
            Remark::Scanned => Remark::Scanned,
            Remark::Hijacked(by) => Remark::Hijacked(by),
            Remark::Trampoline(by) => Remark::Trampoline(by),
            Remark::GuardPage => Remark::GuardPage,
            Remark::Generated(name) => Remark::Generated(name.map(own)),
            Remark::HandlerUnknown => Remark::HandlerUnknown,
            Remark::OutOfMemory(name) => Remark::OutOfMemory(own(name)),
            Remark::NoCall => Remark::NoCall,
            Remark::Elsewhere(at) => Remark::Elsewhere(at),
            Remark::Broken {
                inner,
                called,
                lost,
            } => Remark::Broken {
                inner: own(inner),
                called: called.map(|(name, missing)| (own(name), missing)),
                lost: lost.into_iter().map(own).collect(),
            },
            Remark::Confirmed(name) => Remark::Confirmed(own(name)),
            Remark::Missing(why) => Remark::Missing(why),
        }
    }
}

impl Undecided<'_> {
    fn into_owned(self) -> Undecided<'static> {
        match self {
            Undecided::OtherImage => Undecided::OtherImage,
            Undecided::NoImage => Undecided::NoImage,
            Undecided::Pointer => Undecided::Pointer,
            Undecided::Anywhere(name) => Undecided::Anywhere(own(name)),
            Undecided::Uncovered(at) => Undecided::Uncovered(at),
            Undecided::NoCall(at) => Undecided::NoCall(at),
            Undecided::NoFunction(at) => Undecided::NoFunction(at),
            Undecided::NotHeld(at) => Undecided::NotHeld(at),
        }
    }
}

impl fmt::Display for Remark<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.say(&mut Escaping(f))
    }
}

impl Remark<'_> {
    fn say(&self, f: &mut dyn fmt::Write) -> fmt::Result {
        match self {
            Remark::SizesAssumed => {
                f.write_str("no symbol sizes: where the function ends is read from its code")
            }
            Remark::Padding(base) => write!(f, "in the padding before {base}"),
            Remark::PastEnd { symbol, bytes } => {
                write!(f, "{symbol} ends {bytes:#x} bytes before")
            }
            Remark::Label(symbol) => write!(
                f,
                "{symbol} is no function with a size: it need not own what follows"
            ),
            Remark::CpuFeatureStub => {
                f.write_str("a stub of static_cpu_has(): its branches go back into the function")
            }
            Remark::Chained { depth, surely } => {
                let how = if *surely { "was" } else { "may have been" };
                write!(
                    f,
                    "reached by a fault inside fixup code: the origin {how} left {depth} fixups before"
                )
            }
            Remark::RunsItself(name) => write!(f, "{name} may run this code itself"),
            Remark::UnknownOrigin => {
                f.write_str("a faulting instruction in code of unknown origin leads here, too")
            }
            Remark::Retried { handler } => write!(
                f,
                "exception-table instruction ({handler}): after a fault it is tried again"
            ),
            Remark::MayFault { handler, to } => write!(
                f,
                "exception-table instruction ({handler}): a fault goes on at {to}"
            ),
            Remark::Landing { from, more: 0 } => write!(f, "landing for a fault at {from}"),
            Remark::Landing { from, more } => {
                write!(f, "landing for faults at {from} and {more} more")
            }
            Remark::LandingLine {
                landing,
                file,
                line,
            } => write!(f, "the code at the landing {landing} is of {file}:{line}"),
            Remark::CallUndecided(why) => write!(f, "{why}"),
            Remark::CallDisagrees { called } => write!(
                f,
                "the caller's call reaches {}, none of the origins: the two witnesses disagree",
                joined(called, " or ")
            ),
            Remark::OtherSize(name) => write!(
                f,
                "{name} has another size here: is this the image it ran in?"
            ),
            Remark::SameName(count) => write!(f, "one of {count} symbols of that name"),
            Remark::SameAddress(count) => write!(
                f,
                "one of {count} modules linked at that address (MODULE:ADDR asks for one, FILE@ADDR places one)"
            ),
            Remark::TablesDisagree { used, orc, other } => {
                let (a, b) = if *orc { ("ORC", "CFI") } else { ("CFI", "ORC") };
                write!(
                    f,
                    "the tables disagree: frame address {used} by {a}, which was followed, {other} by {b}"
                )
            }
            Remark::BadCall => f.write_str("no code: a call through a bad pointer led here"),
            Remark::NoRow => f.write_str("no unwind row: RBP was taken for a frame pointer"),
            Remark::Scanned => f.write_str(
                "by no table: the first return address on the stack whose call is of the function before",
            ),
            Remark::Hijacked(by) => write!(f, "{} had replaced this return address", by.name()),
            Remark::Trampoline(by) => write!(
                f,
                "{} returns here first; where it goes on is not known",
                by.name()
            ),
            Remark::GuardPage => {
                f.write_str("the stack pointer is in the guard page: stack overflow")
            }
            Remark::Generated(Some(name)) => write!(f, "code made at run time: {name}"),
            Remark::Generated(None) => f.write_str("code made at run time"),
            Remark::HandlerUnknown => f.write_str(
                "the CPU did not answer: what the handler of this exception does is not known",
            ),
            Remark::OutOfMemory(module) => write!(
                f,
                "in module {module}, no image of it: names and tables are those in memory"
            ),
            Remark::NoCall => f.write_str("no call ends at this return address"),
            Remark::Elsewhere(at) => write!(
                f,
                "the call before this return address goes to {at}, which does not lead to the frame before"
            ),
            Remark::Broken {
                inner,
                called,
                lost,
            } => {
                match called {
                    None => write!(f, "no call ends here that could have led to {inner}")?,
                    Some((called, true)) => write!(
                        f,
                        "the call before this address is of {called}, which calls {inner}: {called} is missing between them"
                    )?,
                    Some((called, false)) => write!(
                        f,
                        "the call before this address is of {called}, which does not lead to {inner}: frames are missing"
                    )?,
                }
                match &lost[..] {
                    [] => Ok(()),
                    lost => write!(f, ", probably {}", joined(lost, ", ")),
                }
            }
            Remark::Confirmed(inner) => write!(
                f,
                "the call before this address is of {inner}: likely a true frame"
            ),
            Remark::Missing(why) => write!(f, "{why}"),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::Module(name) => write!(f, "no image of {}", escaped(name)),
            Missing::Symbol => f.write_str("the image has no such symbol"),
            Missing::Size(size) => write!(f, "the image has the symbol with {size:#x} bytes"),
            Missing::Several(count) => {
                write!(f, "{count} functions have this name and size")
            }
            Missing::Offset => f.write_str("the log has no offset of it"),
            Missing::Address => {
                f.write_str("where the kernel was is not known, or nothing was there")
            }
        }
    }
}

impl fmt::Display for Undecided<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Undecided::OtherImage => {
                f.write_str("the caller calls another image: its call does not decide")
            }
            Undecided::NoImage => {
                f.write_str("the caller calls code of no image: its call does not decide")
            }
            Undecided::Pointer => {
                f.write_str("the caller calls through a pointer: its call does not decide")
            }
            Undecided::Anywhere(called) => write!(
                f,
                "the caller's call reaches {}, which may go on to any function: it does not decide",
                escaped(called)
            ),
            Undecided::Uncovered(at) => write!(
                f,
                "the caller's call reaches {at}, which no function covers: it does not decide"
            ),
            Undecided::NoCall(ret) => {
                write!(f, "no call ends at the caller's {ret}: it does not decide")
            }
            Undecided::NoFunction(ret) => {
                write!(f, "caller {ret} lies in no function: its call is not read")
            }
            Undecided::NotHeld(ret) => write!(
                f,
                "the index does not hold the call before {ret}: it does not decide"
            ),
        }
    }
}
