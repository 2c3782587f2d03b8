//! Where a dump's kernel is: its slide, and the page tables that its memory is read through.
//!
//! Sources: arch/x86/kernel/head_64.S, arch/x86/boot/compressed/kaslr.c, arch/x86/mm/pgtable.c (Linux 5.10-7.2).

use super::asked::PLACE;
use crate::base::addr::{Addr, Address, LinkAddr, Slide};
use crate::base::error::{Error, ErrorKind, Finding, Result};
use crate::formats::image::note::{self, hex};
use crate::world::image::Image;
use crate::world::memory::{Dump, Memory, Paged, Unreadable};

/// Where the kernel's image is mapped: `__START_KERNEL_map`, and the end of the region it may be moved in.
const REGION: (Addr, Addr) = (Addr(0xffff_ffff_8000_0000), Addr(0xffff_ffff_c000_0000));

/// The alignment of its physical place, bytes (`CONFIG_PHYSICAL_ALIGN`, at least).
const ALIGN: u64 = 2 << 20;

/// The bit of CR3 that tells a process's two page tables apart (`PTI_USER_PGTABLE_BIT`).
const USER_TABLE: u64 = 1 << 12;

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
}

/// Where the kernel is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Place {
    /// KASLR offset.
    pub slide: Slide,
    /// Physical address of the kernel's page table.
    pub root: u64,
    /// Levels of page tables.
    pub levels: u32,
    /// Bits of page-table entries that mark encrypted memory.
    pub encryption: u64,
    /// How this is known.
    pub found: Found,
    /// What shows that it is this kernel.
    pub proof: Proof,
}

impl Place {
    /// The kernel's memory.
    pub fn memory<'a, 'd>(&self, dump: &'a Dump<'d>) -> Paged<'a, 'd> {
        Paged::new(dump, self.root, self.levels, self.encryption)
    }

    /// What is odd about it: the image was not proved to be the one that ran.
    pub(crate) fn finding(&self) -> Option<Finding> {
        let Proof::Unproved(why) = self.proof else {
            return None;
        };
        let why = why.map_or("not in its notes", Unreadable::name);
        let what =
            format!("by its banner alone is this the kernel that ran: its build-id is {why}");
        Some(Finding::new("dump", 0, what))
    }
}

/// The release of the kernel in `dump`: as VMCOREINFO has it, in the notes or in the kernel's own page; else as the
/// banners in memory have it, if they agree.
pub(crate) fn release(dump: &Dump<'_>) -> Option<String> {
    let noted = dump
        .vmcoreinfo()
        .and_then(|i| i.release().map(str::to_owned));
    let own = || dump.find_vmcoreinfo()?.release().map(str::to_owned);
    let banners = || {
        let found = dump.find_banner(None);
        let mut releases: Vec<&str> = found.iter().filter_map(|b| b.release()).collect();
        releases.sort_unstable();
        releases.dedup();
        match releases[..] {
            [one] => Some(one.to_owned()),
            _ => None,
        }
    };
    noted.or_else(own).or_else(banners)
}

/// The build-id of the kernel in `dump`, as VMCOREINFO in the notes has it (since Linux 5.9).
pub fn build_id(dump: &Dump<'_>) -> Option<Vec<u8>> {
    note::from_hex(dump.vmcoreinfo()?.build_id()?)
}

/// Finds `vmlinux` in `dump`. What was found is held against the image: banner and build-id in memory must be its own;
/// where the build-id is not there to be read, [`Place::proof`] says so.
///
/// # Errors
/// `WrongImage` where another kernel is in the dump; it names what differs. `NotFound` where none is.
pub fn find(dump: &Dump<'_>, vmlinux: &Image<'_>) -> Result<Place> {
    let own = Own::of(vmlinux)?;
    let mut wrong = None;
    let candidates =
        by_vmcoreinfo(dump, &own)
            .into_iter()
            .chain(dump.cpu_states().filter_map(|cpu| {
                by_page_table(dump, &own, cpu.cr3 & !0xfff & !USER_TABLE, cpu.levels())
            }));
    for place in candidates {
        match own.check(&place.memory(dump), place.slide) {
            Ok(proof) => return Ok(Place { proof, ..place }),
            Err(why) => wrong = wrong.or(why),
        }
    }
    for place in by_scan(dump, &own) {
        match own.check(&place.memory(dump), place.slide) {
            Ok(proof) => return Ok(Place { proof, ..place }),
            Err(why) => wrong = wrong.or(why),
        }
    }
    Err(match wrong {
        Some(why) => Error::new(ErrorKind::WrongImage, why).in_file(vmlinux.path()),
        None => {
            let what = match release(dump) {
                Some(other) => format!("this kernel is not in the dump, which is of {other}"),
                None => "this kernel is not in the dump: no memory has its banner".to_owned(),
            };
            Error::new(ErrorKind::NotFound, what).in_file(vmlinux.path())
        }
    })
}

/// What is known of the image that is looked for.
struct Own<'d> {
    text: LinkAddr,
    top_table: LinkAddr,
    phys_base: Option<LinkAddr>,
    l5: Option<LinkAddr>,
    banner: (LinkAddr, &'d [u8]),
    notes: Option<LinkAddr>,
    build_id: Option<&'d [u8]>,
}

impl<'d> Own<'d> {
    fn of(vmlinux: &Image<'d>) -> Result<Self> {
        let [text, top, phys_base, l5, banner] = vmlinux.data_addresses(PLACE);
        let needed = |name: &str, at: Option<LinkAddr>| {
            at.ok_or_else(|| {
                let what = format!("no symbol {name}: the kernel cannot be found in a dump");
                Error::new(ErrorKind::UnknownSymbol, what).in_file(vmlinux.path())
            })
        };
        let banner = needed("linux_banner", banner)?;
        Ok(Own {
            text: needed("_text", text)?,
            top_table: needed("init_top_pgt", top)?,
            phys_base,
            l5,
            banner: (banner, vmlinux.kernel_banner().unwrap_or_default()),
            notes: vmlinux.section(".notes").and_then(|s| s.addr),
            build_id: vmlinux.build_id(),
        })
    }

    /// What shows that this kernel is in `memory` at `slide`; else what is there, if that can be said.
    fn check(
        &self,
        memory: &dyn Memory,
        slide: Slide,
    ) -> std::result::Result<Proof, Option<String>> {
        let (at, banner) = self.banner;
        if banner.is_empty() {
            return Err(None);
        }
        let mut there = vec![0; banner.len()];
        if memory.read(slide.runtime(at), &mut there).is_err() {
            return Err(None);
        }
        if there != banner {
            let shown = |b: &[u8]| {
                let end = b.iter().position(|b| *b == b'(').unwrap_or(b.len());
                String::from_utf8_lossy(&b[..end]).trim_end().to_owned()
            };
            let known = there.starts_with(b"Linux version ");
            return Err(known
                .then(|| format!("is {:?}, the dump is of {:?}", shown(banner), shown(&there))));
        }
        let (Some(notes), Some(wanted)) = (self.notes, self.build_id) else {
            return Ok(Proof::Banner);
        };
        let mut bytes = [0; 512];
        if let Err(why) = memory.read(slide.runtime(notes), &mut bytes) {
            return Ok(Proof::Unproved(Some(why)));
        }
        match note::build_id(&bytes) {
            Some(found) if found == wanted => Ok(Proof::BuildId),
            Some(found) => Err(Some(format!(
                "has build-id {}, the dump is of {}",
                hex(wanted),
                hex(found)
            ))),
            None => Ok(Proof::Unproved(None)),
        }
    }

    /// The place of a kernel whose `_text` is at `physical`, and moved by `slide`.
    fn place(&self, physical: u64, slide: Slide, levels: u32, found: Found) -> Place {
        let offset = self.top_table.0.wrapping_sub(self.text.0);
        Place {
            slide,
            root: physical.wrapping_add(offset),
            levels,
            encryption: 0,
            found,
            proof: Proof::Unproved(None),
        }
    }
}

fn by_vmcoreinfo(dump: &Dump<'_>, own: &Own<'_>) -> Option<Place> {
    let info = dump.vmcoreinfo()?;
    let slide = info.slide()?;
    let run = slide.runtime(own.text);
    let physical = run.since(REGION.0)?.wrapping_add(info.phys_base()?);
    let mut place = own.place(physical, slide, info.levels(), Found::VmCoreInfo);
    place.encryption = info.encryption_mask();
    Some(place)
}

fn by_page_table(dump: &Dump<'_>, own: &Own<'_>, root: u64, levels: u32) -> Option<Place> {
    let paged = Paged::new(dump, root, levels, 0);
    let first = paged.first_mapped(REGION.0, REGION.1)?;
    // The first page mapped is the image's own: what lay before it is unmapped at boot (`cleanup_highmap()`).
    let start = own.text.0 & !(ALIGN - 1);
    let slide = Slide(first.at.0.wrapping_sub(start));
    let physical = paged.translate(slide.runtime(own.text)).ok()?;
    Some(own.place(physical, slide, levels, Found::Cr3))
}

/// Every place where physical memory has the banner where this image would have it.
fn by_scan<'a>(dump: &'a Dump<'_>, own: &'a Own<'_>) -> impl Iterator<Item = Place> + 'a {
    let (at, banner) = own.banner;
    let offset = at.0.wrapping_sub(own.text.0);
    let starts = dump.ranges().flat_map(|(start, len)| {
        let first = start.checked_next_multiple_of(ALIGN).unwrap_or(u64::MAX);
        let end = start.saturating_add(len);
        (first..end).step_by(ALIGN as usize)
    });
    starts.filter_map(move |physical| {
        let read = |link: LinkAddr, buf: &mut [u8]| {
            let at = physical.wrapping_add(link.0.wrapping_sub(own.text.0));
            dump.read_physical(at, buf).ok()
        };
        let mut there = [0; 64];
        let there = &mut there[..banner.len().min(64)];
        dump.read_physical(physical.wrapping_add(offset), there)
            .ok()?;
        if there.is_empty() || !banner.starts_with(there) {
            return None;
        }
        let mut word = [0; 8];
        read(own.phys_base?, &mut word)?;
        let phys_base = crate::base::bytes::u64_at(&word, 0)?;
        let run = physical.wrapping_sub(phys_base).wrapping_add(REGION.0.0);
        let mut l5 = [0; 4];
        let five = own.l5.and_then(|at| read(at, &mut l5)).is_some() && l5 != [0; 4];
        let slide = Slide(run.wrapping_sub(own.text.0));
        Some(own.place(physical, slide, if five { 5 } else { 4 }, Found::Scan))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::memory::Pieces;

    const BANNER: &[u8] = b"Linux version 6.1.0 (someone)";
    const AT: u64 = 0xffff_ffff_8100_0000;

    /// A note section with a build-id, as long as is read of it.
    fn notes(build_id: &[u8; 4]) -> Vec<u8> {
        let mut note: Vec<u8> = [4u32, 4, 3].iter().flat_map(|w| w.to_le_bytes()).collect();
        note.extend(b"GNU\0");
        note.extend(build_id);
        note.resize(512, 0);
        note
    }

    /// What shows that the kernel with build-id `1234` is in memory which has its banner and these notes.
    fn check(notes: Option<&[u8]>) -> std::result::Result<Proof, Option<String>> {
        let own = Own {
            text: LinkAddr(AT),
            top_table: LinkAddr(AT),
            phys_base: None,
            l5: None,
            banner: (LinkAddr(AT), BANNER),
            notes: Some(LinkAddr(AT + 0x1000)),
            build_id: Some(b"1234"),
        };
        let banner = (Addr(AT), BANNER);
        let notes = notes.map(|n| (Addr(AT + 0x1000), n));
        let pieces = [Some(banner), notes].into_iter().flatten().collect();
        own.check(&Pieces::new(pieces), Slide(0))
    }

    #[test]
    fn only_a_build_id_that_was_read_proves_the_image() {
        assert_eq!(check(Some(&notes(b"1234"))), Ok(Proof::BuildId));
        let other = check(Some(&notes(b"4321"))).expect_err("another kernel");
        assert!(other.is_some_and(|why| why.contains("34333231")));
        let unread = check(None).expect("by its banner");
        assert_eq!(unread, Proof::Unproved(Some(Unreadable::Absent)));
        assert_eq!(check(Some(&[0; 512])), Ok(Proof::Unproved(None)));
    }

    #[test]
    fn an_image_that_is_not_proved_is_a_finding() {
        let place = |proof| Place {
            slide: Slide(0),
            root: 0,
            levels: 4,
            encryption: 0,
            found: Found::Scan,
            proof,
        };
        assert_eq!(place(Proof::BuildId).finding(), None);
        let finding = place(Proof::Unproved(Some(Unreadable::Excluded))).finding();
        let text = finding.expect("a finding").to_string();
        assert!(text.contains("excluded from the dump"), "{text}");
    }
}
