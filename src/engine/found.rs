//! What was found of a place that was asked for.

use std::fmt;

use crate::base::text::escaped;
use crate::engine::stack::Frame;

/// What was found of one place. A name may be of several: each is an answer then.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// What was asked for; `None` for an address in its usual form.
    pub asked: Option<&'a str>,
    /// The frame; `None` where there is no such place.
    pub frame: Option<Frame<'a>>,
    /// Why there is no function.
    pub missed: Option<Missed<'a>>,
}

/// Why nothing was found.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Missed<'a> {
    /// An address in no text of the images.
    NoText,
    /// No image has the symbol.
    NoSymbol {
        /// Its name.
        name: &'a str,
        /// The image that was named.
        module: Option<&'a str>,
    },
    /// The words are no place.
    NoPlace,
}

impl fmt::Display for Missed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missed::NoText => f.write_str("in no text of the images given"),
            Missed::NoSymbol { name, module } => {
                write!(f, "no code symbol {}", escaped(name))?;
                module.map_or(Ok(()), |m| write!(f, " of {}", escaped(m)))
            }
            Missed::NoPlace => f.write_str("neither an address nor SYMBOL+OFFSET/SIZE"),
        }
    }
}
