//! What a value says about itself when it is used as a pointer: each rule looks at one thing, and says no more than
//! that. Constants: include/linux/poison.h, include/linux/err.h, mm/slab.h, Documentation/arch/x86/x86_64/mm.rst.

use super::errno;

/// Bytes from a poison value up to which an address counts as made from it: members of structures.
const REACH: u64 = 0x1000;

/// What `value` is, by the strongest rule that applies; `None` if it looks like nothing in particular.
pub(crate) fn value(value: u64, la57: bool) -> Option<String> {
    null(value)
        .or_else(|| error_pointer(value))
        .or_else(|| list_poison(value))
        .or_else(|| magic(value))
        .or_else(|| pattern(value))
        .or_else(|| text(value))
        .or_else(|| kasan_shadow(value, la57))
        .or_else(|| half_pattern(value))
        .or_else(|| flipped_bit(value, la57))
        .or_else(|| non_canonical(value, la57))
        .or_else(|| small(value))
}

/// 0.
pub(crate) fn null(value: u64) -> Option<String> {
    (value == 0).then(|| "a NULL pointer".to_owned())
}

/// Values below a page.
pub(crate) fn small(value: u64) -> Option<String> {
    (1..REACH)
        .contains(&value)
        .then(|| "a small number, not a pointer".to_owned())
}

/// What `ERR_PTR()` makes of an error number.
pub(crate) fn error_pointer(value: u64) -> Option<String> {
    let number = value.wrapping_neg();
    if !(1..=4095).contains(&number) {
        return None;
    }
    Some(match errno::name(number) {
        Some(name) => format!("-{number}, as an error pointer -{name}"),
        None => format!("-{number}, in the range of error pointers"),
    })
}

/// `LIST_POISON1`, `LIST_POISON2`, and addresses of members near them.
pub(crate) fn list_poison(value: u64) -> Option<String> {
    const DELTA: u64 = 0xdead_0000_0000_0000;
    let what = |name: &str, from: u64| match value - from {
        0 => format!("{name}: its list entry was deleted"),
        offset => format!("{name} + {offset:#x}: a list entry was deleted"),
    };
    match value.checked_sub(DELTA)? {
        0x122..0x200 => Some(what("LIST_POISON2", DELTA + 0x122)),
        0x100..0x122 => Some(what("LIST_POISON1", DELTA + 0x100)),
        // Where the structure begins before its list entry.
        0..REACH => Some("near LIST_POISON1 and LIST_POISON2 (0xdead000000000100, ...122)".into()),
        _ => None,
    }
}

/// The magic number of debugged spin locks.
pub(crate) fn magic(value: u64) -> Option<String> {
    const SPINLOCK_MAGIC: u64 = 0xdead_4ead;
    let half = match (value >> 32, value & 0xffff_ffff) {
        (SPINLOCK_MAGIC, _) => "upper",
        (_, SPINLOCK_MAGIC) => "lower",
        _ => return None,
    };
    Some(format!(
        "SPINLOCK_MAGIC (0xdead4ead) in its {half} half, as a debugged spin lock has"
    ))
}

/// Bytes that fill memory nobody should read, or should not read yet.
const FILLS: [(u8, &str); 7] = [
    (0x6b, "POISON_FREE: read from a freed slab object"),
    (
        0x5a,
        "POISON_INUSE: read from a slab object that was not initialised",
    ),
    (0xa5, "POISON_END: read from the end of a slab object"),
    (
        0xaa,
        "a page's poison, or a variable on the stack that was not initialised",
    ),
    (0xfe, "a variable on the stack that was not initialised"),
    (0xbb, "the red zone of a free slab object"),
    (
        0xcc,
        "the red zone of a slab object, or memory that was filled when freed",
    ),
];

/// A value of which all bytes are the same fill byte, or an address a little behind one.
pub(crate) fn pattern(value: u64) -> Option<String> {
    for (byte, what) in FILLS {
        let full = u64::from_le_bytes([byte; 8]);
        // The last byte of a freed object has a mark of its own.
        let ending = full & !(0xff << 56) | 0xa5 << 56;
        let base = match byte {
            0x6b if (0..REACH).contains(&value.wrapping_sub(ending)) => ending,
            _ => full,
        };
        let offset = value.wrapping_sub(base);
        if offset == 0 {
            return Some(format!("the byte {byte:#04x} repeated, {what}"));
        }
        if offset < REACH {
            return Some(format!(
                "{offset:#x} behind the byte {byte:#04x} repeated, {what}"
            ));
        }
    }
    None
}

/// A 32-bit number of which all bytes are a fill byte of slabs.
pub(crate) fn half_pattern(value: u64) -> Option<String> {
    let (byte, what) = FILLS
        .into_iter()
        .take(3)
        .find(|(byte, _)| value == u64::from(u32::from_le_bytes([*byte; 4])))?;
    Some(format!("the byte {byte:#04x} four times, {what}"))
}

/// The shadow of an address, as KASAN computes it.
pub(crate) fn kasan_shadow(value: u64, la57: bool) -> Option<String> {
    const OFFSET: u64 = 0xdfff_fc00_0000_0000;
    if canonical(value, la57) {
        return None;
    }
    let real = value.checked_sub(OFFSET)? << 3;
    let found = if real < REACH {
        Some("a NULL pointer".to_owned())
    } else {
        // Its three lowest bits are lost.
        FILLS
            .into_iter()
            .find(|(b, _)| u64::from_le_bytes([*b; 8]) & !7 == real)
            .map(|(b, what)| format!("the byte {b:#04x} repeated, {what}"))
    };
    // Of other values it is not certain that KASAN made them, but for those that only it comes to.
    match found {
        Some(found) => Some(format!("the KASAN shadow of {real:#x}: {found}")),
        None if real < 1 << 47 => Some(format!("the KASAN shadow of {real:#x}")),
        None => None,
    }
}

/// Printable bytes.
pub(crate) fn text(value: u64) -> Option<String> {
    let bytes = value.to_le_bytes();
    let len = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let (shown, rest) = bytes.split_at(len);
    let printable = shown.iter().all(|b| matches!(b, 0x20..0x7f));
    let varied = shown.windows(2).any(|w| w[0] != w[1]);
    (len >= 7 && printable && varied && rest.iter().all(|b| *b == 0)).then(|| {
        let shown: String = shown.iter().map(|b| char::from(*b)).collect();
        format!("text: its bytes are {shown:?}")
    })
}

/// Whether `address` is one that the CPU can translate.
pub(crate) fn canonical(address: u64, la57: bool) -> bool {
    let bits = if la57 { 57 } else { 48 };
    let upper = address as i64 >> (bits - 1);
    upper == 0 || upper == -1
}

/// An address that the CPU cannot translate.
pub(crate) fn non_canonical(value: u64, la57: bool) -> Option<String> {
    (!canonical(value, la57)).then(|| "not canonical".to_owned())
}

/// An address of the kernel with one wrong bit that makes it non-canonical.
pub(crate) fn flipped_bit(value: u64, la57: bool) -> Option<String> {
    if canonical(value, la57) {
        return None;
    }
    let lowest = if la57 { 56 } else { 47 };
    // Of the kernel half only: a small number shifted up is too common.
    (lowest..64)
        .map(|bit| (bit, value ^ 1 << bit))
        .find(|(_, other)| canonical(*other, la57) && *other >> 63 != 0)
        .map(|(bit, other)| format!("not canonical; {other:#x} with bit {bit} flipped"))
}

/// Where in the address space `address` lies, as far as that is the same on all x86-64 kernels.
pub(crate) fn region(address: u64, la57: bool) -> &'static str {
    if !canonical(address, la57) {
        return "no canonical address";
    }
    match address {
        0..0x8000_0000_0000_0000 => "a user-space address",
        0xffff_ffff_8000_0000..=0xffff_ffff_9fff_ffff => "in the mapping of the kernel image",
        // Images moved by KASLR reach up to 1 GiB; without it modules begin here.
        0xffff_ffff_a000_0000..=0xffff_ffff_bfff_ffff => {
            "in the mapping of the kernel image or of modules"
        }
        0xffff_ffff_c000_0000..=0xffff_ffff_feff_ffff => "in the mapping of modules",
        0xffff_fe00_0000_0000..=0xffff_fe7f_ffff_ffff => "in the CPU entry areas",
        _ => "in the kernel half",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(address: u64) -> String {
        value(address, false).unwrap_or_default()
    }

    #[test]
    fn numbers_that_are_no_pointers() {
        assert_eq!(said(0), "a NULL pointer");
        assert_eq!(said(8), "a small number, not a pointer");
        assert_eq!(said(0x1000), "");
        assert_eq!(said(-14i64 as u64), "-14, as an error pointer -EFAULT");
        assert_eq!(
            said(-4095i64 as u64),
            "-4095, in the range of error pointers"
        );
        assert_eq!(
            said(-517i64 as u64),
            "-517, as an error pointer -EPROBE_DEFER"
        );
        assert_eq!(said(-4096i64 as u64), "");
    }

    #[test]
    fn poison_of_lists() {
        assert_eq!(
            said(0xdead_0000_0000_0100),
            "LIST_POISON1: its list entry was deleted"
        );
        assert_eq!(
            said(0xdead_0000_0000_0122),
            "LIST_POISON2: its list entry was deleted"
        );
        assert_eq!(
            said(0xdead_0000_0000_0108),
            "LIST_POISON1 + 0x8: a list entry was deleted"
        );
        assert_eq!(
            said(0xdead_0000_0000_00f0),
            "near LIST_POISON1 and LIST_POISON2 (0xdead000000000100, ...122)"
        );
    }

    #[test]
    fn magic_numbers_of_locks() {
        assert_eq!(
            said(0xdead_4ead_0000_0100),
            "SPINLOCK_MAGIC (0xdead4ead) in its upper half, as a debugged spin lock has"
        );
    }

    #[test]
    fn fill_bytes() {
        assert_eq!(
            said(0x6b6b_6b6b_6b6b_6b6b),
            "the byte 0x6b repeated, POISON_FREE: read from a freed slab object"
        );
        assert_eq!(
            said(0x6b6b_6b6b_6b6b_6b7b),
            "0x10 behind the byte 0x6b repeated, POISON_FREE: read from a freed slab object"
        );
        assert_eq!(
            said(0xa56b_6b6b_6b6b_6b6b),
            "the byte 0x6b repeated, POISON_FREE: read from a freed slab object"
        );
        assert_eq!(
            said(0x5a5a_5a5a_5a5a_5a5a),
            "the byte 0x5a repeated, POISON_INUSE: read from a slab object that was not initialised"
        );
        assert_eq!(
            said(0xa5a5_a5a5_a5a5_a5a5),
            "the byte 0xa5 repeated, POISON_END: read from the end of a slab object"
        );
        assert_eq!(
            said(0xaaaa_aaaa_aaaa_aaaa),
            "the byte 0xaa repeated, a page's poison, or a variable on the stack that was not initialised"
        );
        assert_eq!(
            said(0xfefe_fefe_fefe_fefe),
            "the byte 0xfe repeated, a variable on the stack that was not initialised"
        );
        assert_eq!(
            said(0xbbbb_bbbb_bbbb_bbbb),
            "the byte 0xbb repeated, the red zone of a free slab object"
        );
        assert_eq!(
            said(0xcccc_cccc_cccc_cccc),
            "the byte 0xcc repeated, the red zone of a slab object, or memory that was filled when freed"
        );
        assert_eq!(
            said(0x6b6b_6b6b),
            "the byte 0x6b four times, POISON_FREE: read from a freed slab object"
        );
    }

    #[test]
    fn shadows_of_kasan() {
        assert_eq!(
            said(0xdfff_fc00_0000_0003),
            "the KASAN shadow of 0x18: a NULL pointer"
        );
        assert_eq!(
            said(0xdfff_fc00_0000_0000 + 0x0d6d_6d6d_6d6d_6d6d),
            "the KASAN shadow of 0x6b6b6b6b6b6b6b68: the byte 0x6b repeated, POISON_FREE: read from a freed slab object"
        );
        assert_eq!(
            said(0xdfff_fc00_0000_0000 + (0x5555_0000 >> 3)),
            "the KASAN shadow of 0x55550000"
        );
    }

    #[test]
    fn text_as_a_pointer() {
        assert_eq!(
            said(u64::from_le_bytes(*b"/dev/sda")),
            "text: its bytes are \"/dev/sda\""
        );
        assert_eq!(
            said(u64::from_le_bytes(*b"console\0")),
            "text: its bytes are \"console\""
        );
        assert_eq!(text(u64::from_le_bytes(*b"short\0\0\0")), None);
    }

    #[test]
    fn addresses_that_cannot_be() {
        assert_eq!(
            said(0xfeff_8880_0123_4560),
            "not canonical; 0xffff888001234560 with bit 56 flipped"
        );
        assert_eq!(said(0x1234_5678_9abc_def0), "not canonical");
        assert_eq!(value(0x00ff_8880_0123_4560, true), None);
        assert_eq!(
            value(0x00ff_8880_0123_4560, false).as_deref(),
            Some("not canonical")
        );
    }

    #[test]
    fn regions_that_are_certain() {
        assert_eq!(region(0x7fff_ffff_f000, false), "a user-space address");
        assert_eq!(
            region(0xffff_ffff_8100_0000, false),
            "in the mapping of the kernel image"
        );
        assert_eq!(
            region(0xffff_ffff_a100_0000, false),
            "in the mapping of the kernel image or of modules"
        );
        assert_eq!(
            region(0xffff_ffff_c010_0000, false),
            "in the mapping of modules"
        );
        assert_eq!(
            region(0xffff_fe00_0000_1000, false),
            "in the CPU entry areas"
        );
        assert_eq!(region(0xffff_8880_0123_4560, false), "in the kernel half");
        assert_eq!(region(0x1234_5678_9abc_def0, false), "no canonical address");
        assert_eq!(region(0xff11_0000_0000_0000, true), "in the kernel half");
    }

    proptest! {
        #[test]
        fn any_value_may_be_asked_for(number: u64, la57: bool) {
            value(number, la57);
            region(number, la57);
        }
    }
}
