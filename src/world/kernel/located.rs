//! A place in an image.

use crate::base::addr::{LinkAddr, Slide};
use crate::world::image::Image;

/// A place in one image.
#[derive(Clone, Copy)]
pub struct Located<'k, 'd> {
    /// The image.
    pub image: &'k Image<'d>,
    /// Where the image runs; `None` for a module whose address is not known.
    pub slide: Option<Slide>,
    /// Where in it.
    pub link: LinkAddr,
}

impl<'k, 'd> Located<'k, 'd> {
    /// A place in an image that runs nowhere in particular.
    pub fn linked(image: &'k Image<'d>, link: LinkAddr) -> Self {
        Located {
            image,
            slide: None,
            link,
        }
    }

    /// Whether both are in the same image.
    pub(crate) fn beside(&self, other: &Self) -> bool {
        std::ptr::eq(self.image, other.image)
    }

    /// Another place in the same image.
    pub fn at(self, link: LinkAddr) -> Self {
        Located { link, ..self }
    }

    /// What tells it from other places, for tables.
    pub(crate) fn key(&self) -> Key {
        Key(std::ptr::from_ref(self.image).addr(), self.link)
    }
}

/// A place as a key of tables, as long as its image is borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key(usize, LinkAddr);

/// Two are the same where they are the same byte of the same image.
impl PartialEq for Located<'_, '_> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Located<'_, '_> {}
