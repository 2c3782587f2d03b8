//! Memory of which some pieces are at hand: a snapshot's, or files that were saved by hand.

use super::{Memory, Unreadable};
use crate::base::addr::{Addr, Address};

/// Pieces of memory, sorted by address.
#[derive(Clone, Default)]
pub struct Pieces<'d> {
    pieces: Vec<(Addr, &'d [u8])>,
}

impl<'d> Pieces<'d> {
    /// Takes `pieces` in any order. Where two overlap, the one that begins later is read.
    pub fn new(mut pieces: Vec<(Addr, &'d [u8])>) -> Self {
        pieces.sort_by_key(|(at, _)| *at);
        Pieces { pieces }
    }

    /// `len` bytes from `at` on, where they lie in one piece and no other begins among them.
    fn slice(&self, at: Addr, len: usize) -> Option<&'d [u8]> {
        let next = self.pieces.partition_point(|(start, _)| *start <= at);
        let (start, bytes) = self.pieces.get(next.checked_sub(1)?)?;
        let skip = usize::try_from(at.0 - start.0).ok()?;
        let end = at.0.checked_add(len as u64)?;
        if self
            .pieces
            .get(next)
            .is_some_and(|(later, _)| later.0 < end)
        {
            return None;
        }
        bytes.get(skip..skip.checked_add(len)?)
    }

    /// The pieces, by address.
    pub fn iter(&self) -> impl Iterator<Item = (Addr, &'d [u8])> {
        self.pieces.iter().copied()
    }
}

impl Memory for Pieces<'_> {
    fn read(&self, mut at: Addr, mut buf: &mut [u8]) -> Result<(), Unreadable> {
        if let Some(whole) = self.slice(at, buf.len()) {
            buf.copy_from_slice(whole);
            return Ok(());
        }
        while !buf.is_empty() {
            let next = self.pieces.partition_point(|(start, _)| *start <= at);
            let (start, bytes) = self.pieces[..next].last().ok_or(Unreadable::Absent)?;
            let skip = at.since(*start).unwrap_or_default();
            let rest = usize::try_from(skip).ok().and_then(|s| bytes.get(s..));
            let mut rest = rest.filter(|r| !r.is_empty()).ok_or(Unreadable::Absent)?;
            if let Some((later, _)) = self.pieces.get(next) {
                let room = usize::try_from(later.0 - at.0).unwrap_or(usize::MAX);
                rest = &rest[..room.min(rest.len())];
            }
            let len = rest.len().min(buf.len());
            let (now, then) = buf.split_at_mut(len);
            now.copy_from_slice(&rest[..len]);
            buf = then;
            at = at.offset(len as i64);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cross_from_piece_to_piece_and_stop_at_a_gap() {
        let pieces = Pieces::new(vec![
            (Addr(0x1008), &[8, 9][..]),
            (Addr(0x1000), &[0, 1, 2, 3, 4, 5, 6, 7]),
        ]);
        let mut buf = [0; 4];
        assert_eq!(pieces.read(Addr(0x1006), &mut buf), Ok(()));
        assert_eq!(buf, [6, 7, 8, 9]);
        assert_eq!(pieces.read(Addr(0x1007), &mut buf), Err(Unreadable::Absent));
        assert_eq!(pieces.read(Addr(0xfff), &mut buf), Err(Unreadable::Absent));
        assert_eq!(pieces.u64(Addr(0x1000)), Ok(0x0706_0504_0302_0100));
    }
}
