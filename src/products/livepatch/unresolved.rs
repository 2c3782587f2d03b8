//! Why the kernel finds no function to patch.

use std::fmt;

use crate::base::addr::{Addr, LinkAddr};
use crate::base::text::escaped;

/// One of the symbols of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Choice {
    /// Its position, from 1.
    pub sympos: u64,
    /// Link address.
    pub link: LinkAddr,
    /// Runtime address, where that is known.
    pub addr: Option<Addr>,
    /// Whether it is code.
    pub code: bool,
    /// Its source file, where that is known.
    pub file: Option<String>,
}

/// Why there is nothing to patch.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Unresolved {
    /// The image is not at hand.
    NoImage,
    /// No symbol has the name.
    NotFound {
        /// Other objects that have it.
        elsewhere: Vec<String>,
        /// Whether it is code of a module's initialisation, which is gone when that is over.
        freed: bool,
    },
    /// Several have it, and none was chosen.
    Ambiguous(Vec<Choice>),
    /// There are not as many.
    NoPosition(Vec<Choice>),
    /// It is a variable.
    Data(Choice),
}

impl Unresolved {
    /// What can be chosen instead.
    pub fn choices(&self) -> &[Choice] {
        match self {
            Unresolved::Ambiguous(all) | Unresolved::NoPosition(all) => all,
            Unresolved::Data(one) => std::slice::from_ref(one),
            Unresolved::NoImage | Unresolved::NotFound { .. } => &[],
        }
    }

    /// Its name in JSON.
    pub fn id(&self) -> &'static str {
        match self {
            Unresolved::NoImage => "no-image",
            Unresolved::NotFound { .. } => "not-found",
            Unresolved::Ambiguous(_) => "ambiguous",
            Unresolved::NoPosition(_) => "no-position",
            Unresolved::Data(_) => "data",
        }
    }

    /// What the kernel logs of `asked` (kernel/livepatch/core.c `klp_find_object_symbol()`, 5.10-7.2); `None` where it
    /// waits for a module without a word, or where that depends on its tracer.
    pub fn kernel(&self, asked: &super::asked::Asked) -> Option<String> {
        let name = &asked.name;
        // printk prints a null pointer so.
        let object = asked.object.as_deref();
        Some(match self {
            Unresolved::NoImage | Unresolved::Data(_) => return None,
            Unresolved::NotFound { .. } => format!("symbol '{name}' not found in symbol table"),
            Unresolved::Ambiguous(_) => format!(
                "unresolvable ambiguity for symbol '{name}' in object '{}'",
                object.unwrap_or("(null)")
            ),
            Unresolved::NoPosition(_) => format!(
                "symbol position {} for symbol '{name}' in object '{}' not found",
                asked.sympos,
                object.unwrap_or("vmlinux")
            ),
        })
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unresolved::NoImage => f.write_str("its image is not at hand"),
            Unresolved::NotFound { freed: true, .. } => {
                f.write_str("is code of initialisation, which is gone when that is over")
            }
            Unresolved::NotFound { elsewhere, .. } if !elsewhere.is_empty() => {
                let elsewhere = elsewhere.join(", ");
                write!(f, "no such symbol there; {} has one", escaped(&elsewhere))
            }
            Unresolved::NotFound { .. } => f.write_str("no such symbol"),
            Unresolved::Ambiguous(all) => {
                write!(
                    f,
                    "{} symbols have that name, and none is chosen",
                    all.len()
                )
            }
            Unresolved::NoPosition(all) if all.len() == 1 => {
                f.write_str("one symbol has that name")
            }
            Unresolved::NoPosition(all) => write!(f, "{} symbols have that name", all.len()),
            Unresolved::Data(_) => f.write_str("is a variable"),
        }
    }
}
