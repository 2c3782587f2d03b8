//! Tables of files in front of line programs: whether they can be what they say, before they are read.
//!
//! Source: DWARF 5 section 6.2.4. Entries of forms that take no bytes may be four thousand millions in a few bytes.

use gimli::constants as c;
use gimli::{DwForm, Encoding, Format};

use super::layout::width;
use crate::base::bytes::{u32_at, u64_at};
use crate::base::column::Stream;

/// Bytes that it takes to read the header of the program at `offset` of `section`; `None` for one with entries that take
/// no room, and for what is none.
pub(super) fn cost(section: &[u8], offset: usize) -> Option<u64> {
    let bytes = section.get(offset..)?;
    let (format, body) = match u32_at(bytes, 0)? {
        u32::MAX => (Format::Dwarf64, 12),
        _ => (Format::Dwarf32, 4),
    };
    let version = u16::from_le_bytes([*bytes.get(body)?, *bytes.get(body + 1)?]);
    let head = body + 2 + if version >= 5 { 2 } else { 0 };
    let length = match format {
        Format::Dwarf32 => u64::from(u32_at(bytes, head)?),
        Format::Dwarf64 => u64_at(bytes, head)?,
    };
    let length = length.min(bytes.len() as u64);
    if version >= 5 {
        let encoding = Encoding {
            format,
            version,
            address_size: *bytes.get(body + 2)?,
        };
        let at = head + usize::from(format.word_size());
        takes_room(bytes.get(at..)?, encoding)?;
    }
    Some(length)
}

/// Whether each entry of both tables takes room; `rest` begins behind the header's length.
fn takes_room(rest: &[u8], encoding: Encoding) -> Option<()> {
    let mut all = Stream::new(rest);
    // Two lengths of instructions, a flag, base and range of lines.
    all.take(5)?;
    let opcodes = all.byte()?;
    all.take(usize::from(opcodes).saturating_sub(1))?;
    let directories = forms(&mut all)?;
    let count = all.varint()?;
    let fixed = directories
        .iter()
        .try_fold(0u64, |sum, f| Some(sum + u64::from(width(*f, encoding)?)));
    match fixed {
        Some(0) if count > 0 => return None,
        Some(each) => drop(all.take(usize::try_from(each.checked_mul(count)?).ok()?)?),
        None => {
            for _ in 0..count {
                directories
                    .iter()
                    .try_for_each(|f| pass(&mut all, *f, encoding))?;
            }
        }
    }
    let files = forms(&mut all)?;
    let empty = files.iter().all(|f| width(*f, encoding) == Some(0));
    (!empty || all.varint()? == 0).then_some(())
}

/// The forms of the entries of a table.
fn forms(all: &mut Stream<'_>) -> Option<Vec<DwForm>> {
    let count = all.byte()?;
    let mut forms = Vec::with_capacity(count.into());
    for _ in 0..count {
        all.varint()?;
        forms.push(DwForm(u16::try_from(all.varint()?).ok()?));
    }
    Some(forms)
}

/// Passes over a value.
fn pass(all: &mut Stream<'_>, form: DwForm, encoding: Encoding) -> Option<()> {
    let len = match form {
        c::DW_FORM_string => {
            while all.byte()? != 0 {}
            0
        }
        c::DW_FORM_udata | c::DW_FORM_sdata | c::DW_FORM_strx => {
            all.varint()?;
            0
        }
        c::DW_FORM_block => all.varint()?,
        c::DW_FORM_block1 => all.byte()?.into(),
        c::DW_FORM_block4 => all.word()?.into(),
        c::DW_FORM_block2 => u64::from(all.byte()?) | u64::from(all.byte()?) << 8,
        _ => width(form, encoding)?.into(),
    };
    all.take(usize::try_from(len).ok()?)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of version 5 with tables of one form each, of so many entries; `entries` are their bytes.
    fn header(forms: [u8; 2], counts: [u8; 2], entries: [&[u8]; 2]) -> Vec<u8> {
        let mut tables = vec![1, 1, 1, 0xfb, 14, 2, 0];
        for ((form, count), bytes) in forms.into_iter().zip(counts).zip(entries) {
            tables.extend([1, 1, form, count]);
            tables.extend(bytes);
        }
        let mut all = vec![0, 0, 0, 0, 5, 0, 8, 0, tables.len() as u8, 0, 0, 0];
        all.extend(tables);
        all
    }

    #[test]
    fn entries_that_take_no_room_are_none() {
        const STRING: u8 = 0x08;
        const STRP: u8 = 0x1f;
        const PRESENT: u8 = 0x19;
        let sound = header([STRP, STRING], [2, 1], [&[0; 8], b"a\0"]);
        assert!(cost(&sound, 0).is_some());
        let mixed = header([STRING, STRP], [2, 1], [b"a\0b\0", &[0; 4]]);
        assert!(cost(&mixed, 0).is_some());
        for bad in [
            header([PRESENT, STRP], [9, 0], [&[], &[]]),
            header([STRP, PRESENT], [0, 9], [&[], &[]]),
            header([STRING, PRESENT], [1, 9], [b"a\0", &[]]),
            header([STRP, STRP], [200, 0], [&[0; 4], &[]]),
        ] {
            assert_eq!(cost(&bad, 0), None);
        }
        assert_eq!(cost(&sound, 3000), None);
    }
}
