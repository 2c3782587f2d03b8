//! Where a kernel is, and what shows it, as plain data.

use crate::base::addr::Slide;
use crate::base::error::Finding;
use crate::world::memory::{Dump, Linear, Paged, Unreadable};

/// How the kernel was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Found {
    /// By VMCOREINFO.
    VmCoreInfo,
    /// By the page tables of a virtual CPU.
    Cr3,
    /// By looking for its banner in all memory.
    Scan,
}

/// What shows that an image is of the kernel in a dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Proof {
    /// Its banner and its build-id are in memory.
    BuildId,
    /// Its banner is in memory; it has no build-id.
    Banner,
    /// Its banner is in memory, its build-id cannot be read there: why not, `None` where no build-id is in the notes.
    Unproved(Option<Unreadable>),
    /// VMCOREINFO has its build-id; its banner in memory cannot be read (why not), or is damaged.
    Noted(Option<Unreadable>),
    /// The same by its release, and by the addresses of its symbols, where VMCOREINFO has no build-id.
    NotedSymbols(Option<Unreadable>),
}

/// Where the kernel is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Place {
    /// KASLR offset.
    pub slide: Slide,
    /// Physical address of the kernel's page table.
    pub root: u64,
    /// Whether that is a process's, because the kernel's own is missing.
    pub borrowed: bool,
    /// Levels of page tables.
    pub levels: u32,
    /// Bits of page-table entries that mark encrypted memory.
    pub encryption: u64,
    /// Where its image and the direct mapping are, for where page tables are missing.
    pub linear: [Option<Linear>; 2],
    /// How this is known.
    pub found: Found,
    /// What shows that it is this kernel.
    pub proof: Proof,
}

impl Place {
    /// The kernel's memory. What is missing in it is told to `dump`.
    pub fn memory<'a, 'd>(&self, dump: &'a Dump<'d>) -> Paged<'a, 'd> {
        self.supposed(dump).noting()
    }

    /// The same, as long as it is not known whether the kernel is there.
    pub(super) fn supposed<'a, 'd>(&self, dump: &'a Dump<'d>) -> Paged<'a, 'd> {
        Paged::new(dump, self.root, self.levels, self.encryption).with_linear(self.linear)
    }

    /// What is odd about it.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let borrowed = self.borrowed.then(|| {
            let what = "the kernel's top page table is missing: that of a process is used";
            Finding::about("dump", what)
        });
        self.unproved().into_iter().chain(borrowed).collect()
    }

    /// That the image was not proved by memory to be the one that ran.
    pub(super) fn unproved(&self) -> Option<Finding> {
        let unread =
            |why: Option<Unreadable>| why.map_or("not what it has there", Unreadable::name);
        let what = match self.proof {
            Proof::BuildId | Proof::Banner => return None,
            Proof::Unproved(why) => {
                let why = why.map_or("not in its notes", Unreadable::name);
                format!("by its banner alone is this the kernel that ran: its build-id is {why}")
            }
            Proof::Noted(why) => format!(
                "by the build-id in VMCOREINFO is this the kernel that ran: its banner in memory is {}",
                unread(why)
            ),
            Proof::NotedSymbols(why) => format!(
                "by release and symbols in VMCOREINFO is this the kernel that ran: its banner in memory is {}",
                unread(why)
            ),
        };
        Some(Finding::about("dump", what))
    }
}
