//! How a file is packed.

use crate::formats::image::bzimage;

/// How a file is packed, by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Packing {
    /// An ELF file as it is.
    Elf,
    /// A bootable x86 kernel image.
    BzImage,
    /// gzip
    Gzip,
    /// xz
    Xz,
    /// zstd
    Zstd,
    /// LZ4 in its legacy frame, as `lz4 -l` writes it for bootable images
    Lz4,
    /// zlib; inside ELF sections only, never recognised by its first bytes
    Zlib,
    /// Something else.
    None,
}

impl Packing {
    /// Recognises `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x7f, b'E', b'L', b'F', ..] => Packing::Elf,
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
            // A frame that holds no data: what packs in parallel begins with one.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Packing::Zstd,
            [0x02, 0x21, 0x4c, 0x18, ..] => Packing::Lz4,
            _ if bzimage::is_bzimage(bytes) => Packing::BzImage,
            _ => Packing::None,
        }
    }

    /// Whether `bytes` are too few to tell, and more of them may show that they are packed member by member.
    pub fn may_show(bytes: &[u8]) -> bool {
        match bytes {
            [] | [0x1f] => true,
            [0x50..=0x5f, rest @ ..] => rest.len() < 3 && [0x2a, 0x4d, 0x18].starts_with(rest),
            [0xfd, ..] => bytes.len() < 6 && b"\xfd7zXZ\0".starts_with(bytes),
            _ => bytes.len() < 4 && [0x28, 0xb5, 0x2f, 0xfd].starts_with(bytes),
        }
    }
}
