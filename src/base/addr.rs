//! Addresses that cannot be mixed up: where a byte is linked, where it ran, and how a PC was obtained.

use std::fmt;

/// An address as written in an ELF file (`st_value`, `sh_addr`).
///
/// A module (`ET_REL`) has none of its own: its sections are laid out as the kernel lays them out,
/// from 0 (see [`crate::formats::image::layout`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LinkAddr(pub u64);

/// An address in the running (or dumped) kernel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Addr(pub u64);

/// Runtime address minus link address, modulo 2^64 (KASLR offset, module base).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Slide(pub u64);

impl Slide {
    /// The least that KASLR moves a kernel by (`CONFIG_PHYSICAL_ALIGN`, 2 MB at least), and the room that it has.
    const STEP: u64 = 1 << 21;
    const ROOM: u64 = 1 << 30;

    /// `by`, where KASLR can have moved a kernel so far.
    pub(crate) fn kaslr(by: u64) -> Option<Self> {
        (by.is_multiple_of(Self::STEP) && by < Self::ROOM).then_some(Slide(by))
    }

    /// Where a linked byte ran.
    pub fn runtime(self, link: LinkAddr) -> Addr {
        Addr(link.0.wrapping_add(self.0))
    }

    /// Where a byte that ran is linked.
    pub fn link(self, run: Addr) -> LinkAddr {
        LinkAddr(run.0.wrapping_sub(self.0))
    }
}

/// Address arithmetic shared by [`LinkAddr`] and [`Addr`]; wraps, never panics.
pub trait Address: Copy + Ord {
    /// The address that `number` is.
    fn from_number(number: u64) -> Self;
    /// The address as a number.
    fn number(self) -> u64;
    /// This address plus a signed number of bytes.
    fn offset(self, by: i64) -> Self;
    /// Bytes from `origin` up to this address, `None` when it lies before.
    fn since(self, origin: Self) -> Option<u64>;
}

macro_rules! address {
    ($ty:ty) => {
        impl Address for $ty {
            fn from_number(number: u64) -> Self {
                Self(number)
            }

            fn number(self) -> u64 {
                self.0
            }

            fn offset(self, by: i64) -> Self {
                Self(self.0.wrapping_add_signed(by))
            }

            fn since(self, origin: Self) -> Option<u64> {
                self.0.checked_sub(origin.0)
            }
        }

        impl fmt::Display for $ty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }

        impl fmt::Debug for $ty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    };
}
address!(LinkAddr);
address!(Addr);

/// A return address: where the CALL that pushed it would go on. It may already be of the next function, for a call that
/// never returns ends its function; what was running is the call itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RetAddr<A = Addr>(pub A);

impl<A: Address> RetAddr<A> {
    /// The last byte of the call, which tables are asked for. Nothing else in this crate subtracts one.
    pub fn call(self) -> A {
        self.0.offset(-1)
    }

    /// The return address of a call whose last byte is at `last`.
    pub fn behind(last: A) -> Self {
        RetAddr(last.offset(1))
    }
}

/// A program counter and how it was obtained, which decides the address that tables are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pc<A = Addr> {
    /// Sampled, or saved by an exception: the instruction at this address was about to run.
    Exact(A),
    /// Pushed by a CALL: the instruction before this address was running.
    Return(A),
}

impl<A: Address> Pc<A> {
    /// The address as found.
    pub fn raw(self) -> A {
        match self {
            Pc::Exact(a) | Pc::Return(a) => a,
        }
    }

    /// The address to look up: of a return PC the last byte of its call, see [`RetAddr`].
    pub fn lookup(self) -> A {
        match self {
            Pc::Exact(a) => a,
            Pc::Return(a) => RetAddr(a).call(),
        }
    }

    /// The same kind of PC at another address.
    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Pc<B> {
        match self {
            Pc::Exact(a) => Pc::Exact(f(a)),
            Pc::Return(a) => Pc::Return(f(a)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_return_pc_is_looked_up_one_byte_before() {
        assert_eq!(Pc::Exact(Addr(0x10)).lookup(), Addr(0x10));
        assert_eq!(Pc::Return(Addr(0x10)).lookup(), Addr(0xf));
        assert_eq!(Pc::Return(Addr(0)).lookup(), Addr(u64::MAX));
    }

    #[test]
    fn a_call_and_its_return_address_name_each_other() {
        let ret = RetAddr(LinkAddr(0x1005));
        assert_eq!(ret.call(), LinkAddr(0x1004));
        assert_eq!(RetAddr::behind(ret.call()), ret);
    }

    #[test]
    fn a_slide_and_its_inverse_cancel() {
        let kaslr = Slide(0x1e00_0000);
        let link = LinkAddr(0xffff_ffff_81c0_1d27);
        assert_eq!(kaslr.runtime(link), Addr(0xffff_ffff_9fc0_1d27));
        assert_eq!(kaslr.link(kaslr.runtime(link)), link);
    }
}
