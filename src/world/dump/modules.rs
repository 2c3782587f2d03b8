//! Modules that were loaded, and where their sections were.
//!
//! Sources: include/linux/module.h, kernel/module/sysfs.c (Linux 5.10-7.2).

use super::read::Reader;
use super::world::{Loaded, Tables};
use crate::base::addr::{Addr, Address, Slide};
use crate::base::error::Finding;
use crate::formats::image::note;

/// Sections and notes that a module may have; more are a lie.
const MAX_SECTIONS: u64 = 4096;

/// Bytes of a note section that are read.
const MAX_NOTES: u64 = 4096;

/// The modules on the kernel's list, and whether those are all.
pub(super) fn find(r: &Reader<'_, '_>, findings: &mut Vec<Finding>) -> (Vec<Loaded>, bool) {
    let [Some(head)] = r.symbols(["modules"]) else {
        return (Vec::new(), true);
    };
    let (Some(list), Some(name)) = (
        r.types.offset("module", "list"),
        r.types.field("module", "name"),
    ) else {
        findings.push(Finding::about(
            "dump",
            "no types of modules: they are not known",
        ));
        return (Vec::new(), false);
    };
    let (modules, broken) = r.list(head, list);
    if let Some(what) = &broken {
        let what = format!("the list of modules is broken: {what}");
        findings.push(Finding::about("dump", what));
    }
    let whole = broken.is_none();
    let listed = modules.len();
    let mut all: Vec<Loaded> = modules
        .into_iter()
        .filter_map(|at| {
            let text = text(r, at)?;
            Some(Loaded {
                name: r
                    .text(at.offset(name.offset.cast_signed()), name.size)
                    .ok()?,
                build_id: build_id(r, at),
                slide: Slide(text.0.0),
                sections: sections(r, at),
                text,
                tables: Some(tables(r, at)),
            })
        })
        .collect();
    let unread = listed - all.len();
    if unread > 0 {
        let what = format!("{unread} modules cannot be read");
        findings.push(Finding::about("dump", what));
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    (all, whole && unread == 0)
}

/// Where the core text of the module at `at` is: a part of one block up to 6.3, a block of its own from 6.4 on.
fn text(r: &Reader<'_, '_>, at: Addr) -> Option<(Addr, Addr)> {
    let get = |path: &str| r.get(at, r.types.field("module", path)?).ok();
    let start = get("core_layout.base").or_else(|| get("mem[0].base"))?;
    let size = get("core_layout.text_size").or_else(|| get("mem[0].size"))?;
    Some((Addr(start), Addr(start.wrapping_add(size))))
}

/// Where its tables are. A number of 0 is none, and so is a null pointer.
fn tables(r: &Reader<'_, '_>, at: Addr) -> Tables {
    let get = |structure: &str, at: Addr, path: &str| {
        let value = r.get(at, r.types.field(structure, path)?).ok();
        value.filter(|v| *v != 0)
    };
    let member = |path: &str| get("module", at, path);
    let pointer = |path: &str| member(path).map(Addr);
    let count = |path: &str| member(path).map(|n| n as u32);
    let init = || {
        let start = pointer("init_layout.base").or_else(|| pointer("mem[4].base"))?;
        let size = member("init_layout.text_size").or_else(|| member("mem[4].size"))?;
        Some((start, Addr(start.0.checked_add(size)?)))
    };
    let orc = || {
        let (ips, rows) = (pointer("arch.orc_unwind_ip")?, pointer("arch.orc_unwind")?);
        Some((ips, rows, count("arch.num_orcs")?))
    };
    // Read under RCU: the pointer leads to the symbols of initialisation, too, as long as they are there.
    let symbols = || {
        let at = pointer("kallsyms")?;
        let get = |path| get("mod_kallsyms", at, path);
        let (first, names) = (Addr(get("symtab")?), Addr(get("strtab")?));
        Some((first, get("num_symtab")? as u32, names))
    };
    Tables {
        init: init(),
        orc: orc(),
        extable: pointer("extable").zip(count("num_exentries")),
        symbols: symbols(),
    }
}

/// The build-id: a member where the kernel keeps one, else in the notes that it shows in sysfs.
fn build_id(r: &Reader<'_, '_>, at: Addr) -> Option<Vec<u8>> {
    if let Some(field) = r.types.field("module", "build_id") {
        let mut id = vec![0; usize::try_from(field.size.min(64)).ok()?];
        r.memory
            .read(at.offset(field.offset.cast_signed()), &mut id)
            .ok()?;
        return id.iter().any(|b| *b != 0).then_some(id);
    }
    let notes = r.get(at, r.types.field("module", "notes_attrs")?).ok()?;
    let notes = Some(Addr(notes)).filter(|n| *n != Addr(0))?;
    let attrs = attributes(r, notes, "module_notes_attrs", "bin_attribute", "notes")?;
    let (size, private) = (
        r.types.field("bin_attribute", "size")?,
        r.types.field("bin_attribute", "private")?,
    );
    attrs.into_iter().find_map(|attr| {
        let len = r.get(attr, size).ok()?.min(MAX_NOTES);
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        let from = r.get(attr, private).ok()?;
        r.memory.read(Addr(from), &mut bytes).ok()?;
        note::build_id(&bytes).map(<[u8]>::to_vec)
    })
}

/// Names and addresses of its sections. Each has an attribute in sysfs, which has had its address in a wrapper of its
/// own (`struct module_sect_attr`), and in itself since that is gone.
fn sections(r: &Reader<'_, '_>, at: Addr) -> Vec<(String, Addr)> {
    let read = || {
        let attrs = r.get(at, r.types.field("module", "sect_attrs")?).ok()?;
        let attrs = Some(Addr(attrs)).filter(|a| *a != Addr(0))?;
        let wrapped = r.types.field("module_sect_attr", "address");
        let (element, name, address) = match wrapped {
            Some(address) => (
                "module_sect_attr",
                r.types.field("module_sect_attr", "battr.attr.name")?,
                address,
            ),
            None => (
                "bin_attribute",
                r.types.field("bin_attribute", "attr.name")?,
                r.types.field("bin_attribute", "private")?,
            ),
        };
        let all = attributes(r, attrs, "module_sect_attrs", element, "nsections")?;
        let section = |attr: Addr| {
            let name = Addr(r.get(attr, name).ok()?);
            let at = Addr(r.get(attr, address).ok()?);
            Some((r.text(name, 64).ok()?, at)).filter(|(name, _)| !name.is_empty())
        };
        Some(all.into_iter().filter_map(section).collect())
    };
    read().unwrap_or_default()
}

/// The elements of the array `attrs` at the end of the structure at `at`: as many as its member `count` says; where it
/// has none, up to the first without a name.
fn attributes(
    r: &Reader<'_, '_>,
    at: Addr,
    structure: &str,
    element: &str,
    count: &str,
) -> Option<Vec<Addr>> {
    let first = at.offset(r.types.offset(structure, "attrs")?.cast_signed());
    let stride = r.types.size(element)?;
    let counted = match r.types.field(structure, count) {
        Some(field) => Some(r.get(at, field).ok()?),
        None => None,
    };
    let place = |i: u64| first.offset((i * stride).cast_signed());
    let named = |attr: &Addr| r.pointer(*attr).is_ok_and(|name| name != Addr(0));
    let all = (0..counted.unwrap_or(MAX_SECTIONS).min(MAX_SECTIONS)).map(place);
    Some(match counted {
        Some(_) => all.collect(),
        None => {
            // Without a count the group has a null-terminated list of pointers to them.
            let list = r
                .types
                .offset(structure, "grp.bin_attrs")
                .or_else(|| r.types.offset(structure, "grp.bin_attrs_new"));
            let listed = list.and_then(|o| r.pointer(at.offset(o.cast_signed())).ok());
            match listed.filter(|l| *l != Addr(0)) {
                Some(list) => {
                    let pointers = (0..MAX_SECTIONS as i64).map(|i| r.pointer(list.offset(i * 8)));
                    pointers
                        .map_while(|p| p.ok().filter(|p| *p != Addr(0)))
                        .collect()
                }
                None => all.take_while(named).collect(),
            }
        }
    })
}
