//! Checking every byte of an index.

use super::format::{Header, SectionId, stray_bytes};
use super::{cfi, fixups, meta, orc, symbols};
use crate::base::column::{Column, Group};
use crate::base::strings::Strings;
use crate::formats::callsites::CallSites;
use crate::formats::image::sites::stored::StoredSites;
use crate::formats::image::stored::Excerpts;
use crate::formats::lines::Lines;
use crate::formats::types::kept::Kept;

/// What is wrong with the index `bytes`; empty when nothing is. All of it is read.
pub fn verify(bytes: &[u8]) -> Vec<String> {
    let header = match Header::parse(bytes) {
        Ok(header) => header,
        Err(e) => return vec![e.to_string()],
    };
    let mut found: Vec<String> = stray_bytes(&header, bytes)
        .into_iter()
        .map(|at| format!("offset {at:#x}: a byte between two sections is not zero"))
        .collect();
    for s in header.sections.iter().filter(|s| !s.is_intact(bytes)) {
        found.push(format!("{}: the checksum is wrong", s.id.name()));
    }
    let mut ids: Vec<SectionId> = header.sections.iter().map(|s| s.id).collect();
    ids.sort_unstable();
    if !ids.is_sorted_by(|a, b| a < b) {
        found.push("a section stands there twice".to_owned());
    }
    if found.is_empty() {
        found = walk(&header, bytes);
    }
    found
}

/// Reads all rows of all tables.
fn walk(header: &Header, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |id: SectionId, what: &str| found.push(format!("{}: {what}", id.name()));
    let section = |id| header.section(bytes, id);
    let strings = section(SectionId::STRINGS);
    let kept = section(SectionId::KEPT);
    if meta::read(section(SectionId::META), kept, Strings(strings)).is_none() {
        note(SectionId::META, "names or sections are damaged");
    }
    let mut group = |id| {
        let group = Group::new(section(id)).filter(Group::is_whole);
        if group.is_none() {
            note(id, "the directory of columns is damaged");
        }
        group
    };
    let (symbols, code) = (group(SectionId::SYMBOLS), group(SectionId::CODE));
    let (calls, alternatives) = (group(SectionId::CALLS), group(SectionId::ALTERNATIVES));
    let orc = match section(SectionId::ORC) {
        [] => None,
        _ => group(SectionId::ORC),
    };
    if let Some(what) = symbols.and_then(|g| symbols::damage(g, strings)) {
        note(SectionId::SYMBOLS, what);
    }
    if let Some(what) = orc.and_then(orc::damage) {
        note(SectionId::ORC, what);
    }
    if let Some(what) = code.and_then(|g| code_damage(g)) {
        note(SectionId::CODE, what);
    }
    if let Some(what) = calls.and_then(|g| calls_damage(g)) {
        note(SectionId::CALLS, what);
    }
    if let Some(what) = alternatives.and_then(|g| alternatives_damage(g)) {
        note(SectionId::ALTERNATIVES, what);
    }
    let sites = section(SectionId::SITES);
    if !sites.is_empty() {
        let whole = Group::new(sites).filter(Group::is_whole);
        match whole.and_then(StoredSites::new).map(|s| s.damage()) {
            Some(None) => {}
            Some(Some(what)) => note(SectionId::SITES, what),
            None => note(SectionId::SITES, "the directory of columns is damaged"),
        }
    }
    let rows = section(SectionId::CFI);
    if !rows.is_empty() && cfi::read(rows).is_none() {
        note(SectionId::CFI, "call-frame rows are damaged or not sorted");
    }
    let types = section(SectionId::TYPES);
    if !types.is_empty() && Kept::read(types, Strings(strings)).is_none() {
        note(SectionId::TYPES, "answers about types are damaged");
    }
    if !section(SectionId::LINES).is_empty() {
        let lines = Group::new(section(SectionId::LINES)).filter(Group::is_whole);
        match lines.and_then(|group| Lines::from_index(group, strings)) {
            Some(lines) => {
                if let Some(what) = lines.damage() {
                    note(SectionId::LINES, what);
                }
            }
            None => note(SectionId::LINES, "the columns do not belong together"),
        }
    }
    let symbols = symbols.and_then(|g| Some(g.table()?.len())).unwrap_or(0);
    match fixups::read_extable(section(SectionId::EXTABLE)) {
        None => note(SectionId::EXTABLE, "rows are damaged or not sorted"),
        Some(table) => {
            let fixups = section(SectionId::FIXUPS);
            if fixups::read_fixups(fixups, table.entries().len(), symbols).is_none() {
                note(SectionId::FIXUPS, "rows or blocks are damaged");
            }
        }
    }
    found
}

fn code_damage(group: Group<'_>) -> Option<&'static str> {
    let Some(code) = Excerpts::new(group) else {
        return Some("the columns do not belong together");
    };
    let mut end = 0;
    for (at, piece) in code.iter() {
        if at.0 < end || piece.is_empty() {
            return Some("pieces overlap");
        }
        end = at.0.saturating_add(piece.len() as u64);
    }
    None
}

fn calls_damage(group: Group<'_>) -> Option<&'static str> {
    let Some(calls) = CallSites::new(group) else {
        return Some("the columns do not belong together");
    };
    if !calls.returns().is_sorted_by(|a, b| a < b) {
        return Some("calls are not sorted");
    }
    let missing = calls.returns().any(|ret| calls.before(ret).is_none());
    missing.then_some("a call has no target")
}

fn alternatives_damage(group: Group<'_>) -> Option<&'static str> {
    let columns: Option<Vec<Column<'_>>> = (0..4).map(|n| group.column(n)).collect();
    let Some(columns) = columns else {
        return Some("columns are missing");
    };
    if columns.iter().any(|c| c.len() != columns[0].len()) {
        return Some("the columns do not belong together");
    }
    let sorted = columns[0].iter().is_sorted();
    (!sorted).then_some("alternatives are not sorted")
}
