//! CRC-32 (the one of zlib); the only place that names the crate.

/// Up to so many bytes the tables here are faster: the crate asks the processor what it can do, which takes 80 µs in
/// a virtual machine.
const SHORT: usize = 1 << 16;

/// The remainder of each byte, and of each followed by 1 to 7 zero bytes.
static REMAINDERS: [[u32; 256]; 8] = remainders();

const fn remainders() -> [[u32; 256]; 8] {
    let mut all = [[0u32; 256]; 8];
    let mut i = 0;
    while i < 256 {
        let mut r = i as u32;
        let mut bit = 0;
        while bit < 8 {
            r = (r >> 1) ^ if r & 1 == 1 { 0xedb8_8320 } else { 0 };
            bit += 1;
        }
        all[0][i] = r;
        i += 1;
    }
    let mut behind = 1;
    while behind < 8 {
        let mut i = 0;
        while i < 256 {
            let r = all[behind - 1][i];
            all[behind][i] = (r >> 8) ^ all[0][(r & 0xff) as usize];
            i += 1;
        }
        behind += 1;
    }
    all
}

/// The checksum of `bytes`.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    if bytes.len() <= SHORT {
        !short(!0, bytes)
    } else {
        crc32fast::hash(bytes)
    }
}

/// The checksum of two pieces, one behind the other; for short ones.
pub(super) fn crc32_of(first: &[u8], second: &[u8]) -> u32 {
    !short(short(!0, first), second)
}

fn short(mut crc: u32, bytes: &[u8]) -> u32 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    for chunk in chunks {
        let word = u64::from_le_bytes(*chunk) ^ u64::from(crc);
        crc = word
            .to_le_bytes()
            .iter()
            .zip(REMAINDERS.iter().rev())
            .fold(0, |sum, (byte, table)| sum ^ table[usize::from(*byte)]);
    }
    for byte in rest {
        crc = (crc >> 8) ^ REMAINDERS[0][usize::from(crc as u8 ^ byte)];
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_input_have_the_checksum_of_zlib() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let bytes: Vec<u8> = (0..SHORT as u32 + 99)
            .map(|n| (n.wrapping_mul(n) >> 7) as u8)
            .collect();
        for len in [0, 1, 7, 8, 9, 4095, SHORT, SHORT + 1] {
            assert_eq!(
                crc32(&bytes[..len]),
                crc32fast::hash(&bytes[..len]),
                "{len}"
            );
            let (first, second) = bytes[..len].split_at(len / 3);
            assert_eq!(
                crc32_of(first, second),
                crc32fast::hash(&bytes[..len]),
                "{len}"
            );
        }
    }
}
