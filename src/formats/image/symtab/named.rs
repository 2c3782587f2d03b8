//! Symbols by name, and the parents of cold parts.

use std::sync::atomic::Ordering::Relaxed;

use super::packed::{STB_LOCAL, is_function};
use super::{INVALID, Raw, SymTab, SymbolId};
use crate::base::bytes::Finder;
use crate::formats::image::elf::SymbolList;
use crate::formats::image::names::cold_base;

/// Names searched for one by one before a table of all is made: that takes 15 times as long as a search.
const FEW_NAMES: u32 = 16;

/// Symbols of one source file looked at for a parent; behind the last file of 6.12 stand 40,000 made by objtool.
const MAX_BESIDE: u32 = 1 << 16;

/// Symbols of one name whose rows are looked for one by one.
const MANY_FOUND: usize = 64;

/// Functions that a cold part may be of, and symbols of their name looked at for them; kernels have some ten of a name.
const MAX_PARENTS: usize = 1 << 8;
const MAX_NAMESAKES: usize = 1 << 12;

/// Symbols of source files that were passed over one by one before a table of all names is made.
const FEW_BESIDE: u32 = 1 << 18;

/// The parent of a cold part.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Parent {
    /// The symbol is no cold part.
    NotCold,
    /// The function it was split from.
    One(SymbolId),
    /// Several functions of that name; the names do not decide.
    Many(Vec<SymbolId>),
    /// No function of that name.
    Missing,
}

impl Parent {
    /// The functions that it may be; none for what is no cold part.
    pub(crate) fn all(self) -> Vec<SymbolId> {
        match self {
            Parent::NotCold | Parent::Missing => Vec::new(),
            Parent::One(parent) => vec![parent],
            Parent::Many(all) => all,
        }
    }
}

impl SymTab<'_> {
    /// Every symbol called `name`, in address order.
    pub fn named(&self, name: &str) -> impl Iterator<Item = SymbolId> + '_ {
        let known = self.expected.read().ok();
        let known = known.and_then(|k| k.get(name).cloned());
        let found = match &self.raw {
            _ if known.is_some() => known.unwrap_or_default(),
            Raw::Columns(columns) => columns.named(name, self.strings.bytes()),
            // Offsets outside the strings stand for names that are not there.
            Raw::Elf(list)
                if !name.is_empty()
                    && name != INVALID
                    && self.names.get().is_none()
                    && self.asked.fetch_add(1, Relaxed) < FEW_NAMES =>
            {
                self.search(list, name)
            }
            _ => self.look_up(name),
        };
        found.into_iter().map(SymbolId)
    }

    /// Prepares for questions for `names`: all symbols are gone through once. For an index there is nothing to prepare.
    pub(crate) fn expect_names<'n>(&self, names: impl Iterator<Item = &'n str>) {
        /// Beyond so many a table of all names is better.
        const MANY: usize = 4096;
        const HEADS: usize = 1 << 12;
        let Ok(mut expected) = self.expected.write() else {
            return;
        };
        let mut wanted: Vec<(&str, Vec<u32>)> = Vec::new();
        for name in names {
            if !expected.contains_key(name) && !name.is_empty() && wanted.len() < MANY {
                wanted.push((name, Vec::new()));
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        let stored = matches!(self.raw, Raw::Columns(_)) || self.names.get().is_some();
        if wanted.len() < 2 || stored {
            return;
        }
        // Most names differ in their beginning already.
        const HEAD: usize = 6;
        fn slot(head: impl Iterator<Item = u8>) -> usize {
            let hash = head.fold(0u32, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
            hash as usize % HEADS
        }
        let mut heads = vec![Vec::new(); HEADS];
        for (number, (name, _)) in wanted.iter().enumerate() {
            heads[slot(name.bytes().take(HEAD))].push(number);
        }
        for row in 0..self.order.len() {
            let at = self.packed(row).name;
            for number in &heads[slot(self.strings.head(at, HEAD))] {
                let (name, rows) = &mut wanted[*number];
                if self.strings.is(at, name.as_bytes()) {
                    rows.push(row as u32);
                }
            }
        }
        expected.extend(
            wanted
                .into_iter()
                .map(|(name, rows)| (Box::from(name), rows)),
        );
    }

    /// Goes through all strings, then all symbols.
    fn search(&self, list: &SymbolList<'_>, name: &str) -> Vec<u32> {
        // A name may be the end of another, and occur in that twice: what is looked for has its own end.
        let ended = [name.as_bytes(), &[0]].concat();
        let at: Vec<u32> = Finder::new(&ended)
            .each(self.strings.bytes())
            .map(|at| at as u32)
            .collect();
        let numbers = list.named(&at);
        if numbers.len() > MANY_FOUND {
            return self.look_up(name);
        }
        let mut found: Vec<u32> = numbers
            .iter()
            .filter_map(|n| self.row_of(list, *n))
            .collect();
        found.sort_unstable();
        found
    }

    /// The row of symbol `number` of the file, if it is one of code.
    fn row_of(&self, list: &SymbolList<'_>, number: u32) -> Option<u32> {
        let is = |i: &usize| self.order.get(*i).is_some_and(|(_, n)| *n == number);
        let near = self.starts.find(list.get(number)?.value);
        let row = near.and_then(|row| self.aliases(row).find(is));
        // In a module a symbol's value is no address.
        row.or_else(|| (0..self.order.len()).find(is))
            .map(|i| i as u32)
    }

    /// Symbols called `name` among those that stand around the local symbol `id`, of the same source file.
    fn beside(&self, id: SymbolId, name: &str) -> Vec<SymbolId> {
        let mut found = Vec::new();
        if let (Raw::Elf(list), Some(file)) = (&self.raw, self.file(id)) {
            let first = file.checked_sub(1).map_or(0, |before| self.files[before]);
            let end = self.files.get(file).copied();
            let end = end.unwrap_or(first.saturating_add(MAX_BESIDE));
            let end = end.min(first.saturating_add(MAX_BESIDE));
            let passed = end.saturating_sub(first);
            if self.passed.load(Relaxed) <= FEW_BESIDE {
                self.passed.fetch_add(passed, Relaxed);
            } else {
                let local = |row: &u32| {
                    let number = self.order.get(*row as usize).map(|(_, n)| *n);
                    number.is_some_and(|n| (first..end).contains(&n))
                        && self.packed(*row as usize).bind == STB_LOCAL
                };
                let rows = self.called(name).filter(local).take(MAX_PARENTS);
                return rows.map(SymbolId).collect();
            }
            for number in first..end {
                let Some(s) = list.get(number) else { break };
                if s.bind == STB_LOCAL && self.strings.is(s.name, name.as_bytes()) {
                    found.extend(self.row_of(list, number));
                }
            }
        }
        found.sort_unstable();
        found.into_iter().map(SymbolId).collect()
    }

    /// Asks a table of all names, which is made first.
    fn look_up(&self, name: &str) -> Vec<u32> {
        self.called(name).collect()
    }

    /// The rows of the symbols called `name`, in order, out of a table of all names, which is made first.
    fn called<'n>(&'n self, name: &'n str) -> impl Iterator<Item = u32> + 'n {
        let index = self.names.get_or_init(|| {
            let hash = |i: usize| (fnv(self.name_of(&self.packed(i))), i as u32);
            let mut names: Vec<_> = (0..self.order.len()).map(hash).collect();
            names.sort_unstable();
            names
        });
        let wanted = fnv(name.as_bytes());
        let from = index.partition_point(|(h, _)| *h < wanted);
        let same = index[from..].iter().take_while(move |(h, _)| *h == wanted);
        let named = same.map(|(_, i)| *i);
        named.filter(move |i| self.name(SymbolId(*i)) == name)
    }

    /// Which source file's local symbol `id` is; `None` for a global one.
    pub(super) fn file(&self, id: SymbolId) -> Option<usize> {
        if let Raw::Columns(columns) = &self.raw {
            return columns.file(id.0);
        }
        let s = self.packed(id.0 as usize);
        let number = self.order.get(id.0 as usize)?.1;
        (s.bind == STB_LOCAL).then(|| self.files.partition_point(|f| *f < number))
    }

    /// The function that `id` is a cold part of. Equal names are told apart by their source file's symbol; of very many
    /// the first are told.
    pub fn cold_parent(&self, id: SymbolId) -> Parent {
        let Some(base) = cold_base(self.name(id)) else {
            return Parent::NotCold;
        };
        let file = self.file(id);
        let function = |p: &SymbolId| is_function(&self.packed(p.0 as usize));
        let mut found = self.beside(id, base);
        found.retain(function);
        if found.is_empty() {
            let named = self.named(base).take(MAX_NAMESAKES);
            found = named.filter(function).collect();
        }
        if found.len() > 1 && file.is_some() {
            let here: Vec<_> = found
                .iter()
                .copied()
                .filter(|p| self.file(*p) == file)
                .collect();
            if !here.is_empty() {
                found = here;
            }
        }
        match found[..] {
            [] => Parent::Missing,
            [one] => Parent::One(one),
            _ => {
                found.truncate(MAX_PARENTS);
                Parent::Many(found)
            }
        }
    }
}

fn fnv(name: &[u8]) -> u32 {
    name.iter().fold(0x811c_9dc5, |h, b| {
        (h ^ u32::from(*b)).wrapping_mul(0x0100_0193)
    })
}
