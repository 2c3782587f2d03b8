//! A kernel: its images, placed in one address space.

mod located;
mod places;
mod text;

pub use located::{Key, Located};
pub use text::WithText;

use std::sync::{Arc, OnceLock};

use crate::base::addr::{Addr, LinkAddr, Slide};
use crate::formats::image::ImageKind;
use crate::formats::image::locate::underscored;
use crate::formats::image::note::hex;
use crate::world::dump::Loaded;
use crate::world::image::Image;
use places::Places;

/// An image and where it runs.
#[derive(Clone)]
#[non_exhaustive]
pub struct Placed<'d> {
    /// The image; several kernels may share it.
    pub image: Arc<Image<'d>>,
    /// Where it runs; `None` for a module whose address is not known. Such a module is found by name only.
    pub slide: Option<Slide>,
}

/// Images in one address space; the vmlinux, if there is one, first. A copy shares its images.
#[derive(Clone, Default)]
pub struct Kernel<'d> {
    images: Vec<Placed<'d>>,
    /// Numbers of the images by name, `-` written as `_`; of equal names the lower number first.
    names: Vec<(Box<str>, usize)>,
    /// Where the images but the first are; made when first asked for.
    places: OnceLock<Places>,
}

/// Where `image` was, if it is what `loaded` says: the same build-id, and for a module, every executable section where
/// the image's layout has it.
///
/// # Errors
/// What differs, as a fragment that fits behind the image's name.
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

/// The bytes of an image's name as they are compared.
fn same(name: &str) -> impl Iterator<Item = u8> + '_ {
    name.bytes().map(|b| if b == b'-' { b'_' } else { b })
}

/// Whether two names are of one module.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    same(a).eq(same(b))
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

    /// Its image's name as it is compared.
    fn name(&self) -> Box<str> {
        underscored(self.image.name()).into()
    }
}

impl<'d> Kernel<'d> {
    /// A kernel without images.
    pub fn new() -> Self {
        Self::default()
    }

    /// A kernel of `images`, in this order.
    fn of(images: Vec<Placed<'d>>) -> Self {
        let named = images.iter().zip(0..).map(|(p, n)| (p.name(), n));
        let mut names: Vec<(Box<str>, usize)> = named.collect();
        names.sort();
        Kernel {
            images,
            names,
            places: OnceLock::new(),
        }
    }

    /// Adds `image`, which runs at `slide`: a vmlinux before all others, a module behind them.
    pub fn add(&mut self, image: impl Into<Arc<Image<'d>>>, slide: Option<Slide>) {
        let image = image.into();
        let placed = Placed { image, slide };
        if placed.image.kind() == ImageKind::Vmlinux {
            let mut images = std::mem::take(&mut self.images);
            images.insert(0, placed);
            *self = Kernel::of(images);
            return;
        }
        let named = (placed.name(), self.images.len());
        let at = self.names.partition_point(|n| *n < named);
        self.names.insert(at, named);
        self.images.push(placed);
        self.places.take();
    }

    /// The same without the images called as one of `names`.
    pub(crate) fn without(&self, names: &[&str]) -> Self {
        let out = |p: &&Placed<'_>| names.iter().any(|n| same(n).eq(same(p.image.name())));
        Kernel::of(self.images.iter().filter(|p| !out(p)).cloned().collect())
    }

    /// All images.
    pub fn images(&self) -> &[Placed<'d>] {
        &self.images
    }

    /// The image called `name` (`vmlinux` or a module's name; `-` and `_` are the same).
    pub fn image(&self, name: &str) -> Option<&Placed<'d>> {
        self.images.get(self.number(name)?)
    }

    /// The number of the first image called `name`.
    fn number(&self, name: &str) -> Option<usize> {
        let at = self
            .names
            .partition_point(|(n, _)| n.bytes().lt(same(name)));
        let (found, number) = self.names.get(at)?;
        found.bytes().eq(same(name)).then_some(*number)
    }

    /// The vmlinux.
    pub fn vmlinux(&self) -> Option<&Placed<'d>> {
        self.images
            .first()
            .filter(|p| p.image.kind() == ImageKind::Vmlinux)
    }

    /// The image whose text holds `at`; the first such in the order of [`Kernel::images`].
    pub fn locate(&self, at: Addr) -> Option<Located<'_, 'd>> {
        let (first, others) = self.images.split_first()?;
        // Mostly it is the vmlinux.
        if let Some(slide) = first.slide {
            let link = slide.link(at);
            if first.image.text_section(link).is_some() {
                return Some(first.at(link));
            }
        }
        if others.is_empty() {
            return None;
        }
        let make = || Places::of(others.iter().map(|p| (&*p.image, p.slide)));
        let places = self.places.get_or_init(make);
        let placed = others.get(places.find(at)?)?;
        Some(placed.at(placed.slide?.link(at)))
    }

    /// The code from `at` to the end of its section as its image has it; empty outside text, in an image that has
    /// excerpts only or was made of memory, and for code of initialisation, which is gone when the kernel runs.
    pub(crate) fn text(&self, at: Addr) -> &'d [u8] {
        let found = self.locate(at).filter(|l| {
            let section = l.image.text_section(l.link);
            !l.image.is_excerpt()
                && !l.image.is_of_memory()
                && section.is_some_and(|s| !s.name.starts_with(".init"))
        });
        found.map_or(&[], |l| l.image.code(l.link))
    }
}
