//! Which places of its text an image lists as patched: a place that is in none of the tables is not.

pub(crate) mod pack;

use super::elf::RelocList;
use super::elf_image::ElfImage;
use super::kind::ImageKind;
use super::sites::stored::StoredSites;
use super::sites::{Between, LANDMARKS, SECTIONS, Site};
use crate::base::addr::{Address, LinkAddr};
use crate::base::bytes::{i32_at, u64_at};
use crate::base::sort::by_address;

impl<'d> ElfImage<'d> {
    /// Whether the image's table lists `at` as a place of this kind; `None` where it has no such table.
    pub fn lists(&self, site: Site, at: LinkAddr) -> Option<bool> {
        Some(self.places(site)?.binary_search(&at).is_ok())
    }

    /// The places of this kind from `from` on, before `to`; `None` where the image has no such table.
    pub fn listed_in(&self, site: Site, from: LinkAddr, to: LinkAddr) -> Option<&[LinkAddr]> {
        let places = self.places(site)?;
        let first = places.partition_point(|at| *at < from);
        let len = places[first..].partition_point(|at| *at < to);
        Some(&places[first..first + len])
    }

    /// The table of one kind.
    fn places(&self, site: Site) -> Option<&[LinkAddr]> {
        let read = || self.of_tables(|stored| stored.places(site), |own| own.read_places(site));
        let places = self.sites.places[site as usize].get_or_init(read);
        places.as_deref()
    }

    /// Where the jump label at `at` jumps to, if there is one; `None` where the image has no table of them.
    pub fn jump_label(&self, at: LinkAddr) -> Option<Option<LinkAddr>> {
        let read = || self.of_tables(|stored| stored.jumps(), |own| own.read_jumps());
        let jumps = self.sites.jumps.get_or_init(read).as_ref()?;
        let row = jumps.binary_search_by_key(&at, |(code, _)| *code).ok();
        Some(row.map(|row| jumps[row].1))
    }

    /// How many bytes at `at` a paravirtual operation may take, if there is one; `None` where the image has no table of
    /// them (from 6.8 on they are alternatives).
    pub fn paravirtual(&self, at: LinkAddr) -> Option<Option<u8>> {
        let read = || self.of_tables(|stored| stored.paravirt(), |own| own.read_paravirt());
        let all = self.sites.paravirt.get_or_init(read).as_ref()?;
        let row = all.binary_search_by_key(&at, |(site, _)| *site).ok();
        Some(row.map(|row| all[row].1))
    }

    /// The first constant of run time that is put in between `from` and `to`: sections `runtime_ptr_*`,
    /// `runtime_shift_*` (6.11 on).
    pub fn runtime_constant(&self, from: LinkAddr, to: LinkAddr) -> Option<LinkAddr> {
        let read = || self.of_tables(|stored| stored.constants(), |own| own.read_constants());
        let all = self.sites.constants.get_or_init(read);
        let next = all.partition_point(|at| *at < from);
        all.get(next).copied().filter(|at| *at < to)
    }

    /// The fields of code between `from` and `to` that relocations fill when a module is loaded: where they begin, and
    /// their bytes, four each, eight for an address.
    pub(crate) fn relocated(&self, from: LinkAddr, to: LinkAddr) -> &[(LinkAddr, u8)] {
        let read = || self.whole().read_fields();
        let all = self.sites.fields.get_or_init(read);
        let first = all.partition_point(|(at, _)| *at < from);
        let len = all[first..].partition_point(|(at, _)| *at < to);
        &all[first..first + len]
    }

    /// What an index has, where its file is not at hand.
    fn stored_sites(&self) -> Option<&StoredSites<'d>> {
        let stored = self.stored.as_ref().filter(|s| s.original.is_none())?;
        stored.sites.as_ref()
    }

    /// What the tables tell: those of an index, or those of the image itself.
    fn of_tables<T>(
        &self,
        stored: impl FnOnce(&StoredSites<'d>) -> T,
        own: impl FnOnce(&ElfImage<'d>) -> T,
    ) -> T {
        match self.stored_sites() {
            Some(sites) => stored(sites),
            None => own(self.whole()),
        }
    }

    /// The image whose sections have their bytes.
    pub(super) fn whole(&self) -> &ElfImage<'d> {
        match self.stored {
            Some(_) => self.original().unwrap_or(self),
            None => self,
        }
    }

    fn read_places(&self, site: Site) -> Option<Vec<LinkAddr>> {
        let found = match SECTIONS.iter().find(|(kind, _)| *kind == site) {
            Some((_, name)) => {
                let section = self.section(name).filter(|s| !s.data.is_empty())?;
                self.in_text(relative(section.addr?, section.data, 4))
            }
            None if site == Site::Mcount => {
                let (_, data) = self.table("__mcount_loc", Between::Mcount)?;
                let all = data.chunks_exact(8).filter_map(|e| u64_at(e, 0));
                self.in_text(all.map(LinkAddr))
            }
            None => {
                let (base, data) = self.table(".static_call_sites", Between::StaticCalls)?;
                self.in_text(relative(base, data, 8))
            }
        };
        // A table of something else, or one that was not filled in.
        (!found.is_empty()).then(|| by_address(&found, |at| at.0))
    }

    fn in_text(&self, all: impl Iterator<Item = LinkAddr>) -> Vec<LinkAddr> {
        all.filter(|at| self.text_section(*at).is_some()).collect()
    }

    /// `struct jump_entry`: distances of code and target since 4.20, three addresses before.
    fn read_jumps(&self) -> Option<Vec<(LinkAddr, LinkAddr)>> {
        let (base, data) = self.table("__jump_table", Between::Jumps)?;
        let sane = |(code, target): &(LinkAddr, LinkAddr)| {
            self.text_section(*code).is_some() && self.text_section(*target).is_some()
        };
        let rows = data
            .chunks_exact(16)
            .zip((0i64..).map(|n| base.offset(16 * n)));
        let near = rows.filter_map(|(e, at)| {
            let code = at.offset(i32_at(e, 0)?.into());
            Some((code, at.offset(4 + i64::from(i32_at(e, 4)?))))
        });
        let rows = data.chunks_exact(24);
        let far = rows.filter_map(|e| Some((LinkAddr(u64_at(e, 0)?), LinkAddr(u64_at(e, 8)?))));
        let near: Vec<_> = near.filter(sane).collect();
        let far: Vec<_> = far.filter(sane).collect();
        let found = if near.len() >= far.len() { near } else { far };
        (!found.is_empty()).then(|| by_address(&found, |(code, _)| code.0))
    }

    /// `struct paravirt_patch_site`: address, kind, length.
    fn read_paravirt(&self) -> Option<Vec<(LinkAddr, u8)>> {
        let section = self.section(".parainstructions")?;
        let rows = section.data.chunks(16);
        let found: Vec<_> = rows
            .filter_map(|e| Some((LinkAddr(u64_at(e, 0)?), *e.get(9)?)))
            .filter(|(at, _)| self.text_section(*at).is_some())
            .collect();
        (!found.is_empty()).then(|| by_address(&found, |(at, _)| at.0))
    }

    fn read_constants(&self) -> Vec<LinkAddr> {
        let lists = self
            .sections()
            .iter()
            .filter(|s| s.name.starts_with("runtime_"));
        let places = lists.flat_map(|s| relative(s.addr.unwrap_or_default(), s.data, 4));
        by_address(&places.collect::<Vec<_>>(), |at| at.0)
    }

    fn read_fields(&self) -> Vec<(LinkAddr, u8)> {
        /// `R_X86_64_64`
        const ABSOLUTE: u32 = 1;
        let Some(elf) = self
            .elf
            .as_ref()
            .filter(|_| self.kind() == ImageKind::Module)
        else {
            return Vec::new();
        };
        let text = self
            .sections()
            .iter()
            .enumerate()
            .filter(|(_, s)| s.is_text());
        let fields = text.flat_map(|(index, s)| {
            let base = s.addr.unwrap_or_default();
            let all: Vec<_> = elf
                .relocations(index)
                .iter()
                .flat_map(RelocList::iter)
                .collect();
            all.into_iter().map(move |r| {
                let at = LinkAddr(base.0.wrapping_add(r.offset));
                (at, if r.kind == ABSOLUTE { 8 } else { 4 })
            })
        });
        by_address(&fields.collect::<Vec<_>>(), |(at, _)| at.0)
    }

    /// A table with its first byte: a section of a module, what stands between two symbols of a vmlinux.
    pub(super) fn table(&self, section: &str, between: Between) -> Option<(LinkAddr, &'d [u8])> {
        if self.kind() != ImageKind::Module {
            return self.between(between);
        }
        let section = self.section(section)?;
        Some((section.addr?, section.data))
    }

    /// What stands between two symbols of a vmlinux that mark `what`, and where it begins.
    pub fn between(&self, what: Between) -> Option<(LinkAddr, &'d [u8])> {
        if let Some(stored) = self.stored_sites() {
            return stored.between(what);
        }
        let find = || self.data_addresses(LANDMARKS);
        let marks = self.sites.landmarks.get_or_init(find);
        let (from, to) = (marks[2 * what as usize]?, marks[2 * what as usize + 1]?);
        let len = usize::try_from(to.since(from)?).ok()?;
        Some((from, self.bytes(from).get(..len)?))
    }
}

/// The places that entries of `size` bytes, the first of which is at `base`, begin with the distance of.
fn relative(base: LinkAddr, data: &[u8], size: usize) -> impl Iterator<Item = LinkAddr> {
    let rows = data
        .chunks_exact(size)
        .zip((0i64..).map(move |n| base.offset(n * size as i64)));
    rows.filter_map(|(e, at)| {
        let distance = i32_at(e, 0).filter(|d| *d != 0)?;
        Some(at.offset(distance.into()))
    })
}
