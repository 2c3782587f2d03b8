//! Source paths: what the line table says, made comparable.

/// Directories at the top of the kernel's source tree (Linux 4.4-7.2).
const KERNEL_TOP: [&str; 23] = [
    "arch", "block", "certs", "crypto", "drivers", "firmware", "fs", "include", "init", "io_uring",
    "ipc", "kernel", "lib", "mm", "net", "rust", "samples", "scripts", "security", "sound",
    "tools", "usr", "virt",
];

/// The path of `name` in `directory`, both as the line table has them: without `.` and `..`, relative to the
/// build directory when it lies below it. A kernel may be built below or beside its sources: there a path is
/// also relative to the directory that both have in common, if a top directory of the kernel follows.
pub(super) fn source(comp_dir: &str, directory: &str, name: &str, kernel: bool) -> String {
    // The first directory of a DWARF 5 table is the build directory itself.
    let directory = if directory == comp_dir { "" } else { directory };
    let parts: &[&str] = if name.starts_with('/') {
        &[name]
    } else if directory.starts_with('/') {
        &[directory, name]
    } else {
        &[comp_dir, directory, name]
    };
    let mut path = clean(parts);
    let base = clean(&[comp_dir]);
    if !base.is_empty()
        && let Some(below) = path.strip_prefix(&base).and_then(|p| p.strip_prefix('/'))
        && !below.is_empty()
    {
        path = below.to_owned();
    } else if kernel && let Some(below) = below_common(&base, &path) {
        path = below.to_owned();
    }
    path
}

/// `path` behind what it has in common with `base`, when that is a directory and a kernel's sources follow.
fn below_common<'p>(base: &str, path: &'p str) -> Option<&'p str> {
    let same = base.bytes().zip(path.bytes()).take_while(|(a, b)| a == b);
    let cut = path[..same.count()].rfind('/').filter(|cut| *cut > 0)?;
    let below = &path[cut + 1..];
    let top = below.split('/').next()?;
    KERNEL_TOP.contains(&top).then_some(below)
}

/// `parts` joined, `.` and `..` resolved as far as they can be without looking at links.
fn clean(parts: &[&str]) -> String {
    let absolute = parts
        .iter()
        .find(|p| !p.is_empty())
        .is_some_and(|p| p.starts_with('/'));
    let mut path = String::with_capacity(64);
    for component in parts.iter().flat_map(|p| p.split('/')) {
        match component {
            "" | "." => {}
            ".." if up(&mut path) => {}
            ".." if absolute => {}
            _ => {
                if absolute || !path.is_empty() {
                    path.push('/');
                }
                path.push_str(component);
            }
        }
    }
    path
}

/// Drops the last component, unless that is `..` itself or there is none.
fn up(path: &mut String) -> bool {
    let at = path.rfind('/');
    let last = &path[at.map_or(0, |at| at + 1)..];
    if last.is_empty() || last == ".." {
        return false;
    }
    path.truncate(at.unwrap_or(0));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_the_build_directory_is_relative_to_it() {
        for (comp_dir, directory, name, path) in [
            (
                "debian/build/amd64",
                "debian/build/amd64",
                "main.c",
                "main.c",
            ),
            ("debian/build/amd64", "init", "main.c", "init/main.c"),
            ("/b/linux", "./arch/x86", "a.h", "arch/x86/a.h"),
            ("/b/linux", "/b/linux/fs", "../mm/./x.c", "mm/x.c"),
            ("/b/linux/out", "/b/linux/fs", "x.c", "/b/linux/fs/x.c"),
            (
                "/b/linux",
                "",
                "/usr/include/stdio.h",
                "/usr/include/stdio.h",
            ),
            ("/b/linux", "../other", "x.c", "/b/other/x.c"),
            ("", "../other", "x.c", "../other/x.c"),
            (".", "src", "x.c", "src/x.c"),
            ("/b/linux", "/b/linux-2", "x.c", "/b/linux-2/x.c"),
            ("/", "usr", "../../x.c", "/x.c"),
        ] {
            assert_eq!(
                source(comp_dir, directory, name, false),
                path,
                "{comp_dir} {directory} {name}"
            );
        }
    }

    #[test]
    fn a_kernel_built_elsewhere_has_paths_from_its_top() {
        for (comp_dir, directory, name, path) in [
            (
                "/b/linux-5/debian/out",
                "/b/linux-5/arch/x86/kernel",
                "a.S",
                "arch/x86/kernel/a.S",
            ),
            ("/b/out", "/b/linux/fs", "x.c", "/b/linux/fs/x.c"),
            (
                "/b/linux/out",
                "/usr/lib/rustlib",
                "x.rs",
                "/usr/lib/rustlib/x.rs",
            ),
            ("/b/linux/out", "..", "mm/x.c", "mm/x.c"),
        ] {
            assert_eq!(
                source(comp_dir, directory, name, true),
                path,
                "{comp_dir} {directory} {name}"
            );
        }
    }
}
