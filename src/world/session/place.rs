//! The images of what was found in memory, where they were.

use std::sync::Arc;

use super::noticed::Noticed;
use super::view::View;
use crate::base::addr::Addr;
use crate::base::error::{Error, ErrorKind, Result};
use crate::world::dump::World;
use crate::world::kernel::{Kernel, Placed, same_name, slide_of};

/// Images placed as a world has them.
pub struct Placement<'d> {
    /// The images that are at hand.
    pub kernel: Kernel<'d>,
    /// Names of the others.
    pub missing: Vec<String>,
}

impl Placement<'_> {
    /// Of the images of `world` that are missing, those whose code is at one of `places`: only they are missed.
    pub fn missed<'w>(&self, world: &'w World, places: &[Addr]) -> Vec<&'w str> {
        let missing = world
            .images
            .iter()
            .filter(|l| self.missing.contains(&l.name));
        missing
            .filter(|l| places.iter().any(|at| *at >= l.text.0 && *at < l.text.1))
            .map(|l| &*l.name)
            .collect()
    }
}

impl<'d> View<'_, 'd> {
    /// The images of `world`: those open, and modules that are found, placed where they were. Those that are not found,
    /// or are others, are left out, unless the session was told to use such images.
    ///
    /// # Errors
    ///
    /// `WrongImage` where the vmlinux is not the one that ran.
    pub fn place(&self, world: &World) -> Result<Placement<'d>> {
        let mut given = self.kernel().images().to_vec();
        let mut kernel = Kernel::new();
        let mut missing = Vec::new();
        for loaded in &world.images {
            let named = |p: &Placed<'_>| same_name(p.image.name(), &loaded.name);
            // Of several with one name, the one that ran.
            let ran = |p: &Placed<'_>| named(p) && p.image.build_id() == loaded.build_id.as_deref();
            let found = given.iter().position(ran);
            let image = match found.or_else(|| given.iter().position(named)) {
                Some(found) => Some(given.remove(found).image),
                None => {
                    let release = world.release.as_deref();
                    release.and_then(|_| self.module(&loaded.name, release))
                }
            };
            let Some(image) = image else {
                missing.push(loaded.name.clone());
                continue;
            };
            match slide_of(&image, loaded) {
                Ok(slide) => kernel.add(image, Some(slide)),
                Err(why) if loaded.name == "vmlinux" && !self.options().force => {
                    return Err(Error::new(ErrorKind::WrongImage, why).in_file(image.path()));
                }
                Err(why) => {
                    let used = self.options().force;
                    self.notice(Noticed::OtherImage {
                        image: image.path().to_owned(),
                        why,
                        used,
                    });
                    match used {
                        true => kernel.add(Arc::clone(&image), Some(loaded.slide)),
                        false => missing.push(loaded.name.clone()),
                    }
                }
            }
        }
        Ok(Placement { kernel, missing })
    }
}
