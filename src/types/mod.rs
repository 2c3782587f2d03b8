//! Layouts of the kernel's C types, from the image's own description of them.

pub mod btf;
mod dwarf;

use crate::image::Image;
use btf::Btf;

/// The types of one image.
pub struct Types<'d> {
    btf: Btf<'d>,
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
    /// The types of `image`, from its `.BTF`, else from its DWARF, which is much slower; `None` when it has neither.
    pub fn of(image: &Image<'d>) -> Option<Self> {
        let short = image.section(".BTF").and_then(|s| Btf::parse(s.data));
        match short {
            Some(btf) => Some(Types { btf }),
            None => Self::from_dwarf(image),
        }
    }

    /// The types of `image` that this crate asks for, from its DWARF; `None` when it has none.
    pub fn from_dwarf(image: &Image<'d>) -> Option<Self> {
        dwarf::read(image).map(|btf| Types { btf })
    }

    /// The member of `structure` that `path` leads to: names with dots between, `[N]` for an element of an array.
    /// Members of unnamed structures and unions count as the outer one's own.
    pub fn field(&self, structure: &str, path: &str) -> Option<Field> {
        let mut number = self.btf.composite(structure)?;
        let (mut bit, mut width) = (0u64, 0);
        for part in path.split('.') {
            let (name, index) = match part.split_once('[') {
                Some((name, index)) => (name, Some(index.strip_suffix(']')?.parse::<u64>().ok()?)),
                None => (part, None),
            };
            let member = self.btf.member(number, name)?;
            bit = bit.checked_add(member.bit)?;
            (number, width) = (member.kind, member.width);
            if let Some(index) = index {
                let (element, len) = self.btf.array(number)?;
                let by = self.btf.size(element)?.checked_mul(8)?.checked_mul(index)?;
                bit = bit.checked_add(by)?;
                number = (index < len || len == 0).then_some(element)?;
            }
        }
        let size = self.btf.size(number)?;
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
            None => (self.btf.composite(structure)?, path),
        };
        let member = self.btf.member(outer, name)?;
        self.btf.array(member.kind).map(|(_, len)| len)
    }

    /// Bytes of `structure`.
    pub fn size(&self, structure: &str) -> Option<u64> {
        self.btf.size(self.btf.composite(structure)?)
    }

    /// Whether the member `name` of `structure` is a pointer to a structure called `target`.
    pub fn is_pointer_to(&self, structure: &str, name: &str, target: &str) -> bool {
        let member = (self.btf.composite(structure)).and_then(|s| self.btf.member(s, name));
        let wanted = self.btf.composite(target);
        wanted.is_some() && member.and_then(|m| self.btf.pointee(m.kind)) == wanted
    }

    /// The value of an enumerator.
    pub fn enumerator(&self, name: &str) -> Option<i64> {
        self.btf.enumerator(name)
    }
}
