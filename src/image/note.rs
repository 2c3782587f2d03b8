//! ELF notes: the build-id.

use crate::bytes::u32_at;

const NT_GNU_BUILD_ID: u32 = 3;

/// The GNU build-id among the notes of one section. Source: gABI "Note Section"; notes are 4-aligned.
pub fn build_id(mut notes: &[u8]) -> Option<&[u8]> {
    loop {
        let name_len = u32_at(notes, 0)? as usize;
        let desc_len = u32_at(notes, 4)? as usize;
        let kind = u32_at(notes, 8)?;
        let desc = 12usize.checked_add(name_len.checked_next_multiple_of(4)?)?;
        let end = desc.checked_add(desc_len)?;
        let name = notes.get(12..12usize.checked_add(name_len)?)?;
        let found = notes.get(desc..end)?;
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" && !found.is_empty() {
            return Some(found);
        }
        notes = notes.get(end.checked_next_multiple_of(4)?..)?;
    }
}

/// Lower-case hexadecimal, as build-ids are written.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_build_id_is_found_behind_other_notes() {
        let mut n = vec![];
        for (name, kind, desc) in [
            (&b"Linux\0"[..], 0u32, &b"xy"[..]),
            (b"GNU\0", 3, &[0xab, 0xcd]),
        ] {
            n.extend((name.len() as u32).to_le_bytes());
            n.extend((desc.len() as u32).to_le_bytes());
            n.extend(kind.to_le_bytes());
            n.extend(name);
            n.resize(n.len().next_multiple_of(4), 0);
            n.extend(desc);
            n.resize(n.len().next_multiple_of(4), 0);
        }
        assert_eq!(hex(build_id(&n).unwrap()), "abcd");
    }

    proptest! {
        #[test]
        fn arbitrary_notes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = build_id(&bytes);
        }
    }
}
