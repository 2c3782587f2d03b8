//! A kernel: its images, placed in one address space.

use crate::addr::{Addr, LinkAddr, Slide};
use crate::image::ImageKind;
use crate::image::note::hex;
use crate::tables::Tables;
use crate::world::Loaded;

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

/// Where `image` was, if it is what `loaded` says: the same build-id, and for a module, every executable section where
/// the image's layout has it. An error says what differs.
pub fn slide_of(image: &Tables<'_>, loaded: &Loaded) -> Result<Slide, String> {
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
            && linked.0 < crate::image::layout::DATA
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
            Some(Located { placed, link })
        })
    }
}
