//! Why an image has no ORC table.

use std::fmt;

use crate::formats::image::ElfImage;

/// Why an image has no ORC table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NoOrc {
    /// It has no code.
    NoCode,
    /// It is of 32 bits, and ORC is of x86_64.
    ThirtyTwoBits,
    /// It had one: other sections that are made together with it are there.
    Removed,
    /// objtool made none for its code, be it that one file is passed over or all are.
    NotMade,
}

impl NoOrc {
    /// Why `image`, which has none, has none.
    pub fn of(image: &ElfImage<'_>) -> Self {
        // Not `.orc_header`: since 6.4 every module has one, by modpost.
        let traces = [".orc_unwind", ".orc_unwind_ip", ".orc_lookup"];
        let relocations = |name: &str| name.starts_with(".rela.orc_unwind");
        let left = |name: &str| traces.contains(&name) || relocations(name);
        if image.bits() == 32 {
            NoOrc::ThirtyTwoBits
        } else if image.text_sections().all(|s| s.size == 0) {
            NoOrc::NoCode
        } else if image.sections().iter().any(|s| left(s.name)) {
            NoOrc::Removed
        } else {
            NoOrc::NotMade
        }
    }

    /// What explains it, where it may surprise.
    pub fn hint(self) -> Option<&'static str> {
        match self {
            NoOrc::NoCode | NoOrc::ThirtyTwoBits => None,
            NoOrc::Removed => Some("take the file as the build installed it"),
            NoOrc::NotMade => Some(
                "objtool passes over OBJECT_FILES_NON_STANDARD (arch/x86/crypto up to 5.12), and kernels with frame \
                 pointers have no ORC at all; call-frame information unwinds them",
            ),
        }
    }
}

impl fmt::Display for NoOrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoOrc::NoCode => "it has no code",
            NoOrc::ThirtyTwoBits => "it is of 32 bits, and ORC is of x86_64",
            NoOrc::Removed => "it was stripped of .orc_unwind",
            NoOrc::NotMade => "it was built without",
        })
    }
}
