//! A small writer of ELF dumps.

/// A dump whose VMCOREINFO says `told`, with pieces of physical memory: where each is, and its bytes.
pub fn write(told: &str, pieces: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut note: Vec<u8> = [11, told.len() as u32, 0]
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    note.extend(b"VMCOREINFO\0\0");
    note.extend(told.as_bytes());
    note.resize(note.len().next_multiple_of(4), 0);
    let mut out = vec![0; 64];
    out[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    out[16..18].copy_from_slice(&4u16.to_le_bytes());
    out[18..20].copy_from_slice(&62u16.to_le_bytes());
    out[20] = 1;
    out[32..40].copy_from_slice(&64u64.to_le_bytes());
    out[52..54].copy_from_slice(&64u16.to_le_bytes());
    out[54..56].copy_from_slice(&56u16.to_le_bytes());
    out[56..58].copy_from_slice(&(1 + pieces.len() as u16).to_le_bytes());
    let mut at = 64 + 56 * (1 + pieces.len() as u64);
    let all = [(4u32, 0, note)].into_iter();
    let all: Vec<_> = all
        .chain(pieces.iter().map(|(p, bytes)| (1, *p, bytes.clone())))
        .collect();
    for (kind, physical, bytes) in &all {
        let len = bytes.len() as u64;
        out.extend(kind.to_le_bytes());
        out.extend([0; 4]);
        for word in [at, 0, *physical, len, len, 0] {
            out.extend(word.to_le_bytes());
        }
        at += len;
    }
    all.iter().for_each(|(.., bytes)| out.extend(bytes));
    out
}
