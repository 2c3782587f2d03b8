//! A form that code may have when it runs: bytes, and holes of which only a rule is known.

use super::look::{Goes, Look};
use super::nops::fills;
use super::patch::Patch;
use super::place::Place;
use crate::base::addr::{Address, LinkAddr, Slide};
use crate::base::bytes::{i32_at, put, uint_at};
use crate::formats::insn::fields::{Field, Means, fields};

/// See the module text.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub bytes: Vec<u8>,
    pub holes: Vec<Hole>,
    /// What made it; `None` for code as it was linked.
    pub patch: Option<Patch>,
    /// Whether the image has no table that could say that this place is patched.
    pub by_shape: bool,
}

/// Bytes of which only a rule is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hole {
    pub at: usize,
    pub len: usize,
    pub rule: Rule,
}

/// What the bytes of a hole may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// Anything: a constant, or what a relocation fills in.
    Any(Patch),
    /// What was linked, perhaps moved with the kernel; against it where `back`. What a field has to say of where the
    /// kernel was.
    Moves { back: bool, says: Says },
    /// NOPs, or INT3.
    Fill,
    /// The distance from `end` of a place.
    Branch { end: LinkAddr, to: Goes },
}

/// What a field has to say of where the kernel was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Says {
    /// It moved, or the kernel did not.
    All,
    /// By how much, if it moved: a number may look like an address.
    Moved,
    /// Nothing.
    Nothing,
}

/// What is shown of a place: the bytes from its first one on, `None` where they are cut off.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub ran: &'a [u8],
    /// Where the place begins in `ran`; before it where its beginning is cut off.
    pub begin: i64,
}

impl Shown<'_> {
    pub fn get(&self, k: usize) -> Option<u8> {
        let at = usize::try_from(self.begin.checked_add_unsigned(k as u64)?).ok()?;
        self.ran.get(at).copied()
    }

    /// What is shown of the place `k` bytes further.
    pub fn behind(self, k: usize) -> Self {
        Shown {
            begin: self.begin.saturating_add(k as i64),
            ..self
        }
    }

    /// What is shown of `len` bytes from the `k`-th on: those bytes, and whether they are cut off before and behind.
    fn part(&self, k: usize, len: usize) -> (Vec<u8>, bool, bool) {
        let all: Vec<Option<u8>> = (k..k + len).map(|k| self.get(k)).collect();
        let bytes: Vec<u8> = all.iter().flatten().copied().collect();
        let cut = |end: Option<&Option<u8>>| end.is_some_and(Option::is_none);
        (bytes, cut(all.first()), cut(all.last()))
    }

    fn number(&self, hole: &Hole) -> Option<u64> {
        let (bytes, before, behind) = self.part(hole.at, hole.len);
        let whole = !before && !behind && bytes.len() == hole.len;
        whole.then(|| number(&bytes)).flatten()
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    match bytes.len() {
        8 => Some(u64::from_le_bytes(*bytes.first_chunk()?)),
        n => uint_at(bytes, 0, n).map(u64::from),
    }
}

impl Form {
    /// Bytes without holes.
    pub fn new(patch: Patch, bytes: &[u8]) -> Self {
        Form {
            bytes: bytes.to_vec(),
            holes: Vec::new(),
            patch: Some(patch),
            by_shape: false,
        }
    }

    /// The same, and behind it a hole of `len` bytes.
    pub fn hole(mut self, len: usize, rule: Rule) -> Self {
        let at = self.bytes.len();
        self.bytes.resize(at + len, 0);
        self.holes.push(Hole { at, len, rule });
        self
    }

    /// The same, filled up to `len` bytes; `None` where it is longer already.
    pub fn filled(self, len: usize) -> Option<Self> {
        let more = len.checked_sub(self.bytes.len())?;
        Some(match more {
            0 => self,
            more => self.hole(more, Rule::Fill),
        })
    }

    /// The instruction at `place` as it was linked.
    pub fn linked(look: &Look<'_, '_>, place: Place) -> Option<Self> {
        let code = look.image.code(place.src).get(..place.len)?;
        Self::of(look, code, place)
    }

    /// The same with the bytes of the instruction.
    pub fn of(look: &Look<'_, '_>, code: &[u8], place: Place) -> Option<Self> {
        let Place {
            src,
            run,
            len,
            within,
        } = place;
        let mut form = Form {
            bytes: code.to_vec(),
            holes: Vec::new(),
            patch: None,
            by_shape: false,
        };
        let moved = run.0.wrapping_sub(src.0);
        for Field {
            at,
            len: size,
            means,
        } in fields(code, src, look.image.bits())
        {
            let (at, size) = (usize::from(at), usize::from(size));
            let rule = match means {
                Means::Branch(to) if moved != 0 && !(within.0..=within.1).contains(&to) => {
                    let end = run.offset(len as i64);
                    Some(Rule::Branch {
                        end,
                        to: Goes::To(to),
                    })
                }
                Means::Branch(_) => None,
                Means::Distance(to) => {
                    let distance = i32_at(&form.bytes, at)?.wrapping_sub(moved as i32);
                    put(&mut form.bytes, at, distance as u32 as u64, 4)?;
                    match look.per_cpu(to) {
                        true => Some(Rule::Moves {
                            back: true,
                            says: Says::All,
                        }),
                        // Code of 32 bits, which some text begins with, has the address there.
                        false => Some(Rule::Moves {
                            back: look.fixed(to),
                            says: Says::Nothing,
                        }),
                    }
                }
                Means::Address(to) if look.moves(to) => Some(Rule::Moves {
                    back: false,
                    says: Says::All,
                }),
                Means::Address(to) | Means::Number(to) => {
                    look.may_move(to).then_some(Rule::Moves {
                        back: false,
                        says: Says::Moved,
                    })
                }
            };
            form.holes.extend(rule.map(|rule| Hole {
                at,
                len: size,
                rule,
            }));
        }
        if look.module {
            let end = src.offset(len as i64);
            for (from, size) in look.image.relocated(src, end) {
                let at = from.since(src)? as usize;
                let size = usize::from(*size).min(len.checked_sub(at)?);
                form.holes.retain(|h| h.at != at);
                let rule = Rule::Any(Patch::ModuleRelocation);
                form.holes.push(Hole {
                    at,
                    len: size,
                    rule,
                });
            }
        }
        Some(form)
    }

    /// A far jump of 32-bit code at `at`.
    pub fn far_jump(look: &Look<'_, '_>, at: LinkAddr) -> Option<Self> {
        let rule = Rule::Moves {
            back: false,
            says: Says::Nothing,
        };
        Some(Form {
            bytes: look.image.code(at).get(..7)?.to_vec(),
            holes: vec![Hole {
                at: 1,
                len: 4,
                rule,
            }],
            patch: None,
            by_shape: false,
        })
    }

    /// Which of the bytes that are shown it does not allow, as offsets of its own.
    pub fn wrong(&self, shown: Shown<'_>, look: &Look<'_, '_>) -> Vec<usize> {
        let mut wrong: Vec<usize> = (0..self.bytes.len())
            .filter(|k| !self.holes.iter().any(|h| (h.at..h.at + h.len).contains(k)))
            .filter(|k| shown.get(*k).is_some_and(|b| b != self.bytes[*k]))
            .collect();
        for hole in &self.holes {
            if !self.allows(hole, shown, look) {
                let inside = hole.at..hole.at + hole.len;
                let odd = |k: &usize| shown.get(*k).is_some_and(|b| b != self.bytes[*k]);
                let before = wrong.len();
                wrong.extend(inside.clone().filter(odd));
                if wrong.len() == before {
                    wrong.extend(inside.take(1));
                }
            }
        }
        wrong
    }

    fn allows(&self, hole: &Hole, shown: Shown<'_>, look: &Look<'_, '_>) -> bool {
        let (bytes, before, behind) = shown.part(hole.at, hole.len);
        if bytes.is_empty() {
            return true;
        }
        let first = (hole.at..)
            .find(|k| shown.get(*k).is_some())
            .unwrap_or(hole.at)
            - hole.at;
        let is = |number: u64| number.to_le_bytes()[first..].starts_with(&bytes);
        match hole.rule {
            Rule::Any(_) => true,
            Rule::Fill => fills(&bytes, before, behind),
            Rule::Moves { back, says } => {
                let linked = self.value(hole);
                let mask = if hole.len == 8 {
                    u64::MAX
                } else {
                    u32::MAX.into()
                };
                let moved = |by: u64| is(linked.wrapping_add(by) & mask);
                let other = says == Says::Nothing;
                match look.slide {
                    Some(Slide(by)) => {
                        is(linked)
                            || (!back || other) && moved(by)
                            || (back || other) && moved(by.wrapping_neg())
                    }
                    // Nothing of the window tells by how much: the bits that no slide changes tell the rest.
                    None if before || behind => {
                        let kept = linked.to_le_bytes();
                        let low = [0xff, 0xff, 0x1f, 0, 0, 0, 0, 0];
                        let mut all = bytes.iter().enumerate().map(|(i, b)| (first + i, *b));
                        all.all(|(i, b)| (b ^ kept[i]) & low[i] == 0)
                    }
                    None => is(linked),
                }
            }
            Rule::Branch { end, to } => {
                if let Goes::To(to) = to {
                    let distance = to.0.wrapping_sub(end.0);
                    return is(distance);
                }
                let Some(distance) = shown.number(hole) else {
                    return true;
                };
                let distance = match hole.len {
                    1 => i64::from(distance as u8 as i8),
                    _ => i64::from(distance as u32 as i32),
                };
                look.goes(end.offset(distance), to)
            }
        }
    }

    /// What was linked in `hole`.
    fn value(&self, hole: &Hole) -> u64 {
        number(&self.bytes[hole.at..hole.at + hole.len]).unwrap_or_default()
    }

    /// Whether it allows all that is shown, wherever fields moved to.
    pub fn is_but_for_moves(&self, shown: Shown<'_>, look: &Look<'_, '_>) -> bool {
        let inside = |k: &usize| self.moves().any(|h| (h.at..h.at + h.len).contains(k));
        self.wrong(shown, look).iter().all(inside)
    }

    /// The holes of fields that may move.
    fn moves(&self) -> impl Iterator<Item = &Hole> {
        let moves = |h: &&Hole| matches!(h.rule, Rule::Moves { .. });
        self.holes.iter().filter(moves)
    }

    /// The slides that the fields tell which are shown; `None` for what is none.
    pub fn slides(&self, shown: Shown<'_>) -> impl Iterator<Item = Option<Slide>> {
        self.holes.iter().filter_map(move |hole| {
            let Rule::Moves { back, says } = hole.rule else {
                return None;
            };
            let (ran, linked) = (shown.number(hole)?, self.value(hole));
            let by = match back {
                false => ran.wrapping_sub(linked),
                true => linked.wrapping_sub(ran),
            };
            let by = if hole.len == 8 {
                by
            } else {
                by & u64::from(u32::MAX)
            };
            let tells = match says {
                Says::All => true,
                Says::Moved => by != 0,
                Says::Nothing => false,
            };
            tells.then(|| Slide::kaslr(by))
        })
    }
}

/// The shorter one of two lists of bytes that nothing explains.
pub(super) fn shorter(a: Vec<usize>, b: Vec<usize>) -> Vec<usize> {
    match b.len() < a.len() && !b.is_empty() {
        true => b,
        false => a,
    }
}

/// The first of `forms` that allows all that is shown; or what the nearest one does not.
pub(super) fn best(
    forms: Vec<Form>,
    shown: Shown<'_>,
    look: &Look<'_, '_>,
) -> Result<Form, Vec<usize>> {
    let mut nearest: Option<Vec<usize>> = None;
    for form in forms {
        let wrong = form.wrong(shown, look);
        if wrong.is_empty() {
            return Ok(form);
        }
        if nearest.as_ref().is_none_or(|n| wrong.len() < n.len()) {
            nearest = Some(wrong);
        }
    }
    Err(nearest.unwrap_or_default())
}
