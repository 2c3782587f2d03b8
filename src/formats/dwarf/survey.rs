//! All units looked over, without their entries: where each begins, and which cannot be read.

use gimli::constants as c;
use gimli::{DebugInfoOffset, Section as _};

use super::loaded::Loaded;
use super::unit::Opened;
use crate::base::bytes::{u32_at, u64_at};
use crate::base::parallel;

/// What is wrong with a unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Where it begins in `.debug_info`.
    pub offset: usize,
    /// Why it cannot be read.
    pub what: String,
}

/// What a look over all units found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Survey {
    /// Where sound units begin.
    pub units: Vec<usize>,
    /// Those whose headers are damaged.
    pub headers: Vec<Fault>,
    /// Those whose abbreviations, root entry or table of files cannot be read.
    pub roots: Vec<Fault>,
    /// Sections of strings that end within one.
    pub cut: Vec<&'static str>,
}

pub(super) fn survey(dwarf: &Loaded<'_>) -> Survey {
    let info = dwarf.main.debug_info.reader().slice();
    let mut found = Survey::default();
    let mut heads = Vec::new();
    let mut at = 0;
    while at < info.len() {
        let left = info.len() - at;
        let length = match u32_at(info, at) {
            Some(u32::MAX) => u64_at(info, at + 4).and_then(|n| n.checked_add(12)),
            length => length.map(|n| u64::from(n) + 4),
        };
        let length = length.unwrap_or(u64::MAX);
        if length > left as u64 {
            let what = format!("its header says that it has {length:#x} bytes, of which {left:#x} are there");
            found.headers.push(Fault { offset: at, what });
            break;
        }
        match dwarf.main.debug_info.header_from_offset(DebugInfoOffset(at)) {
            Ok(header) if header.version() >= 2 => heads.push(at),
            Ok(header) => found.headers.push(Fault {
                offset: at,
                what: format!("its header says DWARF version {}", header.version()),
            }),
            Err(e) => found.headers.push(Fault {
                offset: at,
                what: format!("its header cannot be read: {e}"),
            }),
        }
        // At least the length itself, so that this ends.
        at += length as usize;
    }
    let roots = parallel::map(&heads, |at| root(dwarf, *at));
    for (offset, fault) in heads.into_iter().zip(roots) {
        match fault {
            None => found.units.push(offset),
            Some(what) => found.roots.push(Fault { offset, what }),
        }
    }
    let strings = [
        (".debug_str", dwarf.main.debug_str.reader().slice()),
        (".debug_line_str", dwarf.main.debug_line_str.reader().slice()),
    ];
    let cut = strings.iter().filter(|(_, s)| s.last().is_some_and(|b| *b != 0));
    found.cut = cut.map(|(name, _)| *name).collect();
    found
}

/// What is wrong with the root of the unit at `offset`.
fn root(dwarf: &Loaded<'_>, offset: usize) -> Option<String> {
    let unit = match Opened::root(dwarf, DebugInfoOffset(offset)) {
        Ok(unit) => unit,
        Err(e) => return Some(format!("its first entry cannot be read: {e}")),
    };
    let mut entries = unit.unit.entries();
    if let Err(e) = entries.next_entry() {
        return Some(format!("its first entry cannot be read: {e}"));
    }
    let root = entries.current()?;
    for name in [c::DW_AT_name, c::DW_AT_producer, c::DW_AT_comp_dir] {
        let Some(value) = root.attr_value(name) else {
            continue;
        };
        if let Err(e) = unit.sections().attr_string(&unit.unit, value) {
            return Some(format!("{name} cannot be read: {e}"));
        }
    }
    None
}
