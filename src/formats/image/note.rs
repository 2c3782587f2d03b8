//! ELF notes, and the build-id among them.

use crate::base::bytes::u32_at;

const NT_GNU_BUILD_ID: u32 = 3;

/// A note.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Note<'d> {
    /// Whose it is, without the NUL at its end.
    pub name: &'d [u8],
    /// Its type, whose meaning depends on the name.
    pub kind: u32,
    /// What it says.
    pub desc: &'d [u8],
}

/// The notes in `bytes`, up to the first that is cut short. Source: gABI "Note Section"; notes are 4-aligned.
pub(crate) fn notes(mut bytes: &[u8]) -> impl Iterator<Item = Note<'_>> {
    std::iter::from_fn(move || {
        let (note, rest) = first(bytes)?;
        bytes = rest;
        Some(note)
    })
}

fn first(bytes: &[u8]) -> Option<(Note<'_>, &[u8])> {
    let name_len = u32_at(bytes, 0)? as usize;
    let desc_len = u32_at(bytes, 4)? as usize;
    let kind = u32_at(bytes, 8)?;
    let at = 12usize.checked_add(name_len.checked_next_multiple_of(4)?)?;
    let end = at.checked_add(desc_len)?;
    let name = bytes.get(12..12usize.checked_add(name_len)?)?;
    let note = Note {
        name: name.strip_suffix(b"\0").unwrap_or(name),
        kind,
        desc: bytes.get(at..end)?,
    };
    // The last one may lack its padding.
    let rest = bytes.get(end.checked_next_multiple_of(4)?..);
    Some((note, rest.unwrap_or_default()))
}

/// The GNU build-id among the notes of one section.
pub(crate) fn build_id(bytes: &[u8]) -> Option<&[u8]> {
    notes(bytes)
        .find(|n| n.kind == NT_GNU_BUILD_ID && n.name == b"GNU" && !n.desc.is_empty())
        .map(|n| n.desc)
}

/// Lower-case hexadecimal, as build-ids are written.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The bytes that [`hex`] writes as `digits`; `None` for anything else.
pub(crate) fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let byte = |pair: &[u8; 2]| {
        let high = (pair[0] as char).to_digit(16)?;
        Some((high << 4 | (pair[1] as char).to_digit(16)?) as u8)
    };
    pairs.iter().map(byte).collect()
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

    #[test]
    fn digits_of_a_build_id_are_its_bytes() {
        let id = [0x0b, 0xa0, 0xff];
        assert_eq!(from_hex(&hex(&id)).as_deref(), Some(&id[..]));
        assert_eq!(from_hex("0BA0").as_deref(), Some(&id[..2]));
        for wrong in ["0ba", "+1", "zz", "ä"] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}
