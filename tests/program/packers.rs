//! Packed files by hand: every byte of what they hold stands in them as it is, piece by piece.

/// Bytes of a piece.
pub const PIECE: usize = 4096;

/// `data` in pieces: one at least.
fn pieces(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let first = &data[..data.len().min(PIECE)];
    std::iter::once(first).chain(data.chunks(PIECE).skip(1))
}

/// `data` as a gzip member of stored blocks (RFC 1951, RFC 1952).
pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let mut pieces = pieces(data).peekable();
    while let Some(piece) = pieces.next() {
        let len = piece.len() as u16;
        out.push(u8::from(pieces.peek().is_none()));
        out.extend(len.to_le_bytes());
        out.extend((!len).to_le_bytes());
        out.extend(piece);
    }
    out.extend(crc32fast::hash(data).to_le_bytes());
    out.extend((data.len() as u32).to_le_bytes());
    out
}

/// `data` as an xz stream of one block of uncompressed chunks (The .xz File Format 1.1.0, 2 to 4).
pub fn xz(data: &[u8]) -> Vec<u8> {
    let sum = |bytes: &[u8]| crc32fast::hash(bytes).to_le_bytes();
    // The check of a block is a CRC-32.
    let flags = [0, 1];
    let mut out = b"\xfd7zXZ\0".to_vec();
    out.extend(flags);
    out.extend(sum(&flags));
    let begin = out.len();
    // One filter, LZMA2, with a dictionary of 8 MiB.
    let header = [2, 0, 0x21, 1, 22, 0, 0, 0];
    out.extend(header);
    out.extend(sum(&header));
    for (number, piece) in data.chunks(PIECE).enumerate() {
        out.push(if number == 0 { 1 } else { 2 });
        out.extend((piece.len() as u16 - 1).to_be_bytes());
        out.extend(piece);
    }
    out.push(0);
    let unpadded = out.len() - begin + 4;
    pad(&mut out);
    out.extend(sum(data));
    let mut index = vec![0, 1];
    number(unpadded, &mut index);
    number(data.len(), &mut index);
    pad(&mut index);
    out.extend(&index);
    out.extend(sum(&index));
    let mut footer = (index.len() as u32 / 4).to_le_bytes().to_vec();
    footer.extend(flags);
    out.extend(sum(&footer));
    out.extend(footer);
    out.extend(b"YZ");
    out
}

/// Zeroes up to a multiple of four bytes.
fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

/// `n` in pieces of seven bits, low ones first.
fn number(mut n: usize, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// `data` as a zstd frame of raw blocks (RFC 8878).
pub fn zstd(data: &[u8]) -> Vec<u8> {
    let mut out = zstd_head();
    let mut pieces = pieces(data).peekable();
    while let Some(piece) = pieces.next() {
        let head = (piece.len() as u32) << 3 | u32::from(pieces.peek().is_none());
        out.extend(&head.to_le_bytes()[..3]);
        out.extend(piece);
    }
    out
}

/// A zstd frame of `blocks` blocks that repeat `byte` 128 Ki times each; `last` stands behind them.
pub fn zstd_bomb(byte: u8, blocks: usize, last: &[u8]) -> Vec<u8> {
    let mut out = zstd_head();
    for _ in 0..blocks {
        let head = (128u32 << 10) << 3 | 1 << 1;
        out.extend(&head.to_le_bytes()[..3]);
        out.push(byte);
    }
    let head = (last.len() as u32) << 3 | 1;
    out.extend(&head.to_le_bytes()[..3]);
    out.extend(last);
    out
}

/// The header of a zstd frame that says nothing but its window: 128 KiB.
fn zstd_head() -> Vec<u8> {
    vec![0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3]
}

/// A zstd frame that holds no data but `note` for others.
pub fn zstd_note(note: &[u8]) -> Vec<u8> {
    let mut out = vec![0x50, 0x2a, 0x4d, 0x18];
    out.extend((note.len() as u32).to_le_bytes());
    out.extend(note);
    out
}
