//! Which image it is: kind, name, build-id, release.

use super::{ElfImage, ImageKind, elf, locate, made, note};
use crate::base::bytes::{Finder, cstr_at, u32_at};

impl<'d> ElfImage<'d> {
    pub(super) fn classify(&self) -> ImageKind {
        let has = |name: &str| self.section(name).is_some();
        let etype = self.elf.as_ref().map_or(0, |e| e.etype);
        if etype == elf::ET_REL {
            ImageKind::Module
        } else if etype == elf::ET_DYN
            && (has(".altinstructions") || self.soname().contains("vdso"))
        {
            ImageKind::Vdso
        } else if has("__ex_table") || has(".orc_unwind") || has("__ksymtab") {
            ImageKind::Vmlinux
        } else {
            ImageKind::Other
        }
    }

    fn soname(&self) -> String {
        self.path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    pub(super) fn derive_name(&self) -> String {
        match self.kind {
            ImageKind::Vmlinux => "vmlinux".to_owned(),
            ImageKind::Module => match self.modinfo("name") {
                Some(name) => name.to_owned(),
                None => locate::module_name(&self.path),
            },
            _ => self.soname(),
        }
    }

    /// Whether it says that its code is not what ran: it stands in for an image that cannot be given away, with the
    /// same names, numbers and tables (section `.fixtrace.standin`).
    pub(crate) fn stands_in(&self) -> bool {
        self.section(".fixtrace.standin").is_some()
    }

    /// Whether it was made of what memory held, for want of a file.
    pub(crate) fn is_of_memory(&self) -> bool {
        self.section(made::MARK).is_some()
    }

    /// The GNU build-id.
    pub fn build_id(&self) -> Option<&'d [u8]> {
        let notes = self.sections.iter().filter(|s| s.name.starts_with(".note"));
        notes.filter_map(|s| note::build_id(s.data)).next()
    }

    /// File name and CRC of `.gnu_debuglink`.
    pub fn debuglink(&self) -> Option<(&'d str, u32)> {
        debuglink(self.section(".gnu_debuglink")?.data)
    }

    /// The value of `key` in a module's `.modinfo`.
    pub fn modinfo(&self, key: &str) -> Option<&'d str> {
        let data = self.section(".modinfo")?.data;
        let mut fields = data
            .split(|b| *b == 0)
            .filter_map(|f| str::from_utf8(f).ok());
        fields.find_map(|f| f.strip_prefix(key)?.strip_prefix('='))
    }

    /// The kernel release it is of or for: from `vermagic`, or from the banner in `.rodata`.
    pub fn release(&self) -> Option<&'d str> {
        if let Some(stored) = &self.stored {
            return stored.release;
        }
        // A name of printable characters: a damaged one is no name, and goes into no path.
        let named = |release: &&'d str| release.bytes().all(|b| b.is_ascii_graphic());
        if let Some(magic) = self.modinfo("vermagic") {
            return magic.split(' ').next().filter(named);
        }
        let rest = self.banner()?.strip_prefix("Linux version ")?;
        // A banner that ends here was cut.
        let (release, _) = rest.split_once(' ')?;
        Some(release).filter(named)
    }

    /// The line with which the kernel introduces itself, out of `.rodata`; `None` where an index stands for the image.
    pub(crate) fn banner(&self) -> Option<&'d str> {
        const LONGEST: usize = 1024;
        let rodata = self.section(".rodata")?.data;
        let begin = b"Linux version ";
        // The format string of the same shape ("Linux version %s") stands in .rodata too.
        Finder::new(begin).each(rodata).find_map(|at| {
            let rest = &rodata[at..];
            let first = rest.get(begin.len()).filter(|b| b.is_ascii_digit());
            let end = rest
                .iter()
                .take(LONGEST)
                .position(|b| matches!(b, b'\n' | 0))?;
            let banner = str::from_utf8(&rest[..end]).ok();
            first.and(banner)
        })
    }
}

/// File name and CRC in a `.gnu_debuglink`.
pub(super) fn debuglink(data: &[u8]) -> Option<(&str, u32)> {
    let name = cstr_at(data, 0)?;
    let crc = u32_at(data, (name.len() + 1).next_multiple_of(4))?;
    Some((str::from_utf8(name).ok()?, crc))
}
