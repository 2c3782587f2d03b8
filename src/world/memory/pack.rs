//! How the pages of a kdump file are packed.

use super::{Unreadable, lzo};
use crate::formats::image::Packing;

/// Flags of a page descriptor, and in the header's status those that occur (`DUMP_DH_COMPRESSED_*`, makedumpfile's
/// diskdump_mod.h, 1.5-1.7).
pub const ZLIB: u32 = 1;
/// LZO1X
pub const LZO: u32 = 2;
/// Snappy, without a frame
pub const SNAPPY: u32 = 4;
/// zstd
pub const ZSTD: u32 = 0x20;

/// Whether a page with these flags is packed.
pub(crate) fn is_packed(flags: u32) -> bool {
    flags & (ZLIB | LZO | SNAPPY | ZSTD) != 0
}

/// Whether this build can unpack all kinds that `flags` name.
pub(crate) fn supported(flags: u32) -> bool {
    cfg!(feature = "compression") || flags & (ZLIB | SNAPPY | ZSTD) == 0
}

/// Unpacks a page, which must fill `page` to its end.
///
/// # Errors
/// `Corrupt` where the bytes do not unpack to a page.
pub fn unpack(flags: u32, bytes: &[u8], page: &mut [u8]) -> Result<(), Unreadable> {
    let written = match flags & (ZLIB | LZO | SNAPPY | ZSTD) {
        ZLIB => Packing::Zlib.decompress_into(bytes, page),
        LZO => lzo::decompress(bytes, page),
        SNAPPY => unpack_snappy(bytes, page),
        ZSTD => Packing::Zstd.decompress_into(bytes, page),
        _ => None,
    };
    match written {
        Some(len) if len == page.len() => Ok(()),
        _ => Err(Unreadable::Corrupt),
    }
}

#[cfg(feature = "compression")]
fn unpack_snappy(bytes: &[u8], page: &mut [u8]) -> Option<usize> {
    snap::raw::Decoder::new().decompress(bytes, page).ok()
}

#[cfg(not(feature = "compression"))]
fn unpack_snappy(_: &[u8], _: &mut [u8]) -> Option<usize> {
    None
}
