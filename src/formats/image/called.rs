//! All symbols of one name, code or data, in the order in which the kernel counts them.
//!
//! A livepatch says which of equally named symbols it means by their number. In the kernel proper they are counted by
//! address, in a module in the order of its symbol table; data counts like code, since CONFIG_LIVEPATCH takes
//! CONFIG_KALLSYMS_ALL along.
//!
//! Sources: kernel/livepatch/core.c `klp_find_object_symbol()`; kernel/kallsyms.c `kallsyms_on_each_symbol()` (5.10-6.1),
//! `kallsyms_on_each_match_symbol()` with scripts/kallsyms.c `compare_names()` (6.2-7.2); kernel/module.c or
//! kernel/module/kallsyms.c `module_kallsyms_on_each_symbol()`, `is_core_symbol()` (5.10-7.2).

use super::ElfImage;
use super::elf::{Elf, RawSymbol, SHN_ABS, SHN_UNDEF};
use super::kind::ImageKind;
use super::layout::INIT;
use super::names::in_kallsyms;
use super::symtab::packed::{STB_LOCAL, STT_FILE, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE, STT_OBJECT};
use crate::base::addr::LinkAddr;
use crate::base::bytes::Finder;

/// A symbol among those of its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Called<'d> {
    /// Where it is.
    pub link: LinkAddr,
    /// Whether that is in text.
    pub code: bool,
    /// The source file that a local one is of, as the symbol table names it.
    pub file: Option<&'d str>,
}

impl<'d> ElfImage<'d> {
    /// All symbols called `name` that kallsyms has, in the kernel's order. An index without its file knows those of code
    /// only.
    pub fn called(&self, name: &str) -> Vec<Called<'d>> {
        if name.is_empty() || !in_kallsyms(name.as_bytes()) {
            return Vec::new();
        }
        if let Some(text) = &self.symbol_text {
            let all = text.called(name).into_iter();
            return all.map(|link| self.of_code_or_data(link)).collect();
        }
        let whole = self.whole();
        match &whole.elf {
            Some(elf) if elf.symbol_count() > 0 => whole.listed(elf, name),
            _ => {
                let places = self.symbols.named(name).map(|id| self.symbols.range(id).0);
                places.map(|link| self.of_code_or_data(link)).collect()
            }
        }
    }

    fn of_code_or_data(&self, link: LinkAddr) -> Called<'d> {
        Called {
            link,
            code: self.text_section(link).is_some(),
            file: None,
        }
    }

    /// Those that the symbol table of `elf`, which is this image's, lists.
    fn listed(&self, elf: &Elf<'d>, name: &str) -> Vec<Called<'d>> {
        let list = elf.symbol_list();
        let module = self.kind == ImageKind::Module;
        let mut found: Vec<Called<'d>> = numbers(elf, name)
            .into_iter()
            .filter_map(|number| {
                let s = list.get(number)?;
                let linked = self.linked.get(number as usize);
                let link = LinkAddr(linked.copied().unwrap_or(s.value));
                let kept = match module {
                    true => self.stays(&s),
                    false => in_vmlinux(&s),
                };
                kept.then(|| Called {
                    file: file(elf, number, &s),
                    ..self.of_code_or_data(link)
                })
            })
            .collect();
        if !module {
            found.sort_by_key(|c| c.link);
        }
        found
    }

    /// Whether a module keeps the symbol when its initialisation is over.
    fn stays(&self, s: &RawSymbol) -> bool {
        let section = self.sections.get(s.section as usize);
        let addr = section.and_then(|s| s.addr).map(|a| a.0);
        s.section != SHN_UNDEF && addr.is_some_and(|a| a < INIT)
    }
}

/// Whether scripts/kallsyms.c takes the symbol of a vmlinux, whose name is one that it takes: it reads what `nm -n` prints.
fn in_vmlinux(s: &RawSymbol) -> bool {
    let kind = matches!(s.kind, STT_NOTYPE | STT_OBJECT | STT_FUNC | STT_GNU_IFUNC);
    let local_number = s.section == SHN_ABS && s.bind == STB_LOCAL;
    kind && s.section != SHN_UNDEF && !local_number
}

/// The numbers of the symbols called `name`, in order.
fn numbers(elf: &Elf<'_>, name: &str) -> Vec<u32> {
    // A name may be the end of another.
    let ended = [name.as_bytes(), &[0]].concat();
    let finder = Finder::new(&ended);
    let places: Vec<u32> = finder.each(elf.strings()).map(|at| at as u32).collect();
    elf.symbol_list().named(&places)
}

/// The source file whose local symbols the symbol `number` stands among.
fn file<'d>(elf: &Elf<'d>, number: u32, s: &RawSymbol) -> Option<&'d str> {
    if s.bind != STB_LOCAL {
        return None;
    }
    let list = elf.symbol_list();
    let mut before = (0..number).rev().filter_map(|n| list.get(n));
    let file = before.find(|s| s.kind == STT_FILE)?;
    str::from_utf8(elf.symbol_name(file.name))
        .ok()
        .filter(|name| !name.is_empty())
}
