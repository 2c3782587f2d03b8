//! Layouts by name: where a member is, how large a structure, what an enumerator counts.

use super::btf::Btf;
use super::description::Description;
use super::dwarf::Dwarf;
use super::field::Field;
use super::kept::{Kept, Question};
use crate::formats::image::ElfImage;

/// The types of one image.
pub struct Types<'d>(Told<'d>);

/// Who tells of them.
enum Told<'d> {
    /// A description of all.
    Described(Box<dyn Description + Send + Sync + 'd>),
    /// An index.
    Kept(Kept<'d>),
}

impl<'d> Types<'d> {
    /// The types of `image`, from its `.BTF`, else from its DWARF, else what its index keeps; `None` when it has none
    /// of these.
    pub fn of(image: &ElfImage<'d>) -> Option<Self> {
        let short = image.section(".BTF").and_then(|s| Btf::parse(s.data));
        match short {
            Some(btf) => Some(Types(Told::Described(Box::new(btf)))),
            None => Self::from_dwarf(image).or_else(|| {
                let (answers, strings) = image.kept_types()?;
                Some(Types(Told::Kept(Kept::read(answers, strings)?)))
            }),
        }
    }

    /// The types of `image`, from its DWARF; `None` when it has none. It is read as far as it takes to answer; types
    /// that are defined within functions are not found.
    pub fn from_dwarf(image: &ElfImage<'d>) -> Option<Self> {
        let dwarf = Dwarf::of(image)?;
        Some(Types(Told::Described(Box::new(dwarf))))
    }

    /// The member of `structure` that `path` leads to: names with dots between, `[N]` for an element of an array.
    /// Members of unnamed structures and unions count as the outer one's own.
    pub fn field(&self, structure: &str, path: &str) -> Option<Field> {
        let described = match &self.0 {
            Told::Described(described) => described,
            Told::Kept(kept) => return kept.field(structure, path),
        };
        let mut number = described.composite(structure)?;
        let (mut bit, mut width) = (0u64, 0);
        for part in path.split('.') {
            let (name, index) = match part.split_once('[') {
                Some((name, index)) => (name, Some(index.strip_suffix(']')?.parse::<u64>().ok()?)),
                None => (part, None),
            };
            let member = described.member(number, name)?;
            bit = bit.checked_add(member.bit)?;
            (number, width) = (member.of, member.width);
            if let Some(index) = index {
                let (element, len) = described.array(number)?;
                let by = described
                    .size(element)?
                    .checked_mul(8)?
                    .checked_mul(index)?;
                bit = bit.checked_add(by)?;
                number = (index < len || len == 0).then_some(element)?;
            }
        }
        let size = described.size(number)?;
        Some(match width {
            0 => Field {
                offset: bit / 8,
                size,
                bits: None,
            },
            width => {
                // The unit of its type that the bitfield lies in.
                let unit = size.max(1) * 8;
                let offset = bit / unit * size;
                Field {
                    offset,
                    size,
                    bits: Some(((bit - offset * 8) as u32, width)),
                }
            }
        })
    }

    /// Bytes from the beginning of `structure` to the member that `path` leads to.
    pub fn offset(&self, structure: &str, path: &str) -> Option<u64> {
        self.field(structure, path).map(|f| f.offset)
    }

    /// Number of elements of the array that `path` leads to.
    pub fn length(&self, structure: &str, path: &str) -> Option<u64> {
        let described = match &self.0 {
            Told::Described(described) => described,
            Told::Kept(kept) => {
                let length = kept.number(Question::Length(structure, path))?;
                return Some(length.cast_unsigned());
            }
        };
        let (outer, name) = match path.rsplit_once('.') {
            Some(_) => return None,
            None => (described.composite(structure)?, path),
        };
        let member = described.member(outer, name)?;
        described.array(member.of).map(|(_, len)| len)
    }

    /// Bytes of `structure`.
    pub fn size(&self, structure: &str) -> Option<u64> {
        match &self.0 {
            Told::Described(described) => described.size(described.composite(structure)?),
            Told::Kept(kept) => {
                let size = kept.number(Question::Size(structure))?;
                Some(size.cast_unsigned())
            }
        }
    }

    /// Whether the member `name` of `structure` is a pointer to a structure called `target`.
    pub fn is_pointer_to(&self, structure: &str, name: &str, target: &str) -> bool {
        match &self.0 {
            Told::Described(described) => {
                let member = described
                    .composite(structure)
                    .and_then(|s| described.member(s, name));
                member.is_some_and(|m| described.points_to(m.of, target))
            }
            Told::Kept(kept) => kept.number(Question::Pointer(structure, name, target)) == Some(1),
        }
    }

    /// The value of an enumerator.
    pub fn enumerator(&self, name: &str) -> Option<i64> {
        match &self.0 {
            Told::Described(described) => described.enumerator(name),
            Told::Kept(kept) => kept.number(Question::Enumerator(name)),
        }
    }
}
