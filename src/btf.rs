//! The little of `.BTF` that is needed without DWARF: member names of one struct.
//!
//! Source: Documentation/bpf/btf.rst and include/uapi/linux/btf.h (Linux 7.2).

use crate::bytes::{cstr_at, u16_at, u32_at};

const MAGIC: u16 = 0xeb9f;
const STRUCT: u32 = 4;

/// Bytes behind a type's header, by kind; `None` for a kind that is not known.
fn trailer(kind: u32, vlen: usize) -> Option<usize> {
    Some(match kind {
        // PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT, TYPE_TAG
        2 | 7..=12 | 16 | 18 => 0,
        // INT, VAR, DECL_TAG
        1 | 14 | 17 => 4,
        // ARRAY
        3 => 12,
        // STRUCT, UNION, DATASEC, ENUM64
        4 | 5 | 15 | 19 => vlen * 12,
        // ENUM, FUNC_PROTO
        6 | 13 => vlen * 8,
        _ => return None,
    })
}

/// The member names of the first struct called `name`; `None` when there is none or the section is broken.
pub fn struct_members<'d>(btf: &'d [u8], name: &str) -> Option<Vec<&'d str>> {
    if u16_at(btf, 0)? != MAGIC {
        return None;
    }
    let header = u32_at(btf, 4)? as usize;
    let part = |offset: usize, len: usize| {
        let start = header.checked_add(u32_at(btf, offset)? as usize)?;
        btf.get(start..start.checked_add(u32_at(btf, len)? as usize)?)
    };
    let (types, strings) = (part(8, 12)?, part(16, 20)?);
    let string = |at: u32| cstr_at(strings, at as usize);
    let mut at = 0usize;
    while at < types.len() {
        let info = u32_at(types, at + 4)?;
        let (kind, vlen) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        let body = at + 12;
        if kind == STRUCT && string(u32_at(types, at)?)? == name.as_bytes() {
            let member = |i: usize| str::from_utf8(string(u32_at(types, body + i * 12)?)?).ok();
            return (0..vlen).map(member).collect();
        }
        at = body.checked_add(trailer(kind, vlen)?)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Vec<u8> {
        let strings = b"\0int\0orc_entry\0sp_offset\0end\0";
        let types: Vec<u32> = vec![
            1,
            1 << 24,
            4,
            32,
            5,
            (STRUCT << 24) | 2,
            6,
            15,
            1,
            0,
            25,
            1,
            16,
        ];
        let mut b = vec![0x9f, 0xeb, 1, 0];
        for word in [
            24,
            0,
            types.len() as u32 * 4,
            types.len() as u32 * 4,
            strings.len() as u32,
        ] {
            b.extend(word.to_le_bytes());
        }
        types.iter().for_each(|t| b.extend(t.to_le_bytes()));
        b.extend(strings);
        b
    }

    #[test]
    fn members_are_found_by_struct_name() {
        assert_eq!(
            struct_members(&sample(), "orc_entry").unwrap(),
            ["sp_offset", "end"]
        );
        assert_eq!(struct_members(&sample(), "int"), None);
    }

    proptest! {
        #[test]
        fn broken_btf_never_panics(at in 0usize..100, byte: u8, cut in 0usize..110) {
            let mut b = sample();
            let at = at % b.len();
            b[at] = byte;
            b.truncate(cut);
            let _ = struct_members(&b, "orc_entry");
        }
    }
}
