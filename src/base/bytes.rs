//! Bounds-checked little-endian reading, and searching; the only place of the crate that assembles integers from
//! bytes.

use std::ffi::CStr;

use memchr::memmem;

macro_rules! read {
    ($($(#[$doc:meta])* $name:ident: $ty:ty;)*) => {$(
        $(#[$doc])*
        pub fn $name(data: &[u8], at: usize) -> Option<$ty> {
            const N: usize = size_of::<$ty>();
            let bytes = data.get(at..)?.first_chunk::<N>()?;
            Some(<$ty>::from_le_bytes(*bytes))
        }
    )*};
}

read! {
    /// The `u16` at byte `at`.
    u16_at: u16;
    /// The `i16` at byte `at`.
    i16_at: i16;
    /// The `u32` at byte `at`.
    u32_at: u32;
    /// The `i32` at byte `at`.
    i32_at: i32;
    /// The `u64` at byte `at`.
    u64_at: u64;
}

/// The number of `width` bytes, 1 to 4, at byte `at`.
#[inline]
pub(crate) fn uint_at(data: &[u8], at: usize, width: usize) -> Option<u32> {
    match width {
        1 => data.get(at).map(|b| u32::from(*b)),
        2 => u16_at(data, at).map(u32::from),
        3 => {
            let [a, b, c] = *data.get(at..)?.first_chunk()?;
            Some(u32::from_le_bytes([a, b, c, 0]))
        }
        4 => u32_at(data, at),
        _ => None,
    }
}

/// Bytes of the longest name, or path: what is behind them is no help to a reader. The kernel's have 511 at most
/// (`KSYM_NAME_LEN`).
pub const MAX_NAME: usize = 1 << 12;

/// The NUL-terminated string at byte `at`, without its NUL; `None` when it is not terminated. Of one longer than
/// [`MAX_NAME`] the beginning: names may share their ends, and all together be a million times what the file has.
pub(crate) fn cstr_at(data: &[u8], at: usize) -> Option<&[u8]> {
    let rest = data.get(at..)?;
    // Not by the memchr crate: asking the processor what it can do takes longer than all of a short lookup.
    match CStr::from_bytes_until_nul(&rest[..rest.len().min(MAX_NAME + 1)]) {
        Ok(text) => Some(text.to_bytes()),
        Err(_) => rest.get(..MAX_NAME).filter(|_| rest.len() > MAX_NAME),
    }
}

/// Whether the NUL-terminated string at byte `at` is `text`. Only as much of it is read as is equal.
pub(crate) fn cstr_is(data: &[u8], at: usize, text: &[u8]) -> bool {
    let rest = data.get(at..).and_then(|d| d.strip_prefix(text));
    rest.is_some_and(|rest| rest.first() == Some(&0))
}

/// Writes the low bytes of `value` at byte `at`; `None` when they do not fit.
pub(crate) fn put(data: &mut [u8], at: usize, value: u64, len: usize) -> Option<()> {
    let end = at.checked_add(len)?;
    data.get_mut(at..end)?
        .copy_from_slice(value.to_le_bytes().get(..len)?);
    Some(())
}

/// Where `byte` is first in `data`.
#[inline]
pub(crate) fn find_byte(data: &[u8], byte: u8) -> Option<usize> {
    memchr::memchr(byte, data)
}

/// Where `byte` is last in `data`.
#[inline]
pub fn rfind_byte(data: &[u8], byte: u8) -> Option<usize> {
    memchr::memrchr(byte, data)
}

/// Everywhere that `byte` is in `data`.
#[inline]
pub(crate) fn each_byte(data: &[u8], byte: u8) -> impl Iterator<Item = usize> {
    memchr::memchr_iter(byte, data)
}

/// Everywhere that one of two bytes is in `data`.
#[inline]
pub(crate) fn each_of_two(data: &[u8], [a, b]: [u8; 2]) -> impl Iterator<Item = usize> {
    memchr::memchr2_iter(a, b, data)
}

/// Everywhere that one of three bytes is in `data`.
#[inline]
pub(crate) fn each_of_three(data: &[u8], [a, b, c]: [u8; 3]) -> impl Iterator<Item = usize> {
    memchr::memchr3_iter(a, b, c, data)
}

/// Where `text` is first in `data`.
#[inline]
pub(crate) fn find(data: &[u8], text: &[u8]) -> Option<usize> {
    memmem::find(data, text)
}

/// Looks for one text in many places.
pub struct Finder<'t>(memmem::Finder<'t>);

impl<'t> Finder<'t> {
    /// Prepares for looking for `text`.
    pub(crate) fn new(text: &'t [u8]) -> Self {
        Finder(memmem::Finder::new(text))
    }

    /// Where it is first in `data`.
    pub(crate) fn find(&self, data: &[u8]) -> Option<usize> {
        self.0.find(data)
    }

    /// Everywhere that it is in `data`; no two of these places overlap.
    pub(crate) fn each<'f>(&'f self, data: &'f [u8]) -> impl Iterator<Item = usize> + 'f {
        self.0.find_iter(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stop_at_the_end() {
        let d = [1, 0, 0, 0x80, 5];
        assert_eq!(u32_at(&d, 0), Some(0x8000_0001));
        assert_eq!(i32_at(&d, 0), Some(i32::MIN + 1));
        assert_eq!(u32_at(&d, 2), None);
        assert_eq!(u16_at(&d, usize::MAX), None);
    }

    #[test]
    fn strings_need_their_nul() {
        assert_eq!(cstr_at(b"ab\0cd", 0), Some(&b"ab"[..]));
        assert_eq!(cstr_at(b"ab\0cd", 3), None);
        assert_eq!(cstr_at(b"", 1), None);
        assert!(cstr_is(b"ab\0", 1, b"b") && cstr_is(b"ab\0", 2, b""));
        assert!(!cstr_is(b"ab\0", 0, b"a") && !cstr_is(b"ab", 0, b"ab"));
        assert!(!cstr_is(b"ab\0", 4, b""));
    }

    #[test]
    fn a_name_without_end_is_cut() {
        let long = [b"n".repeat(2 * MAX_NAME), vec![0]].concat();
        for (at, len) in [
            (0, MAX_NAME),
            (MAX_NAME - 1, MAX_NAME),
            (MAX_NAME, MAX_NAME),
            (MAX_NAME + 1, MAX_NAME - 1),
        ] {
            assert_eq!(cstr_at(&long, at).map(<[u8]>::len), Some(len));
        }
        let (open, _) = long.split_at(MAX_NAME);
        assert_eq!(cstr_at(open, 0), None);
    }

    #[test]
    fn writes_stop_at_the_end() {
        let mut d = [0; 4];
        assert_eq!(put(&mut d, 0, 0x1_0203_0405, 4), Some(()));
        assert_eq!(d, [5, 4, 3, 2]);
        assert_eq!(put(&mut d, 1, 0, 4), None);
        assert_eq!(put(&mut d, 0, 0, 9), None);
    }
}
