//! All entries of call-frame information, those that cannot be read among them.
//!
//! Source: DWARF 5 section 6.4.1; of `.eh_frame` the Linux Standard Base core specification, section 10.6.

use std::collections::HashMap;

use gimli::{
    BaseAddresses, CommonInformationEntry, Section, UnwindOffset, UnwindSection as Entries,
};

use super::frames::{Description, FrameTables, Kind, common as common_of};
use super::sections::Slice;
use crate::base::bytes::{u32_at, u64_at};

/// A description, and what it has in common with others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Described {
    /// The description.
    pub entry: Description,
    /// Offset of what it has in common with others ("CIE").
    pub cie: usize,
}

/// An entry, or what is left of a section, that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreadable {
    /// Its section.
    pub kind: Kind,
    /// Its offset there.
    pub at: usize,
    /// Why.
    pub why: String,
    /// Code that would be described, as far as that is known: first link address and end, in no order.
    pub code: Vec<(u64, u64)>,
    /// Whether all that follows is lost, too.
    pub rest: bool,
}

/// All entries of both sections, each in the order in which they stand.
#[derive(Clone, Default, Debug)]
pub struct Survey {
    /// What can be read.
    pub described: Vec<Described>,
    /// What cannot.
    pub unreadable: Vec<Unreadable>,
}

impl FrameTables<'_> {
    /// Reads the heads of all entries.
    pub(crate) fn survey(&self) -> Survey {
        let mut all = Survey::default();
        let (debug, eh, bases) = self.parts();
        walk(debug, bases, Kind::Debug, &mut all);
        walk(eh, bases, Kind::Eh, &mut all);
        all
    }
}

/// What entries have in common, by offset; broken ones as the number of what is said of them.
type Common<'d> = HashMap<usize, Result<CommonInformationEntry<Slice<'d>>, usize>>;

fn walk<'d, S: Entries<Slice<'d>> + Section<Slice<'d>>>(
    section: &S,
    bases: &BaseAddresses,
    kind: Kind,
    all: &mut Survey,
) where
    S::Offset: UnwindOffset<usize>,
{
    let bytes = section.reader().slice();
    let mut common: Common<'d> = HashMap::new();
    let mut at = 0;
    while at < bytes.len() {
        let Some((head, id, end)) = head(bytes, at, kind) else {
            let left = bytes.len() - at;
            let why = match u32_at(bytes, at) {
                Some(len) => {
                    format!("an entry of {len:#x} bytes does not fit the {left:#x} that are left")
                }
                None => format!("{left:#x} bytes are left, and no entry fits them"),
            };
            all.unreadable.push(lost(kind, at, why, true));
            return;
        };
        // A length of nothing: the end of `.eh_frame`, of which linkers leave some in the middle; else padding.
        let Some(id) = id else {
            at = end;
            continue;
        };
        match id {
            Id::Common => {
                // What is wrong with it is among `all`.
                let _ = cie(section, bases, (kind, at), &mut common, all);
            }
            Id::At(offset) => {
                let read = offset
                    .ok_or_else(|| lost(kind, at, "it belongs to no other entry".into(), false));
                let read = read.and_then(|offset| {
                    match cie(section, bases, (kind, offset), &mut common, all) {
                        Ok(cie) => fde(section, bases, (kind, at), (offset, cie)),
                        Err(number) => {
                            // What is wrong there is said of that; what it would have described goes with it.
                            if let (Some(code), Some(of)) =
                                (plain(bytes, head, kind), all.unreadable.get_mut(number))
                            {
                                of.code.push(code);
                            }
                            Ok(None)
                        }
                    }
                });
                match read {
                    Ok(found) => all.described.extend(found),
                    Err(mut broken) => {
                        broken.code.extend(plain(bytes, head, kind));
                        all.unreadable.push(broken);
                    }
                }
            }
        }
        at = end;
    }
}

/// What stands in the head of an entry.
enum Id {
    /// It is what others have in common.
    Common,
    /// It belongs to what is there.
    At(Option<usize>),
}

/// Behind its head, what it is, and its end; `None` when it does not fit.
fn head(bytes: &[u8], at: usize, kind: Kind) -> Option<(usize, Option<Id>, usize)> {
    let short = u32_at(bytes, at)?;
    let wide = short == u32::MAX;
    let (len, body) = match wide {
        true => (u64_at(bytes, at + 4)?, at + 12),
        false => (short.into(), at + 4),
    };
    if len == 0 {
        return Some((body, None, body));
    }
    let end = body.checked_add(usize::try_from(len).ok()?)?;
    if end > bytes.len() {
        return None;
    }
    // The number has eight bytes in 64-bit DWARF only.
    let big = wide && kind == Kind::Debug;
    let (number, behind) = match big {
        true => (u64_at(bytes, body)?, body + 8),
        false => (u32_at(bytes, body)?.into(), body + 4),
    };
    let is_common = match kind {
        Kind::Debug => number == if big { u64::MAX } else { u32::MAX.into() },
        Kind::Eh => number == 0,
    };
    let number = usize::try_from(number).ok();
    let id = match (is_common, kind) {
        (true, _) => Id::Common,
        (_, Kind::Debug) => Id::At(number),
        (_, Kind::Eh) => Id::At(number.and_then(|n| body.checked_sub(n))),
    };
    Some((behind, Some(id), end))
}

/// The code that a description of the usual form is of, whatever it belongs to.
fn plain(bytes: &[u8], head: usize, kind: Kind) -> Option<(u64, u64)> {
    if kind == Kind::Eh {
        return None;
    }
    let start = u64_at(bytes, head)?;
    Some((start, start.checked_add(u64_at(bytes, head + 8)?)?))
}

fn lost(kind: Kind, at: usize, why: String, rest: bool) -> Unreadable {
    Unreadable {
        kind,
        at,
        why,
        code: Vec::new(),
        rest,
    }
}

/// What is at `at`, read once; if it is broken, the number of what is said of it.
fn cie<'c, 'd, S: Entries<Slice<'d>> + Section<Slice<'d>>>(
    section: &S,
    bases: &BaseAddresses,
    (kind, at): (Kind, usize),
    common: &'c mut Common<'d>,
    all: &mut Survey,
) -> Result<&'c CommonInformationEntry<Slice<'d>>, usize> {
    let read = common.entry(at).or_insert_with(|| {
        common_of(section, bases, at.into()).map_err(|why| {
            all.unreadable.push(lost(kind, at, why.to_string(), false));
            all.unreadable.len() - 1
        })
    });
    read.as_ref().map_err(|number| *number)
}

fn fde<'d, S: Entries<Slice<'d>>>(
    section: &S,
    bases: &BaseAddresses,
    (kind, at): (Kind, usize),
    (offset, cie): (usize, &CommonInformationEntry<Slice<'d>>),
) -> Result<Option<Described>, Unreadable> {
    let partial = section.partial_fde_from_offset(bases, at.into());
    let read = partial.and_then(|partial| partial.parse(|_, _, _| Ok(cie.clone())));
    let fde = read.map_err(|why| lost(kind, at, why.to_string(), false))?;
    let start = fde.initial_address();
    let Some(end) = start.checked_add(fde.len()) else {
        let why = format!(
            "{:#x} bytes from {start:#x} on are more than there are",
            fde.len()
        );
        return Err(lost(kind, at, why, false));
    };
    Ok(Some(Described {
        entry: Description {
            start,
            end,
            at,
            kind,
        },
        cie: offset,
    }))
}
