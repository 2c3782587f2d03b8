//! Where the real kernels and the core files of processes are.

use std::path::{Path, PathBuf};

use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::image::Image;

/// Version and release of each.
pub const VERSIONS: [(&str, &str); 4] = [
    ("5.10", "5.10.0-32-cloud-amd64"),
    ("6.1", "6.1.0-50-cloud-amd64"),
    ("6.12", "6.12.107+deb13-cloud-amd64"),
    ("7.2", "7.2.13+deb14-cloud-amd64"),
];

/// The directory that `testdata/fetch-kernels.sh` fills.
pub fn kernels() -> PathBuf {
    cached("FIXTRACE_KERNELS", "kernels")
}

/// The directory that `testdata/user-cores.sh` fills.
pub fn cores() -> PathBuf {
    cached("FIXTRACE_USER_CORES", "user-cores")
}

/// The directory that `testdata/machines/boot.sh` fills.
pub fn machines() -> PathBuf {
    cached("FIXTRACE_MACHINES", "machines")
}

/// The directory that `testdata/kdump/boot.sh` fills.
pub fn kdumps() -> PathBuf {
    cached("FIXTRACE_KDUMP", "kdump")
}

/// The directory that `testdata/livepatch/boot.sh` fills.
pub fn livepatches() -> PathBuf {
    cached("FIXTRACE_LIVEPATCH", "livepatch")
}

/// The directory that `testdata/machines/fetch.sh` fills.
pub fn other_kernels() -> PathBuf {
    cached("FIXTRACE_OTHER", "other")
}

/// What `variable` names; else a directory in the cache of whoever runs the tests.
fn cached(variable: &str, below: &str) -> PathBuf {
    let cache = || {
        let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache");
        std::env::var_os("XDG_CACHE_HOME")
            .map_or_else(home, PathBuf::from)
            .join("fixtrace-test")
            .join(below)
    };
    std::env::var_os(variable).map_or_else(cache, PathBuf::from)
}

/// A file of one kernel; a missing one fails the test.
pub fn file(version: &str, below: &str) -> PathBuf {
    let path = kernels().join(version).join(below);
    assert!(
        path.exists(),
        "{} is missing: run testdata/fetch-kernels.sh",
        path.display()
    );
    path
}

/// The release of `version`.
pub fn release(version: &str) -> &'static str {
    VERSIONS
        .iter()
        .find(|(v, _)| *v == version)
        .expect("known version")
        .1
}

/// The vmlinux with debug information.
pub fn vmlinux_path(version: &str) -> PathBuf {
    file(version, &format!("debug/boot/vmlinux-{}", release(version)))
}

/// The same, opened.
pub fn vmlinux<'d>(version: &str, storage: &'d Storage) -> Image<'d> {
    Image::open(&vmlinux_path(version), storage).expect("vmlinux")
}

/// A module by its name, below `dir`: files have `-` where the kernel has `_`.
pub fn find_module(dir: &Path, name: &str) -> Option<PathBuf> {
    let same = |file: &str| file.replace('-', "_") == name.replace('-', "_");
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(dir).ok()?.flatten() {
            let path = entry.path();
            let file = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                pending.push(path);
            } else if file.contains(".ko") && file.split(".ko").next().is_some_and(same) {
                return Some(path);
            }
        }
    }
    None
}
