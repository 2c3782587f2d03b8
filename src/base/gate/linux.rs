//! Opening beneath a root on Linux: by `openat2`, and component by component where that is missing.

use std::collections::VecDeque;
use std::ffi::{CStr, OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, fstatfs, open as plain};
use rustix::fs::{openat, openat2, readlinkat};
use rustix::io::Errno;

use super::refused::Why;
use super::spot::{Links, Spot};
use super::wanted::{Expected, Kind, Seen, Trouble};

/// To look at: nothing is opened, no device is woken.
const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// To read. What became a pipe or a device since it was looked at must not block, nor become a terminal of ours.
const READ: OFlags = OFlags::CLOEXEC
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// Links that are followed on one way, as the kernel has it.
const MOST_LINKS: usize = 40;

/// File systems that hold no stored files (include/uapi/linux/magic.h, and where the kernel defines others).
const UNREAL: [(u64, &str); 20] = [
    (0x9fa0, "/proc"),
    (0x6265_6572, "/sys"),
    (0x6462_6720, "/sys (debugfs)"),
    (0x7472_6163, "/sys (tracefs)"),
    (0x7363_6673, "/sys (securityfs)"),
    (0x6265_6570, "/sys (configfs)"),
    (0x6165_676c, "/sys (pstore)"),
    (0xde5e_81e4, "/sys (efivarfs)"),
    (0x0027_e0eb, "/sys (cgroup)"),
    (0x6367_7270, "/sys (cgroup)"),
    (0xcafe_4a11, "/sys (bpf)"),
    (0xf97c_ff8c, "/sys (selinux)"),
    (0x4341_5d53, "/sys (smack)"),
    (0x0764_6821, "/sys (resctrl)"),
    (0x6573_5543, "/sys (fusectl)"),
    (0x1cd1, "/dev (devpts)"),
    (0x1980_0202, "/dev (mqueue)"),
    (0x9584_58f6, "/dev (hugetlbfs)"),
    (0x4249_4e4d, "/proc (binfmt_misc)"),
    (0x6e73_6673, "/proc (nsfs)"),
];

impl From<Errno> for Trouble {
    fn from(e: Errno) -> Self {
        Trouble::Io(e.into())
    }
}

/// Opens what `spot` is, if it is `expected`.
pub(super) fn open(spot: &Spot, expected: Expected) -> Result<File, Trouble> {
    open_by(spot, expected, resolve)
}

/// A way to open `spot` with flags.
type Resolve = fn(&Spot, OFlags) -> Result<OwnedFd, Errno>;

pub(super) fn open_by(spot: &Spot, expected: Expected, by: Resolve) -> Result<File, Trouble> {
    let led = |e| match e {
        Errno::XDEV => Why::LeadsOut(spot.root.clone()).into(),
        Errno::LOOP => Why::Loop.into(),
        e => Trouble::from(e),
    };
    let looked_at = by(spot, LOOK).map_err(led)?;
    check(spot, &looked_at, expected)?;
    if matches!(expected, Expected::Directory) {
        return Ok(File::from(looked_at));
    }
    // It may have become another in between: what was opened is what must be right.
    let opened = by(spot, READ).map_err(led)?;
    check(spot, &opened, expected)?;
    Ok(File::from(opened))
}

fn check(spot: &Spot, fd: &OwnedFd, expected: Expected) -> Result<(), Trouble> {
    if let Some(below) = unreal(spot, fd)? {
        return Err(Why::Below(below).into());
    }
    let stat = fstat(fd)?;
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Fifo => Kind::Other("a pipe"),
        FileType::Socket => Kind::Other("a socket"),
        _ => Kind::Other("a device"),
    };
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    Ok(expected.check(&Seen { kind, size })?)
}

/// The place that holds no stored files which `fd` is below.
fn unreal(spot: &Spot, fd: &OwnedFd) -> Result<Option<&'static str>, Errno> {
    let magic = fstatfs(fd)?.f_type as u64 & 0xffff_ffff;
    if let Some((_, what)) = UNREAL.iter().find(|(m, _)| *m == magic) {
        return Ok(Some(what));
    }
    // /dev is as any file system in memory, and holds others: its path tells. A root that people named there is theirs.
    const DEV: &str = "/dev";
    let path = path_of(fd).unwrap_or_else(|| spot.path());
    if !path.starts_with(DEV) {
        return Ok(None);
    }
    let root = plain(&spot.root, LOOK, Mode::empty())?;
    let own = path_of(&root).unwrap_or_else(|| spot.root.clone());
    Ok((!own.starts_with(DEV)).then_some(DEV))
}

/// Where `fd` is, as the kernel tells.
fn path_of(fd: &OwnedFd) -> Option<PathBuf> {
    use std::os::fd::AsRawFd;
    let own = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let link = readlinkat(CWD, own, Vec::new()).ok()?;
    Some(PathBuf::from(OsString::from_vec(link.into_bytes())))
}

/// Opens `spot`, by `openat2` where the kernel has it.
fn resolve(spot: &Spot, flags: OFlags) -> Result<OwnedFd, Errno> {
    match by_kernel(spot, flags) {
        // Linux before 5.6, a filter of system calls, or directories that move all the time.
        Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => by_components(spot, flags),
        opened => opened,
    }
}

pub(super) fn by_kernel(spot: &Spot, flags: OFlags) -> Result<OwnedFd, Errno> {
    let root = root(spot)?;
    let links = match spot.links {
        Links::Rooted => ResolveFlags::IN_ROOT,
        Links::Beneath => ResolveFlags::BENEATH,
        Links::Anywhere => ResolveFlags::empty(),
    };
    let how = links | ResolveFlags::NO_MAGICLINKS;
    openat2(root, named(spot), flags, Mode::empty(), how)
}

fn root(spot: &Spot) -> Result<OwnedFd, Errno> {
    plain(&spot.root, LOOK | OFlags::DIRECTORY, Mode::empty())
}

/// An empty name is the root itself.
fn named(spot: &Spot) -> &Path {
    match spot.name.as_os_str().is_empty() {
        true => Path::new("."),
        false => &spot.name,
    }
}

/// The same without `openat2`: no component but what was looked at is followed.
pub(super) fn by_components(spot: &Spot, flags: OFlags) -> Result<OwnedFd, Errno> {
    let (root, name, links) = match spot.links {
        // Wherever links lead is beneath the root of all.
        Links::Anywhere => {
            let whole = std::path::absolute(spot.root.join(&spot.name));
            let whole = whole.map_err(|_| Errno::NOENT)?;
            let top = plain("/", LOOK | OFlags::DIRECTORY, Mode::empty())?;
            (top, whole, Links::Rooted)
        }
        links => (root(spot)?, named(spot).to_owned(), links),
    };
    let mut dirs = vec![root];
    let mut pending: VecDeque<OsString> = parts(&name).collect();
    let mut followed = 0;
    while let Some(part) = pending.pop_front() {
        let top = dirs.last().ok_or(Errno::NOENT)?;
        if part == ".." {
            match (dirs.len(), links) {
                (1, Links::Beneath) => return Err(Errno::XDEV),
                (1, _) => {}
                _ => drop(dirs.pop()),
            }
            continue;
        }
        let found = openat(top, &part, LOOK | OFlags::NOFOLLOW, Mode::empty())?;
        if FileType::from_raw_mode(fstat(&found)?.st_mode) == FileType::Symlink {
            followed += 1;
            let target = readlinkat(&found, c"", Vec::new())?;
            let target = Path::new(OsStr::from_bytes(CStr::to_bytes(&target)));
            if followed > MOST_LINKS || is_of_proc(&found)? && is_magic(target) {
                return Err(Errno::LOOP);
            }
            if target.is_absolute() {
                match links {
                    Links::Beneath => return Err(Errno::XDEV),
                    _ => dirs.truncate(1),
                }
            }
            for part in parts(target).collect::<Vec<_>>().into_iter().rev() {
                pending.push_front(part);
            }
        } else if pending.is_empty() && !flags.contains(OFlags::PATH) {
            return openat(top, &part, flags | OFlags::NOFOLLOW, Mode::empty());
        } else {
            dirs.push(found);
        }
    }
    let last = dirs.pop().ok_or(Errno::NOENT)?;
    match flags.contains(OFlags::PATH) {
        true => Ok(last),
        // `..` or `.` stood last: a directory.
        false => openat(last, c".", flags, Mode::empty()),
    }
}

/// Whether `target`, of a link of `/proc`, need not be where the link leads: those that are links only (`self`, `mounts`)
/// are relative.
fn is_magic(target: &Path) -> bool {
    target.is_absolute() || target.as_os_str().as_bytes().contains(&b':')
}

fn is_of_proc(fd: &OwnedFd) -> Result<bool, Errno> {
    Ok(fstatfs(fd)?.f_type as u64 == UNREAL[0].0)
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}
