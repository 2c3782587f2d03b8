//! A kernel: its images, placed in one address space.

use std::hash::{Hash, Hasher};

use crate::base::addr::{Addr, Address, LinkAddr, Slide};
use crate::formats::image::ImageKind;
use crate::formats::image::note::hex;
use crate::world::dump::Loaded;
use crate::world::image::Image;
use crate::world::memory::record::LINE;
use crate::world::memory::{Memory, Unreadable};

/// An image and where it runs.
pub struct Placed<'d> {
    /// The image.
    pub image: Image<'d>,
    /// Where it runs; `None` for a module whose address is not known. Such a module is found by name only.
    pub slide: Option<Slide>,
}

/// Images in one address space; the vmlinux, if there is one, first.
#[derive(Default)]
pub struct Kernel<'d> {
    images: Vec<Placed<'d>>,
}

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
    pub fn beside(&self, other: &Self) -> bool {
        std::ptr::eq(self.image, other.image)
    }

    /// Another place in the same image.
    pub fn at(self, link: LinkAddr) -> Self {
        Located { link, ..self }
    }

    fn key(&self) -> (*const (), LinkAddr) {
        (std::ptr::from_ref(self.image).cast(), self.link)
    }
}

/// Two are the same where they are the same byte of the same image.
impl PartialEq for Located<'_, '_> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Located<'_, '_> {}

impl Hash for Located<'_, '_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// Where `image` was, if it is what `loaded` says: the same build-id, and for a module, every executable section where
/// the image's layout has it. An error says what differs.
pub fn slide_of(image: &Image<'_>, loaded: &Loaded) -> Result<Slide, String> {
    if let (Some(wanted), Some(found)) = (&loaded.build_id, image.build_id())
        && wanted != found
    {
        return Err(format!(
            "has build-id {}, in memory is {}",
            hex(found),
            hex(wanted)
        ));
    }
    for (name, at) in &loaded.sections {
        let linked = image.section(name).and_then(|s| s.addr);
        // Code of initialisation is gone, and what is not in memory has no place.
        if let Some(linked) = linked
            && linked.0 < crate::formats::image::layout::DATA
            && loaded.slide.runtime(linked) != *at
        {
            return Err(format!(
                "its {name} would be at {}, in memory it is at {at}",
                loaded.slide.runtime(linked)
            ));
        }
    }
    Ok(loaded.slide)
}

impl<'d> Placed<'d> {
    /// The place at `link` in it.
    pub fn at(&self, link: LinkAddr) -> Located<'_, 'd> {
        Located {
            image: &self.image,
            slide: self.slide,
            link,
        }
    }
}

impl<'d> Kernel<'d> {
    /// A kernel without images.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `image`, which runs at `slide`.
    pub fn add(&mut self, image: Image<'d>, slide: Option<Slide>) {
        let at = if image.kind() == ImageKind::Vmlinux {
            0
        } else {
            self.images.len()
        };
        self.images.insert(at, Placed { image, slide });
    }

    /// Takes the image called `name` out.
    pub fn remove(&mut self, name: &str) -> Option<Placed<'d>> {
        let wanted = name.replace('-', "_");
        let named = |p: &Placed<'_>| p.image.name().replace('-', "_") == wanted;
        let at = self.images.iter().position(named)?;
        Some(self.images.remove(at))
    }

    /// All images.
    pub fn images(&self) -> &[Placed<'d>] {
        &self.images
    }

    /// All images, taken out.
    pub fn into_images(self) -> Vec<Placed<'d>> {
        self.images
    }

    /// The image called `name` (`vmlinux` or a module's name; `-` and `_` are the same).
    pub fn image(&self, name: &str) -> Option<&Placed<'d>> {
        let wanted = name.replace('-', "_");
        self.images
            .iter()
            .find(|p| p.image.name().replace('-', "_") == wanted)
    }

    /// The vmlinux.
    pub fn vmlinux(&self) -> Option<&Placed<'d>> {
        self.images
            .first()
            .filter(|p| p.image.kind() == ImageKind::Vmlinux)
    }

    /// The image whose text holds `at`.
    pub fn locate(&self, at: Addr) -> Option<Located<'_, 'd>> {
        self.images.iter().find_map(|placed| {
            let link = placed.slide?.link(at);
            placed.image.text_section(link)?;
            Some(placed.at(link))
        })
    }

    /// The code from `at` to the end of its section as its image has it; empty outside text, in an image that has
    /// excerpts only, and for code of initialisation, which is gone when the kernel runs.
    pub fn text(&self, at: Addr) -> &'d [u8] {
        let found = self.locate(at).filter(|l| {
            let image = l.image;
            let section = image.text_section(l.link);
            !image.is_excerpt() && section.is_some_and(|s| !s.name.starts_with(".init"))
        });
        found.map_or(&[], |l| l.image.code(l.link))
    }
}

/// Memory in which the lines that are not at hand are the text of the images: a snapshot holds only what differs.
pub struct WithText<'k, 'd, M> {
    /// What is at hand.
    pub memory: M,
    /// The images.
    pub kernel: &'k Kernel<'d>,
}

impl<M: Memory> Memory for WithText<'_, '_, M> {
    fn read(&self, mut at: Addr, mut buf: &mut [u8]) -> Result<(), Unreadable> {
        if self.memory.read(at, buf).is_ok() {
            return Ok(());
        }
        while !buf.is_empty() {
            let room = LINE - (at.0 % LINE);
            let len = buf.len().min(room as usize);
            let (now, later) = buf.split_at_mut(len);
            if let Err(why) = self.memory.read(at, now) {
                now.copy_from_slice(self.kernel.text(at).get(..len).ok_or(why)?);
            }
            buf = later;
            at = at.offset(len as i64);
        }
        Ok(())
    }
}
