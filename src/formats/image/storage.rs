//! Owner of all bytes that images borrow: mapped files, decompressed payloads, relocated sections.
//!
//! Append-only: a slice handed out stays where it is until the storage is dropped.

use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io::Read;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use memmap2::Mmap;

use super::packing::Packing;
use crate::base::arch::Arch;
use crate::base::error::{Error, ErrorKind, Finding, Result};
use crate::base::gate::{Refused, Spot, Why};
use crate::base::groups::Groups;
use crate::base::limits::Limits;
use crate::base::mapped::Mapped;
use crate::base::parallel::locked;

enum Bytes {
    /// The note goes before what it is of.
    Mapped {
        _note: Mapped,
        map: Mmap,
    },
    Owned(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped { map, .. } => map,
            Bytes::Owned(vec) => vec,
        }
    }
}

impl Bytes {
    fn mapping(&self) -> Option<&Mmap> {
        match self {
            Bytes::Mapped { map, .. } => Some(map),
            Bytes::Owned(_) => None,
        }
    }
}

/// Buffers, which may be borrowed while others are added.
#[derive(Default)]
struct Buffers {
    groups: Groups<OnceLock<Bytes>>,
    taken: AtomicUsize,
}

impl Buffers {
    fn add(&self, bytes: Bytes) -> &[u8] {
        let number = self.taken.fetch_add(1, Ordering::Relaxed) + 1;
        let place = self.groups.place(number, OnceLock::new);
        place.get_or_init(|| bytes)
    }

    fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.groups.iter().filter_map(OnceLock::get)
    }
}

/// What packed bytes are to give.
#[derive(Clone, Copy)]
pub(crate) enum Most {
    /// All members of a file.
    AllMembers,
    /// All members of an image's file, whatever stands behind them.
    Image,
    /// One stream, of a section of an image that says to have so many bytes.
    Bytes(u64),
}

/// An arena of byte buffers; see the module text.
#[derive(Default)]
pub struct Storage {
    buffers: Buffers,
    limits: Limits,
    /// Bytes that were packed, and what came out of them.
    packed: AtomicU64,
    unpacked: AtomicU64,
    /// Directory entries that were looked at.
    entries: AtomicU64,
    /// Files that inputs name which were looked for.
    files: AtomicU64,
    refusals: Mutex<Refusals>,
    left_out: Mutex<LeftOut>,
}

/// What limits left out.
#[derive(Default)]
struct LeftOut {
    all: Vec<Finding>,
    /// How many of them were told.
    told: usize,
    /// Whether something was refused as a whole; the error says what.
    refused: bool,
}

/// A file that an input names, as it came through the gate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Named<'d> {
    /// Where it is.
    pub spot: Spot,
    /// Its bytes as they are on disk.
    pub bytes: &'d [u8],
}

/// Files that inputs name and that were not read.
#[derive(Default)]
struct Refusals {
    known: HashSet<Refused>,
    untold: Vec<Refused>,
    more: u64,
}

/// Refused files that are told of one by one; an input may name any number.
const MOST_REFUSED: usize = 16;

impl Storage {
    /// An empty storage.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty storage that holds to `limits`.
    pub fn within(limits: Limits) -> Self {
        Storage {
            limits,
            ..Self::default()
        }
    }

    /// What inputs may cost.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Unpacks `bytes`, all members of them or one stream, as far as limits go; `most` is what they say of themselves.
    ///
    /// # Errors
    ///
    /// When the stream is broken, or unpacks to more than it may.
    pub(crate) fn unpacked(&self, packing: Packing, bytes: &[u8], most: Most) -> Result<&[u8]> {
        let plain = self.plain_of(packing, bytes, most).inspect_err(|e| {
            if e.kind() == ErrorKind::BeyondLimit {
                locked(&self.left_out).refused = true;
            }
        })?;
        let len = plain.len() as u64;
        self.unpacked.fetch_add(len, Ordering::Relaxed);
        Ok(self.own(plain))
    }

    fn plain_of(&self, packing: Packing, bytes: &[u8], most: Most) -> Result<Vec<u8>> {
        let left = self.left(bytes.len() as u64);
        match most {
            Most::AllMembers => packing.decompress_all(bytes, left),
            Most::Image => packing.decompress_file(bytes, self.of_image(left)),
            Most::Bytes(size) if size > self.of_image(left) => {
                // Before any of it is unpacked.
                let what = format!(
                    "unpacks to {size} bytes, more than the {} that there may be yet (limits unpacked, \
                     unpack-ratio)",
                    self.of_image(left)
                );
                Err(Error::new(ErrorKind::BeyondLimit, what))
            }
            Most::Bytes(size) => packing.decompress(bytes, size).map_err(|e| match e.kind() {
                ErrorKind::BeyondLimit => {
                    let what = format!("unpacks to more than the {size} bytes that it announces");
                    Error::new(ErrorKind::Malformed, what)
                }
                _ => e,
            }),
        }
    }

    /// Takes one more entry of the directory `dir`; `false` when there have been as many as may be.
    pub(crate) fn entry(&self, dir: &Path) -> bool {
        let most = self.limits.entries;
        let may = self.entries.fetch_add(1, Ordering::Relaxed);
        if may == most {
            self.refuse(Refused {
                path: dir.to_owned(),
                why: Why::TooMany {
                    most,
                    limit: "entries",
                },
            });
        }
        may < most
    }

    /// The file at `spot`, which an input names; `None` where none is, and for one that is refused, which is noted.
    pub(crate) fn named(&self, spot: &Spot) -> Option<Named<'_>> {
        self.admit(spot).unwrap_or_else(|refused| {
            self.refuse(refused);
            None
        })
    }

    /// The same for whoever tells of a refusal.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub(crate) fn admit(&self, spot: &Spot) -> std::result::Result<Option<Named<'_>>, Refused> {
        let most = self.limits.files;
        if self.files.fetch_add(1, Ordering::Relaxed) >= most {
            let limit = "files";
            return Err(spot.refused(Why::TooMany { most, limit }));
        }
        let Some(file) = spot.open(self.limits.named_file, "named-file")? else {
            return Ok(None);
        };
        let mapped = file
            .metadata()
            .and_then(|m| self.map_file(&file, &spot.path(), &m));
        let bytes = mapped.map_err(|e| spot.refused(Why::Unreadable(e.to_string())))?;
        Ok(Some(Named {
            spot: spot.clone(),
            bytes,
        }))
    }

    /// The first of `spots` where a file is.
    pub(crate) fn first_named<'s>(
        &self,
        spots: impl IntoIterator<Item = &'s Spot>,
    ) -> Option<Named<'_>> {
        spots.into_iter().find_map(|spot| self.named(spot))
    }

    /// Notes that a file is not read; each once.
    pub(crate) fn refuse(&self, refused: Refused) {
        let mut refusals = locked(&self.refusals);
        if refusals.known.contains(&refused) {
            return;
        }
        // Beyond the limit all are alike.
        if refusals.known.len() >= MOST_REFUSED {
            refusals.more += 1;
            return;
        }
        refusals.known.insert(refused.clone());
        refusals.untold.push(refused);
    }

    /// Files that inputs name and that were not read, noted since this was asked last; and how many more there were.
    pub fn refused(&self) -> (Vec<Refused>, u64) {
        let mut refusals = locked(&self.refusals);
        let untold = std::mem::take(&mut refusals.untold);
        (untold, std::mem::take(&mut refusals.more))
    }

    /// Notes that a limit left something out, once.
    pub(crate) fn leave_out(&self, what: Finding) {
        let mut left_out = locked(&self.left_out);
        if !left_out.all.contains(&what) {
            left_out.all.push(what);
        }
    }

    /// Whether limits left out something of what was read up to now.
    pub fn has_left_out(&self) -> bool {
        let left_out = locked(&self.left_out);
        left_out.refused || !left_out.all.is_empty()
    }

    /// What limits left out since this was asked last.
    pub fn left_out(&self) -> Vec<Finding> {
        let mut left_out = locked(&self.left_out);
        let new = left_out.all[left_out.told..].to_vec();
        left_out.told = left_out.all.len();
        new
    }

    /// Maps `path` and gives its bytes as they are on disk.
    ///
    /// A file that shrinks while it is mapped raises SIGBUS where it is read behind its new end. The program ends
    /// with the file's name then; a process that embeds this ends unless it has a handler, which may ask
    /// [`mapped::file_at`](crate::base::mapped::file_at) for the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is a directory.
    pub fn map(&self, path: &Path) -> Result<&[u8]> {
        let io = |e| Error::io(path, e);
        no_device(&std::fs::metadata(path).map_err(io)?).map_err(|e| e.in_file(path))?;
        let file = File::open(path).map_err(io)?;
        let meta = file.metadata().map_err(io)?;
        no_device(&meta).map_err(|e| e.in_file(path))?;
        if meta.len() == 0 || !meta.is_file() {
            // Pipes, /proc files and empty files cannot be mapped.
            let mut bytes = Vec::new();
            let most = self.limits.streamed;
            let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
            read.map_err(|e| Error::io(path, e))?;
            if bytes.len() as u64 > most {
                let what = format!("has more than {most} bytes, the limit `streamed`");
                return Err(Error::new(ErrorKind::Unsupported, what).in_file(path));
            }
            return Ok(self.own(bytes));
        }
        self.map_file(&file, path, &meta).map_err(io)
    }

    /// Maps `file`, which is called `path`.
    fn map_file(&self, file: &File, path: &Path, meta: &Metadata) -> std::io::Result<&[u8]> {
        #[expect(
            unsafe_code,
            reason = "mapping a file is unsafe because another process may change it; \
            the bytes are only ever read as plain integers with bounds checks"
        )]
        let map = unsafe { Mmap::map(file) }?;
        let _note = Mapped::new(path, &map, meta);
        Ok(self.buffers.add(Bytes::Mapped { _note, map }))
    }

    /// Maps `path` and unpacks gzip, xz, zstd or a bzImage until an ELF file is there.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or a stream is broken.
    pub(crate) fn open(&self, path: &Path) -> Result<&[u8]> {
        let bytes = self.map(path)?;
        self.unpack(bytes).map_err(|e| e.in_file(path))
    }

    /// Maps `path`, and unpacks it if it is a stream of gzip, xz or zstd: cores and snapshots are kept like that.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or a stream is broken.
    pub fn plain(&self, path: &Path) -> Result<&[u8]> {
        let bytes = self.map(path)?;
        match Packing::of(bytes) {
            packed @ (Packing::Gzip | Packing::Xz | Packing::Zstd) => {
                let plain = self.unpacked(packed, bytes, Most::AllMembers);
                plain.map_err(|e| e.in_file(path))
            }
            _ => Ok(bytes),
        }
    }

    /// The same of a file that may be cut or damaged: what can be unpacked, and why that is not all.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or nothing of it unpacked.
    pub(crate) fn plain_part(&self, path: &Path) -> Result<(&[u8], Option<Finding>)> {
        let bytes = self.map(path)?;
        let packing = Packing::of(bytes);
        let (Packing::Gzip | Packing::Xz | Packing::Zstd) = packing else {
            return Ok((bytes, None));
        };
        let left = self.left(bytes.len() as u64);
        let (plain, finding) = packing
            .decompress_part(bytes, left)
            .map_err(|e| e.in_file(path))?;
        self.unpacked
            .fetch_add(plain.len() as u64, Ordering::Relaxed);
        Ok((self.own(plain), finding))
    }

    /// Bytes that `packed` more ones may unpack to.
    fn left(&self, packed: u64) -> u64 {
        let packed = packed.saturating_add(self.packed.fetch_add(packed, Ordering::Relaxed));
        let most = self.limits.unpacked_of(packed);
        most.saturating_sub(self.unpacked.load(Ordering::Relaxed))
    }

    /// Of `left` bytes those that an image may unpack to: a quarter, for more is made of them than of others, and none
    /// comes near; all where a limit was lifted.
    fn of_image(&self, left: u64) -> u64 {
        match self.limits.unpack_ratio > Limits::default().unpack_ratio {
            true => left,
            false => left / 4,
        }
    }

    /// Gives the pages of mapped files back to the system; they are read again when next touched. For whoever
    /// goes through a large file once.
    pub fn forget_pages(&self) {
        for map in self.buffers.iter().filter_map(Bytes::mapping) {
            #[expect(
                unsafe_code,
                reason = "for a shared, read-only mapping of a file the same bytes come back"
            )]
            // A system without this advice keeps the pages, which is no error.
            let _ = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        }
    }

    /// Keeps `bytes` for as long as the storage lives.
    pub fn own(&self, bytes: Vec<u8>) -> &[u8] {
        self.buffers.add(Bytes::Owned(bytes))
    }

    /// Unpacks gzip, xz, zstd, LZ4 or a bzImage until an ELF file is there, as for [`ElfImage::open`](super::ElfImage).
    ///
    /// # Errors
    ///
    /// When a stream is broken, or no ELF file is in it.
    pub fn unpack<'d>(&'d self, mut bytes: &'d [u8]) -> Result<&'d [u8]> {
        // A bzImage inside a .gz is the deepest nesting in use.
        for _ in 0..3 {
            bytes = match Packing::of(bytes) {
                Packing::Elf => return Ok(bytes),
                Packing::BzImage => super::bzimage::payload(bytes)?,
                Packing::None => {
                    if let Some(arch) = Arch::of_boot_image(bytes) {
                        let what = format!("a bootable image of {}, not of x86", arch.name());
                        return Err(Error::new(ErrorKind::WrongArch, what).at(0));
                    }
                    return Err(Error::new(
                        ErrorKind::NotAnElf,
                        "neither an ELF file nor gzip, xz, zstd, LZ4 or a bzImage",
                    )
                    .at(0));
                }
                packed => self.unpacked(packed, bytes, Most::Image)?,
            };
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "packed more than three times",
        ))
    }
}

/// Refuses what no image, dump or table comes from: a directory, and a device that gives characters without end.
fn no_device(meta: &Metadata) -> Result<()> {
    #[cfg(unix)]
    let device = std::os::unix::fs::FileTypeExt::is_char_device(&meta.file_type());
    #[cfg(not(unix))]
    let device = false;
    let what = match (meta.is_dir(), device) {
        (true, _) => "is a directory",
        (_, true) => "is a device, not a file or a pipe",
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::NotAnElf, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn an_endless_device_is_no_image() {
        let e = Storage::new().open(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(
            e.to_string(),
            "/dev/zero: is a device, not a file or a pipe"
        );
    }

    #[test]
    fn each_refusal_is_told_once_and_of_many_only_the_number() {
        let storage = Storage::new();
        let refuse = |n: usize| storage.refuse(Spot::system(format!("{n}")).refused(Why::Empty));
        (0..2 * MOST_REFUSED).for_each(refuse);
        refuse(0);
        let (told, more) = storage.refused();
        assert_eq!((told.len(), more), (MOST_REFUSED, MOST_REFUSED as u64));
        assert_eq!(storage.refused(), (Vec::new(), 0));
    }

    #[test]
    fn what_is_no_image_says_so() {
        let s = Storage::new();
        for junk in [
            &b""[..],
            b"hello",
            #[cfg(feature = "compression")]
            b"\x1f\x8bnot gzip at all",
            #[cfg(feature = "compression")]
            b"\xfd7zXZ\0broken",
            #[cfg(feature = "compression")]
            b"\x28\xb5\x2f\xfd",
        ] {
            let e = s.unpack(junk).unwrap_err();
            assert!(
                matches!(e.kind(), ErrorKind::NotAnElf | ErrorKind::Malformed),
                "{e}"
            );
        }
    }

    #[test]
    fn buffers_stay_where_they_are_while_threads_add_more() {
        let s = Storage::new();
        let kept: Vec<Vec<&[u8]>> = std::thread::scope(|scope| {
            let add = |t: u8| {
                let s = &s;
                scope.spawn(move || (0..100).map(|i| s.own(vec![t, i])).collect())
            };
            let threads: Vec<_> = (0..4).map(add).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        for (t, slices) in kept.iter().enumerate() {
            for (i, slice) in slices.iter().enumerate() {
                assert_eq!(*slice, [t as u8, i as u8]);
            }
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let e = Storage::new()
            .open(Path::new("no/such/vmlinux"))
            .unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Io);
        assert!(e.to_string().starts_with("no/such/vmlinux: "), "{e}");
    }

    #[test]
    fn pages_that_were_forgotten_are_read_again() {
        let path = Path::new("testdata/fixtures/demo-5.10.elf");
        let wanted = std::fs::read(path).unwrap();
        let s = Storage::new();
        let (mapped, own) = (s.map(path).unwrap(), s.own(vec![7; 5000]));
        assert!(mapped == wanted);
        s.forget_pages();
        assert!(mapped == wanted && own == [7; 5000]);
    }
}
