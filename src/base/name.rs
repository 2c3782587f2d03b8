//! Names out of images, borrowed as long as that will do.

use std::borrow::Cow;

/// A name out of an image, or a copy of one.
pub type Name<'a> = Cow<'a, str>;

/// A copy of `name` that nothing else is needed for.
pub(crate) fn own(name: Name<'_>) -> Name<'static> {
    Cow::Owned(name.into_owned())
}
