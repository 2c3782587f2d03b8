//! What a session noticed, as values with one way to say them.

use std::fmt;
use std::path::PathBuf;

use crate::base::error::{Error, Finding};
use crate::base::gate::Refused;
use crate::base::text::Escaping;
use crate::formats::image::note::hex;
use crate::formats::orc::{NoOrc, OrcVersion, Rung};

/// Something that whoever reads the answers may want to know. Nothing of it is an error: answers are given all the same.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Noticed {
    /// An image was read out of its index.
    FromIndex {
        /// The image.
        image: PathBuf,
    },
    /// An index was of no use, and its image was read instead.
    IndexUnusable {
        /// The index.
        index: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An index was to be written and could not be.
    IndexUnwritten(Error),
    /// A separate debug file is used.
    DebugFile {
        /// The image.
        image: PathBuf,
        /// Its debug file.
        file: PathBuf,
    },
    /// A separate debug file is there and of no use.
    DebugFileUnusable(Error),
    /// An image tells no names.
    NoSymbols {
        /// The image.
        image: PathBuf,
    },
    /// Debug information was asked for and could not be read.
    NoLines(Error),
    /// A file that an input names is not read.
    Refused(Refused),
    /// So many more such files are not read.
    MoreRefused(u64),
    /// What an input calls its kernel's release is none: modules are not looked for by it.
    NoRelease(Error),
    /// A module was found and could not be opened.
    ModuleUnusable(Error),
    /// An image is used whose banner is of another release than the input.
    OtherRelease {
        /// The image.
        image: PathBuf,
        /// Its release.
        found: String,
        /// The input's.
        wanted: String,
    },
    /// An image is not the one that memory holds.
    OtherImage {
        /// The image.
        image: PathBuf,
        /// What differs.
        why: String,
        /// Whether it is used all the same.
        used: bool,
    },
    /// Code of a module is in use for which there is no file: what memory holds of it serves.
    Recovered {
        /// The module's name.
        module: String,
    },
    /// A log proves that an image is not the one that ran.
    Refuted {
        /// Its name, `vmlinux` or the module's.
        name: String,
        /// The image.
        image: PathBuf,
        /// By what.
        why: String,
        /// Whether it is used all the same.
        used: bool,
    },
    /// A log confirms that an image is the one that ran.
    Confirmed {
        /// The image.
        image: PathBuf,
        /// By what.
        by: Vec<String>,
    },
    /// A log holds too little to tell.
    Unconfirmed {
        /// The image.
        image: PathBuf,
    },
    /// The kernel that a log is of could not be opened.
    Unopened(Error),
    /// An image in use.
    Image {
        /// Its name.
        name: String,
        /// The file.
        path: PathBuf,
        /// Its kernel's release.
        release: Option<String>,
        /// Its build-id.
        build_id: Option<Vec<u8>>,
    },
    /// Which ORC table an image has.
    Orc {
        /// The image's name.
        name: String,
        /// The form of its rows.
        version: OrcVersion,
        /// How that is known.
        by: Rung,
    },
    /// An image has no ORC table.
    NoOrc {
        /// The image's name.
        name: String,
        /// Why.
        why: NoOrc,
    },
    /// The ORC table of an image cannot be read.
    OrcUnreadable(Error),
    /// Something odd in a file that was to be told about.
    Input {
        /// The file, where the finding does not tell.
        file: Option<PathBuf>,
        /// What.
        finding: Finding,
    },
    /// Something odd in an image.
    Odd {
        /// The image's name, where the finding does not tell.
        name: Option<String>,
        /// What.
        finding: Finding,
    },
    /// A limit left something out.
    LeftOut(Finding),
    /// An image is neither a vmlinux, a module nor the vDSO.
    OtherKind {
        /// The image's name.
        name: String,
    },
}

/// How much it matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// How something was done; for whoever asks.
    Detail,
    /// Answers are less than they could be.
    Warning,
}

impl Noticed {
    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Noticed::FromIndex { .. }
            | Noticed::DebugFile { .. }
            | Noticed::Confirmed { .. }
            | Noticed::Image { .. }
            | Noticed::Orc { .. }
            | Noticed::NoOrc { .. }
            | Noticed::OrcUnreadable(_)
            | Noticed::Odd { .. }
            | Noticed::OtherKind { .. } => Level::Detail,
            _ => Level::Warning,
        }
    }
}

/// What follows the reason that an image is another.
fn used_or(used: bool, otherwise: &'static str) -> &'static str {
    match used {
        true => "; used all the same",
        false => otherwise,
    }
}

impl fmt::Display for Noticed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // An error may list files on lines of their own.
            Noticed::ModuleUnusable(e) | Noticed::Unopened(e) | Noticed::OrcUnreadable(e) => {
                e.fmt(f)
            }
            other => other.say(&mut Escaping(f)),
        }
    }
}

impl Noticed {
    fn say(&self, f: &mut dyn fmt::Write) -> fmt::Result {
        match self {
            Noticed::FromIndex { image } => write!(f, "{}: from its index", image.display()),
            Noticed::IndexUnusable { index, why } => {
                write!(f, "{}: {why}; not used", index.display())
            }
            Noticed::IndexUnwritten(e) => write!(f, "{e}; no index written"),
            Noticed::DebugFile { image, file } => {
                write!(f, "{}: debug file {}", image.display(), file.display())
            }
            Noticed::DebugFileUnusable(e) => write!(f, "{e}; not used"),
            Noticed::NoSymbols { image } => write!(
                f,
                "{}: no symbols (pass --symbols System.map, or a file with .symtab)",
                image.display()
            ),
            Noticed::NoLines(e) => write!(f, "{e}; no source lines"),
            Noticed::Refused(refused) => write!(f, "{refused}"),
            Noticed::MoreRefused(more) => {
                write!(f, "{more} more files that inputs name were not read")
            }
            Noticed::NoRelease(e) => write!(f, "{e}; no modules are looked for by it"),
            Noticed::ModuleUnusable(e) | Noticed::Unopened(e) | Noticed::OrcUnreadable(e) => {
                write!(f, "{e}")
            }
            Noticed::OtherRelease {
                image,
                found,
                wanted,
            } => write!(
                f,
                "{}: is Linux {found}, the input is of {wanted}; used all the same",
                image.display()
            ),
            Noticed::OtherImage { image, why, used } => {
                let then = used_or(*used, "; not used");
                write!(f, "{}: {why}{then}", image.display())
            }
            Noticed::Recovered { module } => write!(
                f,
                "{module}: no image of it; code, names and tables are those in memory, without source lines"
            ),
            Noticed::Refuted {
                name,
                image,
                why,
                used,
            } => {
                // Without its vmlinux nothing at all is said of a log.
                let left_out = match &**name {
                    "vmlinux" => "",
                    _ => "; not used (--force uses it)",
                };
                write!(f, "{}: {why}{}", image.display(), used_or(*used, left_out))
            }
            Noticed::Confirmed { image, by } => {
                write!(f, "{}: confirmed by {}", image.display(), by.join(", "))
            }
            Noticed::Unconfirmed { image } => write!(
                f,
                "{}: the log holds too little to confirm that this ran",
                image.display()
            ),
            Noticed::Image {
                name,
                path,
                release,
                build_id,
            } => {
                let release = release.as_deref().unwrap_or("release unknown");
                write!(f, "{name}: {} ({release}, ", path.display())?;
                match build_id {
                    Some(id) => write!(f, "build-id {})", hex(id)),
                    None => f.write_str("no build-id)"),
                }
            }
            Noticed::Orc { name, version, by } => {
                write!(f, "{name}: ORC version {version} by {by}")
            }
            Noticed::NoOrc { name, why } => write!(f, "{name}: no ORC table: {why}"),
            Noticed::Odd { name, finding } => match name {
                Some(name) => write!(f, "{name}: {finding}"),
                None => write!(f, "{finding}"),
            },
            Noticed::Input { file, finding } => match file {
                Some(file) => write!(f, "{}: {finding}", file.display()),
                None => write!(f, "{finding}"),
            },
            Noticed::LeftOut(finding) => write!(f, "{finding}"),
            Noticed::OtherKind { name } => {
                write!(f, "{name}: neither a vmlinux, a module nor the vDSO")
            }
        }
    }
}
