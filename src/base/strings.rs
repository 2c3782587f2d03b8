//! Strings, each once; the padding `__pfx_foo` of a function shares its end with the name of `foo`.

use hashbrown::HashTable;

use crate::base::bytes::{cstr_at, u64_at};

/// What the compiler puts before the name of a function for its padding.
const PADDING: &str = "__pfx_";

/// Strings in the making. Offset 0 is the empty string.
pub struct StringPool {
    bytes: Vec<u8>,
    /// Bytes that there may be; and whether more were to be.
    most: usize,
    full: bool,
    /// Hash and offset of each.
    places: HashTable<(u32, u32)>,
}

impl Default for StringPool {
    fn default() -> Self {
        StringPool {
            bytes: vec![0],
            most: u32::MAX as usize,
            full: false,
            places: HashTable::new(),
        }
    }
}

impl StringPool {
    /// A pool of `most` bytes: what is more is taken for the empty string.
    pub(crate) fn within(most: usize) -> Self {
        StringPool {
            most: most.min(u32::MAX as usize),
            ..Self::default()
        }
    }

    /// Whether strings were taken for the empty one for want of room.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// The offset of `text`, which is added unless it is there; up to its first NUL, if it has one. A string
    /// that would begin behind 4 GiB is taken for the empty one.
    pub(crate) fn add(&mut self, text: &str) -> u32 {
        let bytes = text.as_bytes();
        let bytes = match bytes.iter().position(|b| *b == 0) {
            Some(end) => &bytes[..end],
            None => bytes,
        };
        if bytes.is_empty() {
            return 0;
        }
        let hash = hash(bytes);
        if let Some(found) = self.find(bytes, hash) {
            return found;
        }
        let at = self.bytes.len();
        let Some(at) = u32::try_from(at)
            .ok()
            .filter(|_| at + bytes.len() < self.most)
        else {
            self.full = true;
            return 0;
        };
        self.bytes.extend_from_slice(bytes);
        self.bytes.push(0);
        self.insert(hash, at);
        if let Some(function) = bytes.strip_prefix(PADDING.as_bytes()) {
            let hash = self::hash(function);
            if !function.is_empty() && self.find(function, hash).is_none() {
                self.insert(hash, at + PADDING.len() as u32);
            }
        }
        at
    }

    /// All of them, NUL-terminated.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn find(&self, text: &[u8], hash: u32) -> Option<u32> {
        let is = |(own, at): &(u32, u32)| {
            let rest = &self.bytes[*at as usize..];
            *own == hash && rest.starts_with(text) && rest.get(text.len()) == Some(&0)
        };
        self.places.find(spread(hash), is).map(|(_, at)| *at)
    }

    fn insert(&mut self, hash: u32, at: u32) {
        let of = |(hash, _): &(u32, u32)| spread(*hash);
        self.places.insert_unique(spread(hash), (hash, at), of);
    }
}

/// The table wants the highest bits filled, too.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// FNV-1a over words of eight bytes, folded: names are hashed once each, speed counts for more than spread.
fn hash(text: &[u8]) -> u32 {
    let (words, rest) = text.as_chunks::<8>();
    let mix = |h: u64, n: u64| (h ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    let mut h = words.iter().fold(text.len() as u64, |h, w| {
        mix(h, u64_at(w, 0).unwrap_or_default())
    });
    for b in rest {
        h = mix(h, u64::from(*b));
    }
    (h ^ h >> 32) as u32
}

/// The strings of an index.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strings<'d>(pub &'d [u8]);

impl<'d> Strings<'d> {
    /// The string at `offset`; `None` when none ends there or it is no UTF-8.
    pub(crate) fn get(&self, offset: u32) -> Option<&'d str> {
        str::from_utf8(cstr_at(self.0, offset as usize)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_more_than_there_may_be_is_empty() {
        let mut pool = StringPool::within(8);
        assert_eq!((pool.add("abc"), pool.is_full()), (1, false));
        assert_eq!((pool.add("defg"), pool.is_full()), (0, true));
        assert_eq!((pool.add("abc"), pool.add("d")), (1, 5));
        assert_eq!(pool.finish(), b"\0abc\0d\0");
    }

    #[test]
    fn strings_are_kept_once_and_padding_shares_its_end() {
        let mut pool = StringPool::default();
        let pfx = pool.add("__pfx_vfs_read");
        assert_eq!(pool.add("vfs_read"), pfx + 6);
        assert_eq!(pool.add("__pfx_vfs_read"), pfx);
        let other = pool.add("a");
        assert_eq!(pool.add("__pfx_a"), other + 2);
        assert_eq!(pool.add("a"), other);
        assert_eq!((pool.add(""), pool.add("cut\0off")), (0, pool.add("cut")));
        let many: Vec<u32> = (0..5000).map(|i| pool.add(&format!("name{i}"))).collect();
        let bytes = pool.finish();
        let strings = Strings(&bytes);
        assert_eq!(strings.get(pfx + 6), Some("vfs_read"));
        for (i, at) in many.iter().enumerate() {
            assert_eq!(strings.get(*at), Some(&*format!("name{i}")));
        }
        assert_eq!(strings.get(bytes.len() as u32), None);
    }
}
