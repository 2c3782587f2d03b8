//! Memory of a process as its core file has it, and as the files that were mapped have it.

use crate::base::addr::{Addr, Address};
use crate::base::bytes::u64_at;
use crate::world::memory::segments::{PF_X, PT_LOAD, Segment};
use crate::world::memory::{Memory, Pieces, Unreadable};

/// Memory in a core file.
#[derive(Clone, Default)]
pub struct CoreMemory<'d> {
    /// Sorted by address.
    regions: Vec<Region<'d>>,
    /// Sorted by address.
    files: Vec<Region<'d>>,
}

/// Memory with files behind it: what is not present in it is read from them.
pub struct Backed<'d, M> {
    /// The memory itself.
    pub memory: M,
    files: Pieces<'d>,
}

impl<'d, M: Memory> Backed<'d, M> {
    /// `files`: first address, end, and the file from there on; none that the process may have changed.
    pub(crate) fn new(memory: M, files: impl Iterator<Item = (Addr, Addr, &'d [u8])>) -> Self {
        let cut = |(start, end, bytes): (Addr, Addr, &'d [u8])| {
            let len = usize::try_from(end.0.saturating_sub(start.0)).unwrap_or(usize::MAX);
            (start, &bytes[..len.min(bytes.len())])
        };
        Backed {
            memory,
            files: Pieces::new(files.map(cut).collect()),
        }
    }
}

impl<M: Memory> Memory for Backed<'_, M> {
    fn read(&self, at: Addr, buf: &mut [u8]) -> Result<(), Unreadable> {
        let present = self.memory.read(at, buf);
        present.or_else(|why| self.files.read(at, buf).map_err(|_| why))
    }
}

/// A piece of address space.
#[derive(Clone, Copy)]
struct Region<'d> {
    start: u64,
    end: u64,
    /// Bytes announced from `start` on.
    promised: u64,
    /// Those that are there.
    bytes: &'d [u8],
    executable: bool,
}

impl<'d> CoreMemory<'d> {
    /// The loaded `segments` of the core file `file`. Where two overlap, the one that begins later is read.
    pub(super) fn new(file: &'d [u8], segments: &[Segment]) -> Self {
        let loaded = segments
            .iter()
            .filter(|s| s.kind == PT_LOAD && s.size.max(s.file_size) > 0);
        let mut regions: Vec<_> = loaded
            .map(|s| Region {
                start: s.addr,
                end: s.addr.saturating_add(s.size.max(s.file_size)),
                promised: s.file_size,
                bytes: s.bytes(file),
                executable: s.flags & PF_X != 0,
            })
            .collect();
        sort_apart(&mut regions);
        CoreMemory {
            regions,
            files: Vec::new(),
        }
    }

    /// Reads what the core left out from `files`: first address, end, and the file from there on.
    pub(super) fn back_with(&mut self, files: impl Iterator<Item = (Addr, Addr, &'d [u8])>) {
        let region = |(start, end, bytes): (Addr, Addr, &'d [u8])| Region {
            start: start.0,
            end: end.0,
            promised: 0,
            bytes,
            executable: false,
        };
        self.files = files.map(region).collect();
        sort_apart(&mut self.files);
    }

    /// Whether the core says that code may run at `at`.
    pub fn executable(&self, at: Addr) -> bool {
        find(&self.regions, at).is_some_and(|r| r.executable)
    }

    /// The bytes from `at` on that lie in one piece, at least one.
    #[inline]
    fn piece(&self, at: Addr) -> Result<&'d [u8], Unreadable> {
        let region = find(&self.regions, at).ok_or(Unreadable::NotMapped)?;
        if let Some(bytes) = region.from(at) {
            return Ok(bytes);
        }
        if let Some(bytes) = find(&self.files, at).and_then(|r| r.from(at)) {
            return Ok(bytes);
        }
        Err(match at.0 - region.start < region.promised {
            true => Unreadable::Truncated,
            false => Unreadable::Excluded,
        })
    }
}

impl<'d> Region<'d> {
    /// What it has from `at` on; `None` for nothing.
    #[inline]
    fn from(&self, at: Addr) -> Option<&'d [u8]> {
        let skip = usize::try_from(at.since(Addr(self.start))?).ok()?;
        let size = usize::try_from(self.end - self.start).ok()?;
        let bytes = self.bytes.get(..size).unwrap_or(self.bytes);
        bytes.get(skip..).filter(|b| !b.is_empty())
    }
}

/// Sorts regions, and ends each where the next begins.
fn sort_apart(regions: &mut [Region<'_>]) {
    regions.sort_by_key(|r| r.start);
    let mut next = u64::MAX;
    for region in regions.iter_mut().rev() {
        region.end = region.end.min(next);
        next = region.start;
    }
}

#[inline]
fn find<'r, 'd>(regions: &'r [Region<'d>], at: Addr) -> Option<&'r Region<'d>> {
    let next = regions.partition_point(|r| r.start <= at.0);
    let region = regions.get(next.checked_sub(1)?)?;
    (at.0 < region.end).then_some(region)
}

impl Memory for CoreMemory<'_> {
    fn read(&self, mut at: Addr, mut buf: &mut [u8]) -> Result<(), Unreadable> {
        while !buf.is_empty() {
            let piece = self.piece(at)?;
            let len = piece.len().min(buf.len());
            let (now, later) = buf.split_at_mut(len);
            now.copy_from_slice(&piece[..len]);
            buf = later;
            at = at.offset(len as i64);
        }
        Ok(())
    }

    fn u64(&self, at: Addr) -> Result<u64, Unreadable> {
        if let Some(word) = u64_at(self.piece(at)?, 0) {
            return Ok(word);
        }
        let mut bytes = [0; 8];
        self.read(at, &mut bytes)?;
        u64_at(&bytes, 0).ok_or(Unreadable::Corrupt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(addr: u64, offset: u64, file_size: u64, size: u64) -> Segment {
        Segment {
            kind: PT_LOAD,
            flags: 4,
            offset,
            addr,
            physical: 0,
            file_size,
            size,
        }
    }

    #[test]
    fn pages_that_are_not_present_are_read_from_files_up_to_the_end_of_their_mapping() {
        let memory = Pieces::new(vec![(Addr(0x1000), &[1; 8][..])]);
        let files = [(Addr(0x1000), Addr(0x1010), &[2; 64][..])];
        let backed = Backed::new(memory, files.into_iter());
        let byte = |at| {
            let mut b = [0];
            backed.read(Addr(at), &mut b).map(|()| b[0])
        };
        assert_eq!((byte(0x1007), byte(0x1008)), (Ok(1), Ok(2)));
        assert_eq!(byte(0x1010), Err(Unreadable::Absent));
    }

    #[test]
    fn what_was_not_dumped_comes_from_the_mapped_file_or_says_why_not() {
        let file = [7; 8];
        let segments = [
            load(0x1000, 0, 4, 0x1000),
            load(0x2000, 0, 0, 0x1000),
            load(0x3000, 6, 8, 8),
        ];
        let mut memory = CoreMemory::new(&file, &segments);
        memory.back_with([(Addr(0x2000), Addr(0x3000), &[9; 16][..])].into_iter());
        let byte = |at| {
            let mut b = [0];
            memory.read(Addr(at), &mut b).map(|()| b[0])
        };
        assert_eq!(byte(0x1003), Ok(7));
        assert_eq!(byte(0x1004), Err(Unreadable::Excluded));
        assert_eq!(byte(0x200f), Ok(9));
        assert_eq!(byte(0x2010), Err(Unreadable::Excluded));
        assert_eq!(byte(0x3001), Ok(7));
        assert_eq!(byte(0x3002), Err(Unreadable::Truncated));
        assert_eq!(byte(0x3008), Err(Unreadable::NotMapped));
        assert_eq!(byte(0xfff), Err(Unreadable::NotMapped));
    }

    #[test]
    fn of_two_overlapping_segments_the_later_is_read() {
        let file: Vec<u8> = (0..32).collect();
        let memory = CoreMemory::new(&file, &[load(0x10, 0, 16, 16), load(0x18, 16, 16, 16)]);
        assert_eq!(memory.u64(Addr(0x14)), Ok(0x1312_1110_0706_0504));
    }

    #[test]
    fn a_segment_at_the_end_of_the_address_space_does_not_wrap() {
        let memory = CoreMemory::new(&[1; 16], &[load(u64::MAX - 3, 0, 16, u64::MAX)]);
        let mut buf = [0; 8];
        assert!(memory.read(Addr(u64::MAX - 3), &mut buf).is_err());
    }
}
