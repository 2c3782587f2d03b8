//! The kernel's log out of a dump: [`read`] finds the buffer, `ring` and `records` read its two formats.
//!
//! Where members are and where the buffer is, VMCOREINFO says for whoever wants to read the log; the image is asked
//! where it does not. So most dumps need no image.

mod members;
mod records;
mod ring;
#[cfg(test)]
mod tests;
mod values;

pub use values::{Log, Record};

use members::Members;
use values::missing;

use super::place::Place;
use crate::base::error::Result;
use crate::world::image::Image;
use crate::world::memory::{Dump, Memory, Paged, VmcoreInfo};

/// The bit of CR3 that tells a process's two page tables apart, and those below the address.
const NOT_A_TABLE: u64 = 0x1fff;

/// Reads the kernel's log in `dump`: by what VMCOREINFO tells, else by `vmlinux` and its place.
///
/// # Errors
/// `MissingSection` where neither tells what it takes; else why the buffer cannot be read at all. What cannot be read
/// of it is a finding.
pub fn read(dump: &Dump<'_>, vmlinux: Option<(&Image<'_>, &Place)>) -> Result<Log> {
    let noted = dump.vmcoreinfo().cloned();
    // The kernel's own copy is searched for where nothing else can tell.
    let info = noted.or_else(|| match vmlinux {
        None => dump.find_vmcoreinfo(),
        Some(_) => None,
    });
    let placed = vmlinux.map(|(image, place)| (image, place.slide));
    let members = Members::new(info.as_ref(), placed);
    let placed = vmlinux.map(|(_, place)| place.memory(dump));
    let tables = placed.into_iter().chain(tables(dump, info.as_ref()));
    let most = dump.limits().copied_of(dump.stored());
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut why = None;
    for memory in tables {
        match by(&members, &memory, most) {
            Ok(log) => return Ok(log),
            Err(e) => why = why.or(Some(e)),
        }
    }
    Err(why.unwrap_or_else(|| missing("where the kernel's page table is")))
}

/// Reads it through `memory`: `most` bytes of it.
fn by(members: &Members<'_, '_>, memory: &dyn Memory, most: usize) -> Result<Log> {
    match members.symbol("prb") {
        Some(at) => ring::read(members, memory, at, most),
        None => records::read(members, memory, most),
    }
}

/// The kernel's memory by what the dump says of itself: VMCOREINFO, and the page tables its CPUs used.
fn tables<'a, 'd>(
    dump: &'a Dump<'d>,
    info: Option<&VmcoreInfo>,
) -> impl Iterator<Item = Paged<'a, 'd>> {
    let told = info.and_then(|i| Some((i.page_table()?, i.levels(), i.encryption_mask())));
    let told = told.map(|(root, levels, mask)| Paged::new(dump, root, levels, mask));
    let used = dump
        .cpu_states()
        .map(|cpu| Paged::new(dump, cpu.cr3 & !NOT_A_TABLE, cpu.levels(), 0));
    told.into_iter().chain(used)
}
