//! VMCOREINFO: what a kernel tells of itself to whoever reads its dump.

use crate::base::addr::{Addr, Slide};

/// The kernel's lines of `KEY=VALUE`.
///
/// **Source:** kernel/vmcore_info.c and kernel/crash_core.c (`crash_save_vmcoreinfo_init()`), arch/x86/kernel/
/// (Linux 5.10-7.2); Documentation/admin-guide/kdump/vmcoreinfo.rst.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VmcoreInfo {
    text: String,
}

impl VmcoreInfo {
    /// Takes the text up to its first NUL. Bytes that are no UTF-8 are replaced.
    pub fn new(bytes: &[u8]) -> Self {
        let text = bytes.split(|b| *b == 0).next().unwrap_or_default();
        VmcoreInfo {
            text: String::from_utf8_lossy(text).into_owned(),
        }
    }

    /// The same of bytes whose end is missing: the line that they end in is none.
    pub(crate) fn cut(bytes: &[u8]) -> Self {
        let end = bytes.iter().rposition(|b| *b == b'\n');
        VmcoreInfo::new(bytes.get(..end.unwrap_or(0)).unwrap_or_default())
    }

    /// The text as the kernel wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All lines, as key and value.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text.lines().filter_map(|l| l.split_once('='))
    }

    /// The value of `key` as it is written.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.lines().find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    fn inner(&self, class: &str, name: &str) -> Option<&str> {
        let mut found = self.lines().filter_map(|(key, value)| {
            let key = key.strip_prefix(class)?.strip_prefix('(')?;
            (key.strip_suffix(')')? == name).then_some(value)
        });
        found.next()
    }

    /// `OSRELEASE`: the kernel release.
    pub(crate) fn release(&self) -> Option<&str> {
        self.value("OSRELEASE")
    }

    /// `BUILD-ID` of the vmlinux (since Linux 5.9), in hexadecimal.
    pub fn build_id(&self) -> Option<&str> {
        self.value("BUILD-ID")
    }

    /// When the kernel handed over, seconds since 1970.
    pub(crate) fn crash_time(&self) -> Option<u64> {
        self.value("CRASHTIME")?.trim().parse().ok()
    }

    /// `PAGESIZE`, bytes.
    pub(crate) fn page_size(&self) -> Option<u64> {
        self.value("PAGESIZE")?.parse().ok()
    }

    /// `KERNELOFFSET`: by how much KASLR moved the kernel.
    pub(crate) fn slide(&self) -> Option<Slide> {
        let hex = self.value("KERNELOFFSET")?;
        u64::from_str_radix(hex, 16).ok().map(Slide)
    }

    /// `SYMBOL(name)`: its runtime address.
    pub(crate) fn symbol(&self, name: &str) -> Option<Addr> {
        let hex = self.inner("SYMBOL", name)?;
        u64::from_str_radix(hex, 16).ok().map(Addr)
    }

    /// `OFFSET(name)`, as in `list_head.next`: bytes.
    pub fn offset(&self, name: &str) -> Option<u64> {
        self.inner("OFFSET", name)?.parse().ok()
    }

    /// `SIZE(name)`: bytes of a type.
    pub fn size(&self, name: &str) -> Option<u64> {
        self.inner("SIZE", name)?.parse().ok()
    }

    /// `LENGTH(name)`: elements of an array.
    pub fn length(&self, name: &str) -> Option<u64> {
        self.inner("LENGTH", name)?.parse().ok()
    }

    /// `NUMBER(name)`: a constant or variable, which the kernel writes as decimal or with `0x`.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        let value = self.inner("NUMBER", name)?;
        match value.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok().map(|v| v as i64),
            None => value.parse().ok(),
        }
    }

    /// `NUMBER(phys_base)`: physical address of the kernel's link base 0xffffffff80000000, modulo 2^64.
    pub(crate) fn phys_base(&self) -> Option<u64> {
        self.number("phys_base").map(|n| n as u64)
    }

    /// Levels of the page tables: 5 where `NUMBER(pgtable_l5_enabled)` is 1.
    pub(crate) fn levels(&self) -> u32 {
        match self.number("pgtable_l5_enabled") {
            Some(1) => 5,
            _ => 4,
        }
    }

    /// Bits of page-table entries that mark encrypted memory (`NUMBER(sme_mask)`); 0 where there are none.
    pub(crate) fn encryption_mask(&self) -> u64 {
        self.number("sme_mask").unwrap_or_default() as u64
    }

    /// Physical address of the kernel's own top page table (`init_top_pgt`, before 5.8 also `swapper_pg_dir`).
    pub fn page_table(&self) -> Option<u64> {
        let at = self
            .symbol("init_top_pgt")
            .or_else(|| self.symbol("swapper_pg_dir"))?;
        let linked = at.0.checked_sub(KERNEL_MAP)?;
        Some(linked.wrapping_add(self.phys_base()?))
    }
}

/// `__START_KERNEL_map`, arch/x86/include/asm/page_64_types.h
const KERNEL_MAP: u64 = 0xffff_ffff_8000_0000;

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"OSRELEASE=6.12.107+deb13-cloud-amd64\nBUILD-ID=e1b6c8\nPAGESIZE=4096\n\
        SYMBOL(init_top_pgt)=ffffffff82c22000\nOFFSET(list_head.next)=0\nSIZE(page)=64\n\
        LENGTH(mem_section)=2048\nNUMBER(VMALLOC_START)=0xffffc90000000000\nNUMBER(phys_base)=-16777216\n\
        NUMBER(pgtable_l5_enabled)=1\nKERNELOFFSET=1e000000\nNUMBER(sme_mask)=140737488355328\n\0junk=1\n";

    #[test]
    fn each_kind_of_line_is_read_as_the_kernel_writes_it() {
        let info = VmcoreInfo::new(TEXT);
        assert_eq!(info.release(), Some("6.12.107+deb13-cloud-amd64"));
        assert_eq!(info.build_id(), Some("e1b6c8"));
        assert_eq!(info.page_size(), Some(4096));
        assert_eq!(
            info.symbol("init_top_pgt"),
            Some(Addr(0xffff_ffff_82c2_2000))
        );
        assert_eq!(info.offset("list_head.next"), Some(0));
        assert_eq!(info.size("page"), Some(64));
        assert_eq!(info.length("mem_section"), Some(2048));
        assert_eq!(
            info.number("VMALLOC_START"),
            Some(0xffff_c900_0000_0000_u64 as i64)
        );
        assert_eq!(info.slide(), Some(Slide(0x1e00_0000)));
        assert_eq!(info.levels(), 5);
        assert_eq!(info.encryption_mask(), 1 << 47);
        assert_eq!(info.page_table(), Some(0x2c2_2000 - 0x100_0000));
        assert_eq!((info.value("junk"), info.symbol("nothing")), (None, None));
    }
}
