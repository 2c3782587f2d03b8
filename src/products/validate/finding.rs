//! What was found, and where.

use super::check::Check;
use crate::base::addr::{Address, LinkAddr, RetAddr};
use crate::formats::image::ElfImage;

/// What kind of place a finding is at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum What {
    /// The whole image, or one of its sections.
    Image,
    /// A function.
    Function,
    /// A row of a table.
    Row,
    /// The instruction behind a call.
    Return,
    /// An instruction.
    Instruction,
    /// The faulting instruction of an exception-table row.
    Faulting,
    /// A landing.
    Landing,
}

impl What {
    /// Its name in JSON and in baselines.
    pub fn name(self) -> &'static str {
        match self {
            What::Image => "image",
            What::Function => "function",
            What::Row => "row",
            What::Return => "return",
            What::Instruction => "instruction",
            What::Faulting => "faulting",
            What::Landing => "landing",
        }
    }
}

/// A place in an image.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub struct Spot {
    /// Link address; 0 for the whole image.
    pub link: LinkAddr,
    /// What is there.
    pub what: What,
    /// The function around it, or else the last symbol before it.
    pub function: Option<String>,
    /// Bytes from the beginning of that.
    pub offset: u64,
}

impl Spot {
    /// The whole image.
    pub fn image() -> Self {
        Spot {
            link: LinkAddr(0),
            what: What::Image,
            function: None,
            offset: 0,
        }
    }

    /// The place `link` of `image`.
    pub fn at(image: &ElfImage<'_>, link: LinkAddr, what: What) -> Self {
        let symbols = image.symbols();
        let around = symbols.function(link).or_else(|| symbols.nearest(link));
        let start = around.map_or(link, |id| symbols.range(id).0);
        Spot {
            link,
            what,
            function: around.map(|id| symbols.name(id).to_owned()),
            offset: link.since(start).unwrap_or(0),
        }
    }
}

/// One fault.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// Which check found it.
    pub check: &'static Check,
    /// Where.
    pub spot: Spot,
    /// The code that it is about: first link address and end; equal for none or all of it.
    pub code: (LinkAddr, LinkAddr),
    /// Another place that it compares with that code, if it does.
    pub also: Option<LinkAddr>,
    /// What is wrong there, on one line, without the place.
    pub message: String,
}

impl Finding {
    /// A finding about the image as a whole.
    pub fn of_image(check: &'static Check, message: impl Into<String>) -> Self {
        Finding {
            check,
            spot: Spot::image(),
            code: (LinkAddr(0), LinkAddr(0)),
            also: None,
            message: message.into(),
        }
    }

    /// A finding at a place.
    pub fn at(check: &'static Check, spot: Spot, message: impl Into<String>) -> Self {
        let code = (spot.link, RetAddr::behind(spot.link).0);
        Finding {
            check,
            spot,
            code,
            also: None,
            message: message.into(),
        }
    }

    /// The same, compared with what is at `place`.
    pub fn beside(self, place: LinkAddr) -> Self {
        Finding {
            also: Some(place),
            ..self
        }
    }

    /// The same about the code from `start` to `end`.
    pub fn about(self, start: LinkAddr, end: LinkAddr) -> Self {
        Finding {
            code: (start, end),
            ..self
        }
    }
}
