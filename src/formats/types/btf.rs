//! `.BTF`: the kernel's own description of its types.
//!
//! Source: Documentation/bpf/btf.rst and include/uapi/linux/btf.h (Linux 7.2).

use std::collections::{HashMap, HashSet};

use super::description::{self, Description};
use crate::base::bytes::{cstr_at, cstr_is, u16_at, u32_at};
use crate::base::work::Work;

const MAGIC: u16 = 0xeb9f;

/// Kinds of types.
const INT: u32 = 1;
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const FLOAT: u32 = 16;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;

/// Bytes of the longest name that the kernel takes (`KSYM_NAME_LEN`).
const MAX_NAME: usize = 511;

/// Names that a type may have before its own: a chain of typedefs is no longer.
const MAX_NAMES: usize = 32;

/// Unnamed structures and unions in one another that are looked into.
const MAX_DEPTH: usize = 16;

/// Types by number and name.
pub struct Btf<'d> {
    types: &'d [u8],
    strings: &'d [u8],
    /// Offset of every type in `types`, bytes; number 0 is void.
    at: Vec<u32>,
    /// Structures and unions by name; the first of a name.
    composites: HashMap<&'d [u8], u32>,
    /// Members and enumerators looked at for all questions.
    work: Work,
}

/// See [`Btf::work`]; a kernel's questions take some hundred thousand.
const MAX_LOOKED_AT: u64 = 1 << 26;

/// A type's header.
#[derive(Clone, Copy)]
struct Type {
    kind: u32,
    /// Members, enumerators, parameters.
    len: usize,
    /// Bytes, or the type referred to.
    size: u32,
    /// Whether member offsets have a bitfield's width in their upper byte.
    bitfields: bool,
    /// Where its trailer begins.
    body: usize,
}

/// A member of a structure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// Bits from the beginning of the structure.
    pub bit: u64,
    /// Bits of a bitfield; 0 for an ordinary member.
    pub width: u32,
    /// Its type.
    pub kind: u32,
}

/// Bytes behind a type's header, by kind; `None` for a kind that is not known.
fn trailer(kind: u32, len: usize) -> Option<usize> {
    Some(match kind {
        // PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT, TYPE_TAG
        2 | 7..=12 | 16 | 18 => 0,
        // INT, VAR, DECL_TAG
        1 | 14 | 17 => 4,
        // ARRAY
        3 => 12,
        // STRUCT, UNION, DATASEC, ENUM64
        4 | 5 | 15 | 19 => len * 12,
        // ENUM, FUNC_PROTO
        6 | 13 => len * 8,
        _ => return None,
    })
}

impl<'d> Btf<'d> {
    /// Reads the headers of all types in `section`; `None` when it is broken. What stands behind a type of an unknown
    /// kind cannot be read and is left out.
    pub fn parse(section: &'d [u8]) -> Option<Self> {
        if u16_at(section, 0)? != MAGIC {
            return None;
        }
        let header = u32_at(section, 4)? as usize;
        let part = |offset: usize, len: usize| {
            let start = header.checked_add(u32_at(section, offset)? as usize)?;
            section.get(start..start.checked_add(u32_at(section, len)? as usize)?)
        };
        let (types, strings) = (part(8, 12)?, part(16, 20)?);
        let mut btf = Btf {
            types,
            strings,
            // A type takes 12 bytes and more, 20 on average.
            at: Vec::with_capacity(types.len() / 20),
            composites: HashMap::new(),
            work: Work::of(MAX_LOOKED_AT),
        };
        btf.at.push(0);
        let mut at = 0usize;
        while let Some(info) = u32_at(types, at + 4) {
            let (kind, len) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
            let Some(more) = trailer(kind, len) else {
                break;
            };
            if matches!(kind, STRUCT | UNION) {
                let name = cstr_at(strings, u32_at(types, at)? as usize);
                if let Some(name) = name.filter(|n| (1..=MAX_NAME).contains(&n.len())) {
                    let number = btf.at.len() as u32;
                    btf.composites.entry(name).or_insert(number);
                }
            }
            btf.at.push(at as u32);
            at = (at + 12).checked_add(more)?;
        }
        Some(btf)
    }

    /// Number of types, void included.
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.at.len() <= 1
    }

    /// The structure or union called `name`.
    pub fn composite(&self, name: &str) -> Option<u32> {
        self.composites.get(name.as_bytes()).copied()
    }

    fn get(&self, number: u32) -> Option<Type> {
        let at = *self
            .at
            .get(usize::try_from(number).ok()?)
            .filter(|_| number > 0)? as usize;
        let info = u32_at(self.types, at + 4)?;
        Some(Type {
            kind: info >> 24 & 0x1f,
            len: (info & 0xffff) as usize,
            size: u32_at(self.types, at + 8)?,
            bitfields: info >> 31 != 0,
            body: at + 12,
        })
    }

    /// The type behind typedefs and qualifiers.
    fn resolve(&self, mut number: u32) -> Option<(u32, Type)> {
        for _ in 0..MAX_NAMES {
            let found = self.get(number)?;
            match found.kind {
                TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG => number = found.size,
                _ => return Some((number, found)),
            }
        }
        None
    }

    /// Offset of the name, place and type of each member of structure `number`.
    fn members(&self, number: u32) -> impl Iterator<Item = (usize, Member)> + '_ {
        let found = self.resolve(number);
        let found = found.filter(|(_, t)| matches!(t.kind, STRUCT | UNION));
        let (len, body, bitfields) =
            found.map_or((0, 0, false), |(_, t)| (t.len, t.body, t.bitfields));
        (0..len).map_while(move |i| {
            let at = body + i * 12;
            let place = u32_at(self.types, at + 8)?;
            let (bit, width) = match bitfields {
                true => (place & 0xff_ffff, place >> 24),
                false => (place, 0),
            };
            let member = Member {
                bit: bit.into(),
                width,
                kind: u32_at(self.types, at + 4)?,
            };
            Some((u32_at(self.types, at)? as usize, member))
        })
    }

    /// The names of the members of structure `number`; those without are left out.
    pub fn member_names(&self, number: u32) -> Vec<&'d str> {
        let names = self.members(number);
        names
            .filter_map(|(name, _)| str::from_utf8(cstr_at(self.strings, name)?).ok())
            .collect()
    }

    /// The member called `name` of structure `number`, also within unnamed structures and unions of it.
    pub(crate) fn member(&self, number: u32, name: &str) -> Option<Member> {
        let mut pending = vec![(number, 0u64, 0usize)];
        // What a structure does not have it has at no other place either, and a broken file may have a circle of them.
        let mut seen = HashSet::new();
        while let Some((number, base, depth)) = pending.pop() {
            let resolved = self.resolve(number).map(|(number, _)| number);
            let Some(number) = resolved.filter(|number| seen.insert(*number)) else {
                continue;
            };
            for (found, member) in self.members(number) {
                if !self.work.take(1) {
                    return None;
                }
                let bit = base.checked_add(member.bit)?;
                if cstr_is(self.strings, found, name.as_bytes()) {
                    return Some(Member { bit, ..member });
                }
                if self.strings.get(found) == Some(&0) && depth < MAX_DEPTH {
                    pending.push((member.kind, bit, depth + 1));
                }
            }
        }
        None
    }

    /// The type of the elements of array `number`, and how many there are.
    pub(crate) fn array(&self, number: u32) -> Option<(u32, u64)> {
        let (_, found) = self.resolve(number)?;
        if found.kind != ARRAY {
            return None;
        }
        let element = u32_at(self.types, found.body)?;
        Some((element, u32_at(self.types, found.body + 8)?.into()))
    }

    /// The type, without qualifiers, that pointers of type `number` point to.
    pub(crate) fn pointee(&self, number: u32) -> Option<u32> {
        let (_, found) = self.resolve(number)?;
        let target = (found.kind == PTR).then_some(found.size)?;
        self.resolve(target).map(|(number, _)| number)
    }

    /// Bytes of a value of type `number`.
    pub(crate) fn size(&self, mut number: u32) -> Option<u64> {
        let mut count = 1u64;
        for _ in 0..MAX_NAMES {
            let (this, found) = self.resolve(number)?;
            match found.kind {
                INT | STRUCT | UNION | ENUM | ENUM64 | FLOAT => {
                    return count.checked_mul(found.size.into());
                }
                PTR => return count.checked_mul(8),
                ARRAY => {
                    let (element, len) = self.array(this)?;
                    count = count.checked_mul(len)?;
                    number = element;
                }
                _ => return None,
            }
        }
        None
    }

    /// The value of the first enumerator called `name`.
    pub(crate) fn enumerator(&self, name: &str) -> Option<i64> {
        (1..self.at.len() as u32).find_map(|number| {
            let found = self.get(number)?;
            let (stride, wide) = match found.kind {
                ENUM => (8, false),
                ENUM64 => (12, true),
                _ => return None,
            };
            (0..found.len).find_map(|i| {
                let at = found.body + i * stride;
                let named = u32_at(self.types, at)? as usize;
                if !cstr_is(self.strings, named, name.as_bytes()) || !self.work.take(1) {
                    return None;
                }
                let low = u32_at(self.types, at + 4)?;
                match wide {
                    true => Some(i64::from(u32_at(self.types, at + 8)?) << 32 | i64::from(low)),
                    false => Some(i64::from(low as i32)),
                }
            })
        })
    }
}

impl Description for Btf<'_> {
    fn composite(&self, name: &str) -> Option<u64> {
        self.composite(name).map(u64::from)
    }

    fn member(&self, of: u64, name: &str) -> Option<description::Member> {
        let member = self.member(of.try_into().ok()?, name)?;
        Some(description::Member {
            bit: member.bit,
            width: member.width,
            of: member.kind.into(),
        })
    }

    fn array(&self, of: u64) -> Option<(u64, u64)> {
        let (element, len) = self.array(of.try_into().ok()?)?;
        Some((element.into(), len))
    }

    fn size(&self, of: u64) -> Option<u64> {
        self.size(of.try_into().ok()?)
    }

    fn points_to(&self, of: u64, target: &str) -> bool {
        let wanted = self.composite(target);
        let pointee = of.try_into().ok().and_then(|of| self.pointee(of));
        wanted.is_some() && pointee == wanted
    }

    fn enumerator(&self, name: &str) -> Option<i64> {
        self.enumerator(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `struct outer { int a; struct { int b[3]; }; my_outer *next; unsigned c:3; }`
    fn sample() -> Vec<u8> {
        let strings = b"\0int\0outer\0a\0b\0next\0c\0my_outer\0E_TWO\0";
        let at = |name: &str| {
            let name = [b"\0", name.as_bytes(), b"\0"].concat();
            let found = strings.windows(name.len()).position(|w| w == name);
            found.expect("a string") as u32 + 1
        };
        let mut types: Vec<u32> = Vec::new();
        types.extend([at("int"), INT << 24, 4, 32]); // 1
        types.extend([0, ARRAY << 24, 0, 1, 1, 3]); // 2: int[3]
        types.extend([0, STRUCT << 24 | 1, 12, at("b"), 2, 0]); // 3
        types.extend([0, PTR << 24, 6]); // 4
        types.extend([at("outer"), 1 << 31 | STRUCT << 24 | 4, 32]); // 5
        types.extend([
            at("a"),
            1,
            0,
            0,
            3,
            32,
            at("next"),
            4,
            128,
            at("c"),
            1,
            3 << 24 | 192,
        ]);
        types.extend([at("my_outer"), TYPEDEF << 24, 5]); // 6
        types.extend([0, ENUM << 24 | 1, 4, at("E_TWO"), 2]); // 7
        let mut b = vec![0x9f, 0xeb, 1, 0];
        let bytes = types.len() as u32 * 4;
        for word in [24, 0, bytes, bytes, strings.len() as u32] {
            b.extend(word.to_le_bytes());
        }
        types.iter().for_each(|t| b.extend(t.to_le_bytes()));
        b.extend(strings);
        b
    }

    #[test]
    fn members_are_found_within_unnamed_structures() {
        let section = sample();
        let btf = Btf::parse(&section).expect("BTF");
        let outer = btf.composite("outer").expect("a structure");
        let member = |name| {
            btf.member(outer, name)
                .map(|m| (m.bit, m.width, btf.size(m.kind)))
        };
        assert_eq!(member("a"), Some((0, 0, Some(4))));
        assert_eq!(member("b"), Some((32, 0, Some(12))));
        assert_eq!(member("next"), Some((128, 0, Some(8))));
        assert_eq!(member("c"), Some((192, 3, Some(4))));
        assert_eq!(member("d"), None);
        assert_eq!(btf.size(6), Some(32), "through a typedef");
        assert_eq!(btf.array(2), Some((1, 3)));
        assert_eq!(btf.enumerator("E_TWO"), Some(2));
        assert_eq!(btf.member_names(outer), ["a", "", "next", "c"]);
    }

    proptest! {
        #[test]
        fn broken_btf_never_panics(at in 0usize..250, word: u32, cut in 0usize..260) {
            let mut b = sample();
            let at = at % (b.len() - 4);
            b[at..at + 4].copy_from_slice(&word.to_le_bytes());
            b.truncate(cut);
            if let Some(btf) = Btf::parse(&b) {
                for number in 0..btf.len() as u32 + 1 {
                    let _ = (btf.size(number), btf.member(number, "x"), btf.array(number));
                }
                let _ = btf.enumerator("E");
            }
        }
    }
}
