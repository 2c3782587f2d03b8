//! Layouts by name: where a member is, how large a structure, what an enumerator counts.

use super::btf::Btf;
use super::description::Description;
use super::dwarf::Dwarf;
use crate::formats::image::ElfImage;

/// The types of one image.
pub struct Types<'d> {
    described: Box<dyn Description + Send + Sync + 'd>,
}

/// Where a member is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Bytes from the beginning of the structure.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// Of a bitfield: its first bit in those bytes, and how many bits it has.
    pub bits: Option<(u32, u32)>,
}

impl<'d> Types<'d> {
    /// The types of `image`, from its `.BTF`, else from its DWARF; `None` when it has neither.
    pub fn of(image: &ElfImage<'d>) -> Option<Self> {
        let short = image.section(".BTF").and_then(|s| Btf::parse(s.data));
        match short {
            Some(btf) => Some(Types {
                described: Box::new(btf),
            }),
            None => Self::from_dwarf(image),
        }
    }

    /// The types of `image`, from its DWARF; `None` when it has none. It is read as far as it takes to answer; types
    /// that are defined within functions are not found.
    pub fn from_dwarf(image: &ElfImage<'d>) -> Option<Self> {
        let dwarf = Dwarf::of(image)?;
        Some(Types {
            described: Box::new(dwarf),
        })
    }

    /// The member of `structure` that `path` leads to: names with dots between, `[N]` for an element of an array.
    /// Members of unnamed structures and unions count as the outer one's own.
    pub fn field(&self, structure: &str, path: &str) -> Option<Field> {
        let mut number = self.described.composite(structure)?;
        let (mut bit, mut width) = (0u64, 0);
        for part in path.split('.') {
            let (name, index) = match part.split_once('[') {
                Some((name, index)) => (name, Some(index.strip_suffix(']')?.parse::<u64>().ok()?)),
                None => (part, None),
            };
            let member = self.described.member(number, name)?;
            bit = bit.checked_add(member.bit)?;
            (number, width) = (member.of, member.width);
            if let Some(index) = index {
                let (element, len) = self.described.array(number)?;
                let by = self
                    .described
                    .size(element)?
                    .checked_mul(8)?
                    .checked_mul(index)?;
                bit = bit.checked_add(by)?;
                number = (index < len || len == 0).then_some(element)?;
            }
        }
        let size = self.described.size(number)?;
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
        let (outer, name) = match path.rsplit_once('.') {
            Some(_) => return None,
            None => (self.described.composite(structure)?, path),
        };
        let member = self.described.member(outer, name)?;
        self.described.array(member.of).map(|(_, len)| len)
    }

    /// Bytes of `structure`.
    pub fn size(&self, structure: &str) -> Option<u64> {
        self.described.size(self.described.composite(structure)?)
    }

    /// Whether the member `name` of `structure` is a pointer to a structure called `target`.
    pub fn is_pointer_to(&self, structure: &str, name: &str, target: &str) -> bool {
        let member =
            (self.described.composite(structure)).and_then(|s| self.described.member(s, name));
        member.is_some_and(|m| self.described.points_to(m.of, target))
    }

    /// The value of an enumerator.
    pub fn enumerator(&self, name: &str) -> Option<i64> {
        self.described.enumerator(name)
    }
}
