//! The names of symbols where their source has them, and where each ends: behind a name stands a zero byte in a string
//! table, white space or nothing in a text.

use crate::base::bytes::{MAX_NAME, cstr_at};

/// Where names stand.
#[derive(Clone, Copy)]
pub(super) enum Strings<'d> {
    /// In a string table.
    Table(&'d [u8]),
    /// On the lines of a text.
    Text(&'d [u8]),
}

impl<'d> Strings<'d> {
    /// All of them.
    pub(crate) fn bytes(self) -> &'d [u8] {
        match self {
            Strings::Table(bytes) | Strings::Text(bytes) => bytes,
        }
    }

    /// Whether `byte` is in no name.
    fn ends(self, byte: u8) -> bool {
        match self {
            Strings::Table(_) => byte == 0,
            Strings::Text(_) => byte == 0 || byte.is_ascii_whitespace(),
        }
    }

    /// What stands at byte `at` and behind it.
    fn tail(self, at: u32) -> &'d [u8] {
        self.bytes().get(at as usize..).unwrap_or_default()
    }

    /// The name at byte `at`; empty where none is.
    pub(crate) fn name(self, at: u32) -> &'d [u8] {
        match self {
            Strings::Table(bytes) => cstr_at(bytes, at as usize).unwrap_or_default(),
            Strings::Text(_) => {
                let tail = self.tail(at);
                let tail = &tail[..tail.len().min(MAX_NAME)];
                let end = tail.iter().position(|b| self.ends(*b));
                // A last line need not end.
                tail.get(..end.unwrap_or(tail.len())).unwrap_or_default()
            }
        }
    }

    /// The first bytes of the name at byte `at`, `len` at most, in one piece.
    pub(crate) fn beginning(self, at: u32, len: usize) -> &'d [u8] {
        let tail = self.tail(at);
        let tail = &tail[..tail.len().min(len)];
        let end = tail.iter().position(|b| self.ends(*b));
        &tail[..end.unwrap_or(tail.len())]
    }

    /// The first bytes of the name at byte `at`, `len` at most.
    pub(crate) fn head(self, at: u32, len: usize) -> impl Iterator<Item = u8> {
        let tail = self.tail(at).iter().take(len).copied();
        tail.take_while(move |b| !self.ends(*b))
    }

    /// Whether the name at byte `at` is `name`, which is not empty. Only as much of it is read as is equal.
    pub(crate) fn is(self, at: u32, name: &[u8]) -> bool {
        match (self.tail(at).strip_prefix(name), self) {
            (None, _) => false,
            (Some([]), Strings::Table(_)) => false,
            (Some(rest), _) => rest.first().is_none_or(|b| self.ends(*b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_where_its_source_ends_it() {
        let table = Strings::Table(b"\0vfs_read\0a b\0cut");
        let text = Strings::Text(b"1 T vfs_read\r\n2 t a b\n3 t foo\t[lab]\n4 T last");
        let names = |s: Strings<'static>, all: &[u32]| -> Vec<&[u8]> {
            all.iter().map(|at| s.name(*at)).collect()
        };
        let expected: [&[u8]; 5] = [b"vfs_read", b"read", b"a b", b"", b""];
        assert_eq!(names(table, &[1, 5, 10, 14, 99]), expected);
        let expected: [&[u8]; 5] = [b"vfs_read", b"a", b"foo", b"last", b""];
        assert_eq!(names(text, &[4, 18, 26, 40, 99]), expected);
    }

    #[test]
    fn a_name_is_not_one_that_it_begins() {
        let table = Strings::Table(b"\0vfs_read\0vfs_readv\0vfs_rea");
        let text = Strings::Text(b"1 T vfs_read\n2 T vfs_readv\r\n3 T vfs_rea");
        for (strings, places) in [(table, [1, 10, 20]), (text, [4, 17, 32])] {
            let named = |name: &[u8]| places.map(|at| strings.is(at, name));
            assert_eq!(named(b"vfs_read"), [true, false, false]);
            assert_eq!(named(b"vfs_readv"), [false, true, false]);
        }
        // What a table cuts off is no name; a text may end in one.
        assert!(!table.is(20, b"vfs_rea") && text.is(32, b"vfs_rea"));
    }
}
