//! Owner of all bytes that images borrow: mapped files, decompressed payloads, relocated sections.
//!
//! Append-only: a slice handed out stays where it is until the storage is dropped.

use std::fs::File;
use std::io::Read;
use std::ops::Deref;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use memmap2::Mmap;

use super::packing::Packing;
use crate::base::arch::Arch;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::limits::Limits;

enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Owned(vec) => vec,
        }
    }
}

impl Bytes {
    fn mapping(&self) -> Option<&Mmap> {
        match self {
            Bytes::Mapped(map) => Some(map),
            Bytes::Owned(_) => None,
        }
    }
}

/// Buffers in groups of 1, 2, 4, …: a group never moves, so that what it holds may be borrowed while others
/// add to the storage, from any thread.
#[derive(Default)]
struct Buffers {
    groups: [OnceLock<Box<[OnceLock<Bytes>]>>; 32],
    taken: AtomicUsize,
}

impl Buffers {
    fn add(&self, bytes: Bytes) -> &[u8] {
        let number = self.taken.fetch_add(1, Ordering::Relaxed) + 1;
        let group = number.ilog2();
        let slots = self.groups[group as usize]
            .get_or_init(|| (0..1 << group).map(|_| OnceLock::new()).collect());
        slots[number - (1 << group)].get_or_init(|| bytes)
    }

    fn iter(&self) -> impl Iterator<Item = &Bytes> {
        let groups = self.groups.iter().filter_map(OnceLock::get);
        groups.flat_map(|slots| slots.iter().filter_map(OnceLock::get))
    }
}

/// What packed bytes are to give.
#[derive(Clone, Copy)]
pub(crate) enum Most {
    /// All members of a file.
    AllMembers,
    /// One stream, at most so many bytes.
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
}

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
        let packed = bytes.len() as u64;
        let packed = packed.saturating_add(self.packed.fetch_add(packed, Ordering::Relaxed));
        let left = self.limits.unpacked_of(packed);
        let left = left.saturating_sub(self.unpacked.load(Ordering::Relaxed));
        let plain = match most {
            Most::AllMembers => packing.decompress_all(bytes, left),
            Most::Bytes(size) => packing.decompress(bytes, left.min(size)),
        }?;
        let len = plain.len() as u64;
        self.unpacked.fetch_add(len, Ordering::Relaxed);
        Ok(self.own(plain))
    }

    /// Takes one more directory entry; `false` when there have been as many as may be.
    pub(crate) fn entry(&self) -> bool {
        self.entries.fetch_add(1, Ordering::Relaxed) < self.limits.entries
    }

    /// Maps `path` and gives its bytes as they are on disk.
    ///
    /// A file that shrinks while it is mapped ends the process with SIGBUS, as for every mapping reader.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is a directory.
    pub fn map(&self, path: &Path) -> Result<&[u8]> {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let meta = file.metadata().map_err(|e| Error::io(path, e))?;
        if meta.is_dir() {
            return Err(Error::new(ErrorKind::NotAnElf, "is a directory").in_file(path));
        }
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
        #[expect(
            unsafe_code,
            reason = "mapping a file is unsafe because another process may change it; \
            the bytes are only ever read as plain integers with bounds checks"
        )]
        let map = unsafe { Mmap::map(&file) }.map_err(|e| Error::io(path, e))?;
        Ok(self.buffers.add(Bytes::Mapped(map)))
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
                packed => self.unpacked(packed, bytes, Most::Bytes(u64::MAX))?,
            };
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "packed more than three times",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
