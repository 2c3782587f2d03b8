//! The images of what was found in memory, where they were.

use std::collections::HashSet;
use std::sync::Arc;

use super::noticed::Noticed;
use super::view::View;
use crate::base::addr::Addr;
use crate::base::error::{Error, ErrorKind, Result};
use crate::world::dump::{Loaded, World, recovered};
use crate::world::kernel::{Kernel, Placed, same_name, slide_of};
use crate::world::memory::Memory;

/// Images placed as a world has them.
pub struct Placement<'d> {
    /// The images that are at hand.
    pub kernel: Kernel<'d>,
    /// Names of the others.
    pub missing: Vec<String>,
}

impl Placement<'_> {
    /// The names of what is missing.
    fn names(&self) -> HashSet<&str> {
        self.missing.iter().map(|name| &**name).collect()
    }

    /// Of the images of `world` that are missing, those whose code is at one of `places`: only they are missed.
    pub fn missed<'w>(&self, world: &'w World, places: &[Addr]) -> Vec<&'w str> {
        let names = self.names();
        let mut places = places.to_vec();
        places.sort_unstable();
        let holds_one = |l: &&Loaded| {
            let next = places.partition_point(|at| *at < l.text.0);
            places.get(next).is_some_and(|at| *at < l.text.1)
        };
        let missing = world.images.iter().filter(|l| names.contains(&*l.name));
        missing.filter(holds_one).map(|l| &*l.name).collect()
    }
}

impl<'d> Placement<'d> {
    /// Numbers of the images of `world` that are missing here.
    pub fn lacking(&self, world: &World) -> Vec<usize> {
        let names = self.names();
        let missing = |(_, l): &(usize, &Loaded)| names.contains(&*l.name);
        let all = world.images.iter().enumerate();
        let init = |l: &Loaded| l.tables.is_some_and(|t| t.init.is_some());
        all.filter(|one| missing(one) || init(one.1))
            .map(|(n, _)| n)
            .collect()
    }
}

impl<'d> View<'_, 'd> {
    /// Makes an image of image number `number` of `world` out of `memory`, where no file of it was found; of code that is
    /// there only while a module is initialised in any case, for a file's layout has that elsewhere.
    pub fn recover(
        &self,
        placed: &mut Placement<'d>,
        world: &World,
        number: usize,
        memory: &dyn Memory,
    ) {
        let (Some(loaded), Some(vmlinux)) =
            (world.images.get(number), placed.kernel.vmlinux().cloned())
        else {
            return;
        };
        let slide = vmlinux.slide.unwrap_or_default();
        let core = placed.missing.contains(&loaded.name);
        let made = recovered::images(loaded, memory, (&vmlinux.image, slide), self.storage());
        for (image, slide) in made {
            if core || slide.0 != loaded.text.0.0 {
                placed.kernel.add(image, Some(slide));
            }
        }
        if core && placed.kernel.image(&loaded.name).is_some() {
            placed.missing.retain(|name| *name != loaded.name);
            let module = loaded.name.clone();
            self.notice(Noticed::Recovered { module });
        }
    }

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
