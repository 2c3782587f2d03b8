//! Where an instruction is linked, and where it runs.

use crate::base::addr::LinkAddr;

/// An instruction: where it is linked, where it runs, and its length; branches between the addresses `within` moved
/// along with it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub src: LinkAddr,
    pub run: LinkAddr,
    pub len: usize,
    pub within: (LinkAddr, LinkAddr),
}

impl Place {
    /// An instruction that runs where it is linked.
    pub fn of(at: LinkAddr, len: usize) -> Self {
        Place {
            src: at,
            run: at,
            len,
            within: (at, at),
        }
    }
}
