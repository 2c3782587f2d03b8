//! Where a dump's kernel is: its slide, and the page tables that its memory is read through.
//!
//! Sources: arch/x86/kernel/head_64.S, arch/x86/boot/compressed/kaslr.c, arch/x86/mm/pgtable.c (Linux 5.10-7.2).

use super::asked::PLACE;
use super::direct;
use super::noted::{self, Noted};
pub use super::placed::{Found, Place, Proof};
use super::roots;
use crate::base::addr::{Addr, Address, LinkAddr, Slide};
use crate::base::error::{Error, ErrorKind, Result};
use crate::formats::image::note::{self, hex};
use crate::world::image::Image;
use crate::world::memory::{Dump, Linear, Memory, Paged, Unreadable};

/// Where the kernel's image is mapped: `__START_KERNEL_map`, and the end of the region it may be moved in.
const REGION: (Addr, Addr) = (Addr(0xffff_ffff_8000_0000), Addr(0xffff_ffff_c000_0000));

/// The alignment of its physical place, bytes (`CONFIG_PHYSICAL_ALIGN`, at least).
const ALIGN: u64 = 2 << 20;

/// The bit of CR3 that tells a process's two page tables apart (`PTI_USER_PGTABLE_BIT`).
const USER_TABLE: u64 = 1 << 12;

/// The release of the kernel in `dump`: as VMCOREINFO has it, in the notes or in the kernel's own page; else as the
/// banners in memory have it, if they agree.
pub fn release(dump: &Dump<'_>) -> Option<String> {
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

/// Finds `vmlinux` in `dump`. What was found is held against the image: banner and build-id in memory must be its own.
/// Where they are not there to be read, what VMCOREINFO says decides, and else [`Place::proof`] says so.
///
/// # Errors
/// `WrongImage` where another kernel is in the dump; it names what differs. `NotFound` where none is.
pub fn find(dump: &Dump<'_>, vmlinux: &Image<'_>) -> Result<Place> {
    let own = Own::of(vmlinux)?;
    let place = found(dump, vmlinux, &own)?;
    let variable = own.page_offset.map(|at| place.slide.runtime(at));
    let direct = direct::find(dump, variable, &place.supposed(dump));
    let place = Place {
        linear: [place.linear[0], direct],
        ..place
    };
    Ok(match roots::instead(dump, &place) {
        Some(root) => Place {
            root,
            borrowed: true,
            ..place
        },
        None => place,
    })
}

fn found(dump: &Dump<'_>, vmlinux: &Image<'_>, own: &Own<'_>) -> Result<Place> {
    let noted = |why| noted::against(dump.vmcoreinfo(), vmlinux, why);
    let (mut wrong, mut unread) = (None, None);
    let by_note = by_vmcoreinfo(dump, vmlinux, own);
    let candidates =
        by_note
            .into_iter()
            .chain(dump.cpu_states().filter_map(|cpu| {
                by_page_table(dump, own, cpu.cr3 & !0xfff & !USER_TABLE, cpu.levels())
            }));
    // That VMCOREINFO names another build counts where memory does not say more than the banner.
    let decided = |place: Place, proof| match (proof, noted(None)) {
        (Proof::Unproved(_), Noted::Other(why)) => Err(why),
        (Proof::Unproved(why), Noted::Same(Proof::Noted(_))) => Ok(Place {
            proof: Proof::Noted(why),
            ..place
        }),
        _ => Ok(Place { proof, ..place }),
    };
    for place in candidates {
        let checked = own.check(&place.supposed(dump), place.slide);
        match checked.and_then(|proof| decided(place, proof).map_err(Other::Kernel)) {
            Ok(place) => return Ok(place),
            Err(Other::Kernel(why)) => wrong = wrong.or(Some(why)),
            Err(Other::Nothing(why)) => unread = unread.or(why),
        }
    }
    // Damage may hit the banner and the page tables that lead to it, too.
    if let (Some(place), Noted::Same(proof)) = (by_note, noted(unread)) {
        return Ok(Place { proof, ..place });
    }
    for place in by_scan(dump, own) {
        let checked = own.check(&place.supposed(dump), place.slide);
        match checked.and_then(|proof| decided(place, proof).map_err(Other::Kernel)) {
            Ok(place) => return Ok(place),
            Err(Other::Kernel(why)) => wrong = wrong.or(Some(why)),
            Err(Other::Nothing(_)) => {}
        }
    }
    if let (None, Noted::Other(why)) = (&wrong, noted(None)) {
        wrong = Some(why);
    }
    let error = |kind, what: String| Err(Error::new(kind, what).in_file(vmlinux.path()));
    if let Some(why) = wrong {
        return error(ErrorKind::WrongImage, why);
    }
    match (release(dump).or_else(|| dump.release().map(str::to_owned)), vmlinux.release()) {
        (Some(other), Some(own)) if other != own => error(
            ErrorKind::WrongImage,
            format!("is Linux {own}, the dump is of {other}"),
        ),
        (Some(_), _) => error(
            ErrorKind::NotFound,
            "the dump is of this release, but nothing in it says where the kernel was: it has no VMCOREINFO, and no \
             memory that can be read has the kernel's banner"
                .to_owned(),
        ),
        (None, _) => error(
            ErrorKind::NotFound,
            "not found in the dump: it has no VMCOREINFO, and no memory that can be read has this kernel's banner"
                .to_owned(),
        ),
    }
}

/// Why an image is not where it was looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Other {
    /// Another kernel is there: what differs.
    Kernel(String),
    /// Nothing that can be read, and why; `None` where it is no kernel's.
    Nothing(Option<Unreadable>),
}

/// What is known of the image that is looked for.
struct Own<'d> {
    text: LinkAddr,
    end: Option<LinkAddr>,
    page_offset: Option<LinkAddr>,
    top_table: LinkAddr,
    phys_base: Option<LinkAddr>,
    l5: Option<LinkAddr>,
    banner: (LinkAddr, &'d [u8]),
    notes: Option<LinkAddr>,
    build_id: Option<&'d [u8]>,
}

impl<'d> Own<'d> {
    fn of(vmlinux: &Image<'d>) -> Result<Self> {
        let [text, top, phys_base, l5, banner, image_end, page_offset] =
            vmlinux.data_addresses(PLACE);
        let needed = |name: &str, at: Option<LinkAddr>| {
            at.ok_or_else(|| {
                let what = format!("no symbol {name}: the kernel cannot be found in a dump");
                Error::new(ErrorKind::UnknownSymbol, what).in_file(vmlinux.path())
            })
        };
        let banner = needed("linux_banner", banner)?;
        Ok(Own {
            text: needed("_text", text)?,
            end: image_end,
            page_offset,
            top_table: needed("init_top_pgt", top)?,
            phys_base,
            l5,
            banner: (banner, vmlinux.kernel_banner().unwrap_or_default()),
            notes: vmlinux.section(".notes").and_then(|s| s.addr),
            build_id: vmlinux.build_id(),
        })
    }

    /// What shows that this kernel is in `memory` at `slide`; else what is there, if that can be said.
    fn check(&self, memory: &dyn Memory, slide: Slide) -> std::result::Result<Proof, Other> {
        let (at, banner) = self.banner;
        if banner.is_empty() {
            return Err(Other::Nothing(None));
        }
        let mut there = vec![0; banner.len()];
        if let Err(why) = memory.read(slide.runtime(at), &mut there) {
            return Err(Other::Nothing(Some(why)));
        }
        if there != banner {
            let shown = |b: &[u8]| {
                let end = b.iter().position(|b| *b == b'(').unwrap_or(b.len());
                String::from_utf8_lossy(&b[..end]).trim_end().to_owned()
            };
            let what = || format!("is {:?}, the dump is of {:?}", shown(banner), shown(&there));
            return Err(match there.starts_with(b"Linux version ") {
                true => Other::Kernel(what()),
                false => Other::Nothing(None),
            });
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
            Some(found) => Err(Other::Kernel(format!(
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
            borrowed: false,
            linear: [self.image(physical, slide), None],
            found,
            proof: Proof::Unproved(None),
        }
    }

    /// Where its image is mapped.
    fn image(&self, physical: u64, slide: Slide) -> Option<Linear> {
        let (start, end) = (slide.runtime(self.text), slide.runtime(self.end?));
        let within = start >= REGION.0 && end <= REGION.1 && start < end;
        within.then_some(Linear {
            start,
            end,
            physical,
        })
    }
}

fn by_vmcoreinfo(dump: &Dump<'_>, vmlinux: &Image<'_>, own: &Own<'_>) -> Option<Place> {
    let info = dump.vmcoreinfo()?;
    let slide = noted::slide(info, vmlinux)?;
    let run = slide.runtime(own.text);
    let phys_base = info.phys_base().or_else(|| dump.phys_base())?;
    let physical = run.since(REGION.0)?.wrapping_add(phys_base);
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
    fn check(notes: Option<&[u8]>) -> std::result::Result<Proof, Other> {
        let own = Own {
            text: LinkAddr(AT),
            end: None,
            page_offset: None,
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
        assert!(matches!(other, Other::Kernel(why) if why.contains("34333231")));
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
            borrowed: false,
            linear: [None; 2],
            found: Found::Scan,
            proof,
        };
        assert_eq!(place(Proof::BuildId).unproved(), None);
        let finding = place(Proof::Unproved(Some(Unreadable::Excluded))).unproved();
        let text = finding.expect("a finding").to_string();
        assert!(text.contains("excluded from the dump"), "{text}");
    }
}
