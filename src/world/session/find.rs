//! Finding images by what an input says: release, build-id, names of modules.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::noticed::Noticed;
use super::options::Wanted;
use super::view::View;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::gate::{Links, Spot};
use crate::base::parallel::locked;
use crate::base::release::Release;
use crate::formats::image::locate::{self, Walk};
use crate::formats::image::peek::Peek;
use crate::formats::image::{ImageKind, Named, Section};
use crate::world::image::Image;

/// A kernel's image.
pub(crate) enum Vmlinux<'d> {
    /// One that people named.
    Given(PathBuf),
    /// One that was found by what an input says.
    Found(Named<'d>),
}

#[cfg(feature = "validate")]
impl Vmlinux<'_> {
    /// The file.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Vmlinux::Given(path) => path.clone(),
            Vmlinux::Found(named) => named.spot.path(),
        }
    }
}

impl<'d> View<'_, 'd> {
    /// The kernel's image, named or looked for; `None` where modules alone are named.
    pub(crate) fn vmlinux(&self, wanted: Wanted<'_>) -> Result<Option<Vmlinux<'d>>> {
        let options = self.options();
        match &options.vmlinux {
            Some(path) => Ok(Some(Vmlinux::Given(path.clone()))),
            None if !wanted.is_empty() => self.find_vmlinux(wanted).map(Vmlinux::Found).map(Some),
            None if options.modules.is_empty() => {
                Err(Error::new(ErrorKind::NoImage, "no kernel image"))
            }
            None => Ok(None),
        }
    }

    fn find_vmlinux(&self, wanted: Wanted<'_>) -> Result<Named<'d>> {
        let options = self.options();
        let mut tried = Vec::new();
        if let Some(release) = wanted.release {
            let release = Release::new(release).ok_or_else(|| no_release(release))?;
            tried.extend(locate::vmlinux(release, &options.debug_dirs));
            if options.symbols.is_some() {
                tried.extend(locate::bootable(release, &options.debug_dirs));
            }
        }
        if let Some(id) = wanted.build_id {
            let dirs = &options.debug_dirs;
            tried.extend(locate::by_build_id(id, dirs, options.debuginfod()));
        }
        for spot in &tried {
            for packed in locate::PACKED {
                if let Some(found) = self.storage().named(&spot.with_ending(packed)) {
                    return Ok(found);
                }
            }
        }
        let tried = tried.iter().map(|spot| spot.path()).collect();
        let what = wanted.release.unwrap_or("that build-id");
        Err(Error::new(ErrorKind::NotFound, format!("no vmlinux of {what}")).having_tried(tried))
    }

    /// The module called `name`: one that is open, or is found now in the directories for modules or of `release`
    /// below `/` and the directories of debug files. It is looked for once.
    pub fn module(&self, name: &str, release: Option<&str>) -> Option<Arc<Image<'d>>> {
        if let Some(placed) = self.kernel().image(name) {
            return Some(Arc::clone(&placed.image));
        }
        let key = (locate::underscored(name), release.map(str::to_owned));
        if locked(&self.inner.absent).contains(&key) {
            return None;
        }
        match self.find_module(name, release) {
            Some(image) => {
                self.add(Arc::clone(&image), None);
                Some(image)
            }
            None => {
                locked(&self.inner.absent).insert(key);
                None
            }
        }
    }

    /// The kernel of `release`, and its modules where they are installed: below `/`, then below the directories of debug
    /// files, whose modules may have no code.
    ///
    /// # Errors
    ///
    /// When no vmlinux is found.
    pub fn installed(&self, release: &str) -> Result<Vec<PathBuf>> {
        let wanted = Wanted {
            release: Some(release),
            build_id: None,
        };
        let mut found = vec![self.find_vmlinux(wanted)?.spot.path()];
        let release = Release::new(release).ok_or_else(|| no_release(release))?;
        let mut seen = HashSet::new();
        for dir in locate::installed(release, &self.options().debug_dirs) {
            match dir.is_directory() {
                Ok(true) => {}
                Ok(false) => continue,
                Err(refused) => {
                    self.storage().refuse(refused);
                    continue;
                }
            }
            let all = locate::below(&dir.path(), self.storage());
            let modules = all.into_iter().filter(|p| {
                let name = p.file_name().unwrap_or_default().to_string_lossy();
                name.contains(".ko") && seen.insert(locate::module_name(p))
            });
            found.extend(modules);
        }
        Ok(found)
    }

    /// The file that `index`, opened as an image, was made of: beside it, or by its build-id or release where debug files
    /// are.
    pub fn indexed(&self, index: &Image<'d>) -> Option<PathBuf> {
        let id = index.build_id()?;
        let options = self.options();
        let dir = Spot::of_file(index.path()).dir();
        let entries = std::fs::read_dir(&dir).into_iter().flatten().flatten();
        let named = |name: &std::ffi::OsString| {
            let name = name.to_string_lossy();
            name.starts_with("vmlinux") || name.contains(".ko")
        };
        let entries = entries.take_while(|_| self.storage().entry(&dir));
        let mut beside: Vec<_> = entries.map(|e| e.file_name()).filter(named).collect();
        beside.sort();
        // Its name is none that the index says, and its build-id tells.
        let spot = |name| Spot::new(&dir, name, Links::Anywhere);
        let mut tried: Vec<Spot> = beside.into_iter().map(spot).collect();
        if index.kind() == ImageKind::Vmlinux
            && let Some(release) = index.release().and_then(Release::new)
        {
            tried.extend(locate::vmlinux(release, &options.debug_dirs));
        }
        tried.extend(locate::by_build_id(
            id,
            &options.debug_dirs,
            options.debuginfod(),
        ));
        let same = |spot: &Spot| {
            let found = self.storage().named(spot)?;
            let bytes = self.storage().unpack(found.bytes).ok()?;
            (Peek::new(bytes).ok()?.build_id == Some(id)).then_some(())?;
            let image = self.open_named(&found, None).ok()?;
            // A debug file has the symbols, but no code.
            const EXECUTABLE: u64 = 4;
            let code = |s: &Section<'_>| s.flags & EXECUTABLE != 0 && !s.data.is_empty();
            (!image.is_excerpt() && image.sections().iter().any(code)).then_some(spot.path())
        };
        tried.iter().find_map(same)
    }

    fn find_module(&self, name: &str, release: Option<&str>) -> Option<Arc<Image<'d>>> {
        let options = self.options();
        let named = options.modules_dirs.iter();
        let mut dirs: Vec<Spot> = named.map(|d| Spot::new(d, "", Links::Beneath)).collect();
        match release.map(|text| (text, Release::new(text))) {
            Some((_, Some(release))) => {
                dirs.extend(locate::installed(release, &options.debug_dirs))
            }
            Some((text, None)) => self.no_modules_of(text),
            None => {}
        }
        let found = dirs.into_iter().find_map(|dir| self.walk(dir, name))?;
        let found = self.storage().named(&found)?;
        match self.open_named(&found, None) {
            Ok(image) => {
                if options.details {
                    self.describe(&image);
                }
                Some(Arc::new(image))
            }
            Err(e) => {
                self.notice(Noticed::ModuleUnusable(e));
                None
            }
        }
    }

    /// Where module `name` is below `dir`, which is gone through once for all modules.
    fn walk(&self, dir: Spot, name: &str) -> Option<Spot> {
        let mut walks = locked(&self.inner.walks);
        let at = match walks.iter().position(|(spot, _)| *spot == dir) {
            Some(at) => at,
            None => {
                walks.push((dir.clone(), Walk::of(dir)));
                walks.len() - 1
            }
        };
        walks.get_mut(at)?.1.find(name, self.storage())
    }

    /// Notes, once, that no modules are looked for by what an input calls its release.
    fn no_modules_of(&self, release: &str) {
        if !self.inner.no_release.swap(true, Ordering::Relaxed) {
            self.notice(Noticed::NoRelease(no_release(release)));
        }
    }
}

/// That `text` is no release. It goes into no path.
fn no_release(text: &str) -> Error {
    let what = format!("{text:?} is no kernel release");
    Error::new(ErrorKind::NoRelease, what)
}
