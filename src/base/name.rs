//! Names out of images: borrowed as long as that will do, then shared by all copies of what has them.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use super::bytes::MAX_NAME;

/// A name out of an image, or one that outlives it, whose clones are one text. It is used as the `str` that it is.
#[derive(Clone)]
pub struct Name<'a>(Kept<'a>);

#[derive(Clone)]
enum Kept<'a> {
    Borrowed(&'a str),
    Shared(Arc<str>),
}

impl<'a> Name<'a> {
    /// The name.
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kept::Borrowed(name) => name,
            Kept::Shared(name) => name,
        }
    }

    /// What `make` makes of it, borrowed where it is.
    pub(crate) fn map(&self, make: impl for<'n> Fn(&'n str) -> Cow<'n, str>) -> Name<'a> {
        match &self.0 {
            Kept::Borrowed(name) => {
                let name: &'a str = name;
                make(name).into()
            }
            Kept::Shared(name) => own(make(name).into()),
        }
    }
}

/// `names` with `between` them.
pub(crate) fn joined(names: &[Name<'_>], between: &str) -> String {
    let names: Vec<&str> = names.iter().map(Name::as_str).collect();
    names.join(between)
}

/// A copy of `name` that nothing else is needed for.
pub(crate) fn own(name: Name<'_>) -> Name<'static> {
    Name(Kept::Shared(match name.0 {
        Kept::Borrowed(name) => Arc::from(name),
        Kept::Shared(name) => name,
    }))
}

impl Deref for Name<'_> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Name<'_> {
    #[inline]
    fn borrow(&self) -> &str {
        self
    }
}

impl AsRef<str> for Name<'_> {
    #[inline]
    fn as_ref(&self) -> &str {
        self
    }
}

impl Default for Name<'_> {
    fn default() -> Self {
        "".into()
    }
}

impl<'a> From<&'a str> for Name<'a> {
    #[inline]
    fn from(name: &'a str) -> Self {
        Name(Kept::Borrowed(name))
    }
}

impl From<String> for Name<'_> {
    fn from(name: String) -> Self {
        Name(Kept::Shared(name.into()))
    }
}

impl From<Arc<str>> for Name<'_> {
    fn from(name: Arc<str>) -> Self {
        Name(Kept::Shared(name))
    }
}

impl<'a> From<Cow<'a, str>> for Name<'a> {
    #[inline]
    fn from(name: Cow<'a, str>) -> Self {
        match name {
            Cow::Borrowed(name) => name.into(),
            Cow::Owned(name) => name.into(),
        }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for Name<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Name<'_> {}

impl PartialOrd for Name<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other)
    }
}

impl Hash for Name<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialEq<str> for Name<'_> {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name<'_> {
    #[inline]
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Name<'_> {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other.as_str()
    }
}

/// `bytes` as text; `None` when they are none. One that was cut at [`MAX_NAME`] may end within a character.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    match str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(e) if bytes.len() == MAX_NAME && e.error_len().is_none() => {
            str::from_utf8(&bytes[..e.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_an_owned_name_are_one_text() {
        let text = "vfs_read".to_owned();
        let name = own(Name::from(&*text));
        let clone = name.clone();
        drop(text);
        assert_eq!(clone, "vfs_read");
        assert!(std::ptr::eq(name.as_str(), clone.as_str()));
        assert!(std::ptr::eq(own(clone).as_str(), name.as_str()));
    }

    #[test]
    fn a_name_cut_within_a_character_is_text() {
        let mut bytes = b"n".repeat(MAX_NAME - 1);
        bytes.push(0xc3);
        assert_eq!(text(&bytes).map(str::len), Some(MAX_NAME - 1));
        assert_eq!(text(b"n\xc3"), None);
        assert_eq!(text(b"\xc3\xb6"), Some("ö"));
        bytes[0] = 0xff;
        assert_eq!(text(&bytes), None);
    }
}
