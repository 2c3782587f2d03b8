//! Taking a table of symbols apart to be written down, and putting it together again.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::super::columns::{Columns, INVALID, Record};
use super::super::names::cold_base;
use super::{Raw, Strings, SymTab, SymbolId, SymbolSource, span};
use crate::base::table::Table;

impl<'d> SymTab<'d> {
    /// The table whose addresses are `starts` and whose rest is in `columns`. `base` and `end` are those of
    /// [`SymTab::extent`].
    pub(crate) fn from_columns(
        source: SymbolSource,
        starts: Table<'d>,
        regions: Vec<(u64, u64)>,
        columns: Columns<'d>,
        strings: &'d [u8],
    ) -> Self {
        let (base, end) = span(&regions);
        SymTab {
            source,
            base,
            end: end.saturating_sub(base),
            regions,
            strings: Strings::Table(strings),
            order: Vec::new(),
            raw: Raw::Columns(columns),
            files: Vec::new(),
            starts,
            offsets: OnceLock::new(),
            reach: Vec::new(),
            names: OnceLock::new(),
            asked: Default::default(),
            passed: Default::default(),
            rust: OnceLock::new(),
            chosen: Default::default(),
            expected: Default::default(),
        }
    }

    /// Symbol `id` as it is written down.
    pub(crate) fn record(&self, id: SymbolId) -> Record<'d> {
        let s = self.packed(id.0 as usize);
        Record {
            offset: s.offset,
            size: s.size,
            name: str::from_utf8(self.name_of(&s)).unwrap_or(INVALID),
            kind: s.kind,
            bind: s.bind,
        }
    }

    /// The address that offsets are counted from, and what is loaded in one piece: first byte and end.
    pub(crate) fn extent(&self) -> (u64, &[(u64, u64)]) {
        (self.base, &self.regions)
    }

    /// The table of addresses.
    pub(crate) fn starts(&self) -> &Table<'d> {
        &self.starts
    }

    /// Of cold parts that may have several parents, and of these: symbol and number of the source file.
    pub(crate) fn source_files(&self) -> Vec<(SymbolId, u32)> {
        let mut found = Vec::new();
        let numbers = |id| Some((id, self.file(id)? as u32));
        // Whether there are several of a name, which are looked for once.
        let mut several: HashMap<&str, bool> = HashMap::new();
        for id in (0..self.len() as u32).map(SymbolId) {
            let Some(base) = cold_base(self.name(id)) else {
                continue;
            };
            let several = several.entry(base).or_insert_with(|| {
                let all: Vec<SymbolId> = self.named(base).collect();
                let several = all.len() > 1;
                found.extend(all.into_iter().filter(|_| several).filter_map(numbers));
                several
            });
            if *several {
                found.extend(numbers(id));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// How far functions reach, per page of text.
    pub(crate) fn pages(&self) -> Vec<u32> {
        match &self.raw {
            Raw::Columns(columns) => columns.pages().collect(),
            _ => self.reach.clone(),
        }
    }
}

impl SymbolId {
    /// The symbol in row `row` of its table.
    pub(crate) fn from_row(row: u32) -> Self {
        SymbolId(row)
    }

    /// Its row.
    pub(crate) fn row(self) -> u32 {
        self.0
    }
}
