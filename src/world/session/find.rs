//! Finding images by what an input says: release, build-id, names of modules.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::noticed::Noticed;
use super::options::Wanted;
use super::view::{View, locked};
use crate::base::error::{Error, ErrorKind, Result};
use crate::formats::image::peek::Peek;
use crate::formats::image::{ImageKind, Section, locate};
use crate::world::image::Image;

impl<'d> View<'_, 'd> {
    /// The kernel's image, named or looked for; `None` where modules alone are named.
    pub(crate) fn vmlinux(&self, wanted: Wanted<'_>) -> Result<Option<PathBuf>> {
        let options = self.options();
        match &options.vmlinux {
            Some(path) => Ok(Some(path.clone())),
            None if !wanted.is_empty() => self.find_vmlinux(wanted).map(Some),
            None if options.modules.is_empty() => {
                Err(Error::new(ErrorKind::NoImage, "no kernel image"))
            }
            None => Ok(None),
        }
    }

    fn find_vmlinux(&self, wanted: Wanted<'_>) -> Result<PathBuf> {
        let options = self.options();
        let mut tried = Vec::new();
        if let Some(release) = wanted.release {
            // A release goes into paths.
            if release.contains('/') || release.contains("..") {
                let what = format!("{release:?} is no kernel release");
                return Err(Error::new(ErrorKind::NoRelease, what));
            }
            tried.extend(locate::vmlinux(release, &options.debug_dirs));
            if options.symbols.is_some() {
                tried.extend(locate::bootable(release, &options.debug_dirs));
            }
        }
        if let Some(id) = wanted.build_id {
            let dirs = &options.debug_dirs;
            tried.extend(locate::by_build_id(id, dirs, options.debuginfod()));
        }
        for path in &tried {
            for packed in locate::PACKED {
                let candidate = PathBuf::from(format!("{}{packed}", path.display()));
                if candidate.is_file() {
                    return Ok(candidate);
                }
            }
        }
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
        let mut found = vec![self.find_vmlinux(wanted)?];
        let system = [PathBuf::from("/")];
        let mut seen = HashSet::new();
        for root in system.iter().chain(&self.options().debug_dirs) {
            let all = locate::below(&root.join("lib/modules").join(release));
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
        const MAX_ENTRIES: usize = 10_000;
        let id = index.build_id()?;
        let options = self.options();
        let dir = index.path().parent().unwrap_or(Path::new(""));
        let dir = if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        };
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let named = |p: &PathBuf| {
            let name = p.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("vmlinux") || name.contains(".ko")
        };
        let beside = entries.take(MAX_ENTRIES).map(|e| e.path()).filter(named);
        let mut tried: Vec<PathBuf> = beside.collect();
        tried.sort();
        if index.kind() == ImageKind::Vmlinux
            && let Some(release) = index.release().filter(|r| !r.contains('/'))
        {
            tried.extend(locate::vmlinux(release, &options.debug_dirs));
        }
        tried.extend(locate::by_build_id(
            id,
            &options.debug_dirs,
            options.debuginfod(),
        ));
        let same = |path: &PathBuf| {
            let bytes = self.storage().open(path).ok()?;
            (Peek::new(bytes).ok()?.build_id == Some(id)).then_some(())?;
            let image = self.open(path, None).ok()?;
            // A debug file has the symbols, but no code.
            const EXECUTABLE: u64 = 4;
            let code = |s: &Section<'_>| s.flags & EXECUTABLE != 0 && !s.data.is_empty();
            (!image.is_excerpt() && image.sections().iter().any(code)).then_some(())
        };
        tried.into_iter().find(|p| p.is_file() && same(p).is_some())
    }

    fn find_module(&self, name: &str, release: Option<&str>) -> Option<Arc<Image<'d>>> {
        let options = self.options();
        let system = [PathBuf::from("/")];
        let roots = system.iter().chain(&options.debug_dirs);
        let installed =
            |release| roots.map(move |dir: &PathBuf| dir.join("lib/modules").join(release));
        let named = options.modules_dirs.iter().cloned();
        let installed = release.map(installed).into_iter().flatten();
        let path = locate::module(name, named.chain(installed))?;
        match self.open(&path, None) {
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
}
