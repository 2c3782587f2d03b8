//! CRC-32 (the one of zlib); the only place that names the crate.

/// The checksum of `bytes`.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// The checksum of two pieces, one behind the other.
pub(super) fn crc32_of(first: &[u8], second: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(first);
    sum.update(second);
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_and_in_pieces_it_is_the_checksum_of_zlib() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        for cut in 0..9 {
            let (first, second) = b"123456789".split_at(cut);
            assert_eq!(crc32_of(first, second), 0xcbf4_3926, "{cut}");
        }
    }
}
