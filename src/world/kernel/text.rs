//! Memory whose text the images hold.

use super::Kernel;
use crate::base::addr::{Addr, Address};
use crate::world::memory::record::LINE;
use crate::world::memory::{Memory, Unreadable};

/// Memory in which the lines that are not at hand are the text of the images: a snapshot holds only what differs.
pub struct WithText<'k, 'd, M> {
    /// What is at hand.
    pub memory: M,
    /// The images.
    pub kernel: &'k Kernel<'d>,
}

impl<M: Memory> Memory for WithText<'_, '_, M> {
    fn read(&self, mut at: Addr, mut buf: &mut [u8]) -> Result<(), Unreadable> {
        if self.memory.read(at, buf).is_ok() {
            return Ok(());
        }
        while !buf.is_empty() {
            let room = LINE - (at.0 % LINE);
            let len = buf.len().min(room as usize);
            let (now, later) = buf.split_at_mut(len);
            if let Err(why) = self.memory.read(at, now) {
                now.copy_from_slice(self.kernel.text(at).get(..len).ok_or(why)?);
            }
            buf = later;
            at = at.offset(len as i64);
        }
        Ok(())
    }
}
