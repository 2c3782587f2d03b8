//! Names out of images, borrowed as long as that will do.

use std::borrow::Cow;

use super::bytes::MAX_NAME;

/// A name out of an image, or a copy of one.
pub type Name<'a> = Cow<'a, str>;

/// A copy of `name` that nothing else is needed for.
pub(crate) fn own(name: Name<'_>) -> Name<'static> {
    Cow::Owned(name.into_owned())
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
