//! A kernel: its images, placed in one address space.

use crate::addr::{Addr, LinkAddr, Slide};
use crate::image::ImageKind;
use crate::tables::Tables;

/// An image and where it runs.
pub struct Placed<'d> {
    /// The image.
    pub image: Tables<'d>,
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
    /// The image and its slide.
    pub placed: &'k Placed<'d>,
    /// Where in it.
    pub link: LinkAddr,
}

impl<'d> Kernel<'d> {
    /// A kernel without images.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `image`, which runs at `slide`.
    pub fn add(&mut self, image: Tables<'d>, slide: Option<Slide>) {
        let at = if image.kind() == ImageKind::Vmlinux {
            0
        } else {
            self.images.len()
        };
        self.images.insert(at, Placed { image, slide });
    }

    /// All images.
    pub fn images(&self) -> &[Placed<'d>] {
        &self.images
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
            Some(Located { placed, link })
        })
    }
}
