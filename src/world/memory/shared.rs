//! Memory behind references and in closures.

use std::sync::Arc;

use super::{Memory, Missing, Unreadable};
use crate::base::addr::Addr;

/// Whoever points to memory can read it.
macro_rules! behind {
    ($($pointer:ty),*) => {$(
        impl<M: Memory + ?Sized> Memory for $pointer {
            fn read(&self, at: Addr, buf: &mut [u8]) -> Result<(), Unreadable> {
                (**self).read(at, buf)
            }

            fn u64(&self, at: Addr) -> Result<u64, Unreadable> {
                (**self).u64(at)
            }

            fn u32(&self, at: Addr) -> Result<u32, Unreadable> {
                (**self).u32(at)
            }

            fn missing(&self, at: Addr) -> Option<Missing> {
                (**self).missing(at)
            }
        }
    )*};
}
behind!(&M, Box<M>, Arc<M>);

/// Memory that a closure reads.
#[derive(Clone, Copy, Debug)]
pub struct FromFn<F>(F);

/// Memory that `read` reads: it fills the buffer with the bytes from the address on, as [`Memory::read`] does.
///
/// ```
/// use fixtrace::low::base::addr::Addr;
/// use fixtrace::low::world::memory::{Memory, Unreadable, from_fn};
///
/// let page = vec![0x90; 4096];
/// let memory = from_fn(|at: Addr, buf: &mut [u8]| {
///     let bytes = at.0.checked_sub(0x1000).and_then(|skip| page.get(skip as usize..)?.get(..buf.len()));
///     buf.copy_from_slice(bytes.ok_or(Unreadable::NotMapped)?);
///     Ok(())
/// });
/// assert_eq!(memory.u32(Addr(0x1ffc)), Ok(0x9090_9090));
/// assert_eq!(memory.u32(Addr(0x1ffd)), Err(Unreadable::NotMapped));
/// ```
pub fn from_fn<F: Fn(Addr, &mut [u8]) -> Result<(), Unreadable>>(read: F) -> FromFn<F> {
    FromFn(read)
}

impl<F: Fn(Addr, &mut [u8]) -> Result<(), Unreadable>> Memory for FromFn<F> {
    fn read(&self, at: Addr, buf: &mut [u8]) -> Result<(), Unreadable> {
        (self.0)(at, buf)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Pieces;
    use super::*;

    #[test]
    fn a_pointer_to_memory_reads_what_the_memory_does() {
        fn word(memory: impl Memory) -> Result<u32, Unreadable> {
            memory.u32(Addr(0x1000))
        }
        let pieces = Pieces::new(vec![(Addr(0x1000), &[1, 2, 3, 4][..])]);
        let owned: Box<dyn Memory + '_> = Box::new(pieces.clone());
        let shared: Arc<dyn Memory + '_> = Arc::new(pieces.clone());
        let all = [word(&pieces), word(&*owned), word(owned), word(shared)];
        assert_eq!(all, [Ok(0x0403_0201); 4]);
    }
}
