//! Where images and their debug files live on disk.

use std::path::{Path, PathBuf};

use super::note::hex;

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
pub(crate) fn vmlinux(release: &str, debug_dirs: &[PathBuf]) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for dir in debug_dirs {
        all.push(dir.join(format!("boot/vmlinux-{release}")));
        all.push(dir.join(format!("lib/modules/{release}/vmlinux")));
    }
    all.push(PathBuf::from(format!(
        "/lib/modules/{release}/build/vmlinux"
    )));
    all.push(PathBuf::from(format!("/boot/vmlinux-{release}")));
    all
}

/// Where the image that boots `release` may be: it has no symbols, and is of use where these come from elsewhere.
pub(crate) fn bootable(release: &str, debug_dirs: &[PathBuf]) -> Vec<PathBuf> {
    let system = [PathBuf::from("/")];
    let dirs = debug_dirs.iter().chain(&system);
    let places = dirs.flat_map(|dir| {
        let below = [
            format!("boot/vmlinuz-{release}"),
            format!("lib/modules/{release}/vmlinuz"),
        ];
        below.map(|file| dir.join(file))
    });
    places.collect()
}

/// Where the debug file of the image with `build_id` may be: in each directory and in the debuginfod cache.
pub(crate) fn by_build_id(
    build_id: &[u8],
    debug_dirs: &[PathBuf],
    debuginfod_cache: Option<&Path>,
) -> Vec<PathBuf> {
    let id = hex(build_id);
    if id.len() <= 2 {
        return Vec::new();
    }
    let (first, rest) = id.split_at(2);
    let named = |d: &PathBuf| d.join(format!(".build-id/{first}/{rest}.debug"));
    let fetched = debuginfod_cache.map(|d| d.join(&id).join("debuginfo"));
    debug_dirs.iter().map(named).chain(fetched).collect()
}

/// Where the separate debug file of an image may be: by build-id ([`by_build_id`]), then by `.gnu_debuglink` beside
/// the image, in `.debug/` there, and below each directory.
pub(crate) fn debug_files(
    build_id: Option<&[u8]>,
    debuglink: Option<&str>,
    image: &Path,
    debug_dirs: &[PathBuf],
    debuginfod_cache: Option<&Path>,
) -> Vec<PathBuf> {
    let mut all =
        build_id.map_or_else(Vec::new, |id| by_build_id(id, debug_dirs, debuginfod_cache));
    // A link with a slash in it would lead elsewhere than beside the image.
    if let Some(link) = debuglink.filter(|l| !l.is_empty() && !l.contains('/')) {
        let dir = image.parent().unwrap_or(Path::new(""));
        all.push(dir.join(link));
        all.push(dir.join(".debug").join(link));
        for d in debug_dirs {
            all.push(d.join(dir.strip_prefix("/").unwrap_or(dir)).join(link));
        }
    }
    all.retain(|p| p != image);
    all
}

/// The file of module `name` anywhere below `dirs`, searched in order. Dashes and underscores are the same. At most
/// `MAX_ENTRIES` directory entries are looked at.
pub(crate) fn module(name: &str, dirs: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    const MAX_ENTRIES: usize = 100_000;
    let wanted = underscored(name);
    let mut left = MAX_ENTRIES;
    for dir in dirs {
        let mut pending = vec![dir];
        while let Some(dir) = pending.pop() {
            let Ok(entries) = std::fs::read_dir(dir) else {
                continue;
            };
            let mut entries: Vec<_> = entries.flatten().collect();
            entries.sort_by_key(std::fs::DirEntry::file_name);
            for entry in entries {
                left = left.checked_sub(1)?;
                let path = entry.path();
                let Ok(kind) = entry.file_type() else {
                    continue;
                };
                let file = entry.file_name().to_string_lossy().into_owned();
                if kind.is_dir() {
                    pending.push(path);
                } else if PACKED.iter().any(|p| file.ends_with(&format!(".ko{p}")))
                    && module_name(&path) == wanted
                {
                    return Some(path);
                }
            }
        }
    }
    None
}

/// The kernel images and modules below `dir`, by path: `vmlinux` and `vmlinux-RELEASE` first, then `*.ko`, also packed. What
/// a build leaves beside them, and what only looks like a kernel, is left out. Links to directories are not followed; at
/// most `MAX_ENTRIES` directory entries are looked at.
pub fn below(dir: &Path) -> Vec<PathBuf> {
    const MAX_ENTRIES: usize = 1_000_000;
    let mut left = MAX_ENTRIES;
    let (mut kernels, mut modules) = (Vec::new(), Vec::new());
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else {
            continue;
        };
        // The image that boots is unpacked by a program that is called vmlinux, too.
        let boots = dir.ends_with("boot/compressed");
        for entry in entries.flatten() {
            left = left.saturating_sub(1);
            if left == 0 {
                break;
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
            if plain.ends_with(".ko") && path.is_file() {
                modules.push(path);
            } else if kernel && !boots && path.is_file() {
                kernels.push(path);
            }
        }
    }
    kernels.sort();
    modules.sort();
    kernels.extend(modules);
    kernels
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
        let image = Path::new("/lib/modules/fat.ko");
        let found = debug_files(
            Some(&[0xab, 0xcd, 0xef]),
            Some("fat.ko.debug"),
            image,
            &dirs,
            None,
        );
        assert_eq!(
            found[0],
            Path::new("/usr/lib/debug/.build-id/ab/cdef.debug")
        );
        assert_eq!(found[1], Path::new("/lib/modules/fat.ko.debug"));
        assert_eq!(
            found[3],
            Path::new("/usr/lib/debug/lib/modules/fat.ko.debug")
        );
        assert!(debug_files(None, Some("../../etc/passwd"), image, &dirs, None).is_empty());
    }
}
