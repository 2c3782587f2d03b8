//! Where images and their debug files live on disk.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::note::hex;
use super::storage::Storage;
use crate::base::gate::{Links, Spot, Why, within};
use crate::base::release::Release;

/// Endings a module or vmlinux may carry.
pub(crate) const PACKED: [&str; 4] = ["", ".xz", ".zst", ".gz"];

/// A module's name from its file name: without directories, `.ko` and packing, dashes as underscores
/// (as scripts/Makefile.lib makes `KBUILD_MODNAME`).
pub(crate) fn module_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split(".ko").next().unwrap_or_default();
    underscored(stem)
}

/// A module's name as it is compared: dashes and underscores are the same.
pub(crate) fn underscored(name: &str) -> String {
    name.replace('-', "_")
}

/// Where a vmlinux of `release` may be, best first.
pub(crate) fn vmlinux(release: Release<'_>, debug_dirs: &[PathBuf]) -> Vec<Spot> {
    let mut all = Vec::new();
    for dir in debug_dirs {
        let places = [
            format!("boot/vmlinux-{release}"),
            format!("lib/modules/{release}/vmlinux"),
        ];
        all.extend(places.map(|name| Spot::new(dir, name, Links::Anywhere)));
    }
    all.push(Spot::system(format!(
        "/lib/modules/{release}/build/vmlinux"
    )));
    all.push(Spot::system(format!("/boot/vmlinux-{release}")));
    all
}

/// Where the image that boots `release` may be: it has no symbols, and is of use where these come from elsewhere.
pub(crate) fn bootable(release: Release<'_>, debug_dirs: &[PathBuf]) -> Vec<Spot> {
    let system = [PathBuf::from("/")];
    let dirs = debug_dirs.iter().chain(&system);
    let places = dirs.flat_map(|dir| {
        let below = [
            format!("boot/vmlinuz-{release}"),
            format!("lib/modules/{release}/vmlinuz"),
        ];
        below.map(|name| Spot::new(dir, name, Links::Anywhere))
    });
    places.collect()
}

/// Where modules of `release` are installed: below `/`, then below the directories of debug files.
pub(crate) fn installed(release: Release<'_>, debug_dirs: &[PathBuf]) -> Vec<Spot> {
    let name = format!("lib/modules/{release}");
    let below = debug_dirs
        .iter()
        .map(|dir| Spot::new(dir, &name, Links::Beneath));
    std::iter::once(Spot::system(&name)).chain(below).collect()
}

/// `.build-id/xx/yyyy.debug`; `None` for a build-id that is too short for it.
pub(crate) fn build_id_name(build_id: &[u8]) -> Option<String> {
    let id = hex(build_id);
    let (first, rest) = id
        .split_at_checked(2)
        .filter(|(_, rest)| !rest.is_empty())?;
    Some(format!(".build-id/{first}/{rest}.debug"))
}

/// Where the debug file of the image with `build_id` may be: in each directory and in the debuginfod cache.
pub(crate) fn by_build_id(
    build_id: &[u8],
    debug_dirs: &[PathBuf],
    debuginfod_cache: Option<&Path>,
) -> Vec<Spot> {
    let Some(name) = build_id_name(build_id) else {
        return Vec::new();
    };
    let named = |dir: &PathBuf| Spot::new(dir, &name, Links::Anywhere);
    let fetched = format!("{}/debuginfo", hex(build_id));
    let fetched = debuginfod_cache.map(|dir| Spot::new(dir, fetched, Links::Anywhere));
    debug_dirs.iter().map(named).chain(fetched).collect()
}

/// Where the separate debug file of `image` may be: by build-id ([`by_build_id`]), then by `.gnu_debuglink` beside the
/// image, in `.debug/` there, and below each directory.
pub(crate) fn debug_files(
    build_id: Option<&[u8]>,
    debuglink: Option<&str>,
    image: &Spot,
    debug_dirs: &[PathBuf],
    debuginfod_cache: Option<&Path>,
) -> Vec<Spot> {
    let mut all =
        build_id.map_or_else(Vec::new, |id| by_build_id(id, debug_dirs, debuginfod_cache));
    // A link is the name of a file: with a slash in it, it would lead elsewhere than beside the image.
    let plain = |link: &&str| !link.contains('/') && !matches!(*link, "" | "." | "..");
    if let Some(link) = debuglink.filter(plain) {
        all.extend(image.beside(Path::new(link)));
        all.extend(image.beside(&Path::new(".debug").join(link)));
        if let Some(dir) = within(&image.dir()) {
            let below = |d: &PathBuf| Spot::new(d, dir.join(link), Links::Beneath);
            all.extend(debug_dirs.iter().map(below));
        }
    }
    let own = image.path();
    all.retain(|spot| spot.path() != own);
    all
}

/// The kernel images and modules below `dir`, by path: `vmlinux` and `vmlinux-RELEASE` first, then `*.ko`, also packed. What
/// a build leaves beside them, and what only looks like a kernel, is left out. Links to directories are not followed; the
/// entries looked at count against the limit of `storage`.
pub fn below(dir: &Path, storage: &Storage) -> Vec<PathBuf> {
    let (mut kernels, mut modules) = (Vec::new(), Vec::new());
    let mut pending = vec![dir.to_owned()];
    'all: while let Some(dir) = pending.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else {
            continue;
        };
        // The image that boots is unpacked by a program that is called vmlinux, too.
        let boots = dir.ends_with("boot/compressed");
        for entry in entries.flatten() {
            if !storage.entry(&dir) {
                break 'all;
            }
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push(path);
                continue;
            }
            let mut packings = PACKED.iter().rev();
            let plain = packings.find_map(|p| name.strip_suffix(p)).unwrap_or(&name);
            let kernel = plain == "vmlinux" || plain.starts_with("vmlinux-");
            let module = plain.ends_with(".ko");
            if !module && (!kernel || boots) || !may_be_read(&dir, &entry.file_name(), storage) {
                continue;
            }
            match module {
                true => modules.push(path),
                false => kernels.push(path),
            }
        }
    }
    kernels.sort();
    modules.sort();
    kernels.extend(modules);
    kernels
}

/// Whether the entry `name` of `dir` is a file of a kind that images have. What is wrong with one otherwise is told where it
/// is opened.
fn may_be_read(dir: &Path, name: &OsStr, storage: &Storage) -> bool {
    let spot = Spot::new(dir, name, Links::Anywhere);
    match spot.open(storage.limits().named_file, "named-file") {
        Ok(found) => found.is_some(),
        Err(refused) if matches!(refused.why, Why::Empty | Why::Unreadable(_)) => true,
        // Directories behind links are not gone into, nor missed.
        Err(refused) if refused.why == Why::NotRegular("a directory") => false,
        Err(refused) => {
            storage.refuse(refused);
            false
        }
    }
}

/// A search for modules in a directory and all below it, that goes as far as it must and goes on from there.
pub(crate) struct Walk {
    top: Spot,
    /// What the top was when it was looked into.
    seen: Option<Stamp>,
    /// Directories to look into, relative to the top.
    pending: Vec<PathBuf>,
    /// Modules found: names with underscores, and files relative to the top. Of several with one name the first.
    found: HashMap<String, PathBuf>,
}

impl Walk {
    /// Of the directory `top`.
    pub(crate) fn of(top: Spot) -> Self {
        Walk {
            top,
            seen: None,
            pending: Vec::new(),
            found: HashMap::new(),
        }
    }

    /// The file of module `name`; dashes and underscores are the same. Links to directories are not followed.
    pub(crate) fn find(&mut self, name: &str, storage: &Storage) -> Option<Spot> {
        let wanted = underscored(name);
        loop {
            if let Some(file) = self.found.get(&wanted) {
                return Some(self.top.below(file));
            }
            match self.pending.pop() {
                Some(dir) => self.look_into(&dir, storage),
                None if self.begins(storage) => {}
                None => return None,
            }
        }
    }

    /// Begins anew where the top is not what it was when that was done last: modules that are installed change it.
    fn begins(&mut self, storage: &Storage) -> bool {
        let now = Stamp::of(&self.top.path());
        if now.is_none() || now == self.seen {
            return false;
        }
        self.seen = now;
        self.found.clear();
        match self.top.is_directory() {
            Ok(true) => self.pending.push(PathBuf::new()),
            Ok(false) => {}
            Err(refused) => storage.refuse(refused),
        }
        true
    }

    fn look_into(&mut self, dir: &Path, storage: &Storage) {
        let path = self.top.path().join(dir);
        let Ok(entries) = std::fs::read_dir(&path) else {
            return;
        };
        let may = |_: &std::fs::DirEntry| storage.entry(&path);
        let mut entries: Vec<_> = entries.flatten().take_while(may).collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let file = entry.file_name();
            let name = file.to_string_lossy();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.pending.push(dir.join(&file));
            } else if PACKED.iter().any(|p| name.ends_with(&format!(".ko{p}"))) {
                let module = module_name(Path::new(&file));
                self.found.entry(module).or_insert_with(|| dir.join(&file));
            }
        }
    }
}

/// What tells whether entries of a directory came or went.
#[derive(PartialEq, Eq)]
struct Stamp {
    changed: Option<std::time::SystemTime>,
    size: u64,
    /// Directories in it, on most file systems.
    links: u64,
}

impl Stamp {
    fn of(dir: &Path) -> Option<Self> {
        let meta = std::fs::metadata(dir).ok()?;
        #[cfg(unix)]
        let links = std::os::unix::fs::MetadataExt::nlink(&meta);
        #[cfg(not(unix))]
        let links = 0;
        Some(Stamp {
            changed: meta.modified().ok(),
            size: meta.len(),
            links,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_names_are_as_the_kernel_prints_them() {
        assert_eq!(module_name(Path::new("x/kvm-intel.ko.xz")), "kvm_intel");
        assert_eq!(module_name(Path::new("fat.ko")), "fat");
    }

    #[test]
    fn debug_files_are_looked_for_by_build_id_first() {
        let dirs = [PathBuf::from("/usr/lib/debug")];
        let image = Spot::of_file(Path::new("/lib/modules/fat.ko"));
        let paths = |id, link| -> Vec<PathBuf> {
            let found = debug_files(id, Some(link), &image, &dirs, None);
            found.iter().map(Spot::path).collect()
        };
        let found = paths(Some(&[0xab, 0xcd, 0xef][..]), "fat.ko.debug");
        assert_eq!(
            found[0],
            Path::new("/usr/lib/debug/.build-id/ab/cdef.debug")
        );
        assert_eq!(found[1], Path::new("/lib/modules/fat.ko.debug"));
        assert_eq!(
            found[3],
            Path::new("/usr/lib/debug/lib/modules/fat.ko.debug")
        );
        assert!(paths(None, "../../etc/passwd").is_empty());
        assert!(paths(None, "..").is_empty());
    }
}
