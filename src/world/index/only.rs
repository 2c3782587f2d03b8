//! An index of a few functions: what else must be kept so that their answers stay as they are.

use std::collections::BTreeSet;

use super::callers;
use super::select::{Selection, merge};
use crate::base::addr::{Address, LinkAddr};
use crate::formats::extable::walk::Exit;
use crate::formats::image::names::{clone_base, cold_base, padded};
use crate::formats::image::symtab::SymbolId;
use crate::world::image::Image;

/// Rows of everything that belongs to some functions.
#[derive(Default)]
struct Wanted {
    /// Functions whose code is kept.
    functions: BTreeSet<SymbolId>,
    entries: BTreeSet<u32>,
    blocks: BTreeSet<u32>,
}

/// Selects the functions called `names` with their cold parts and clones, all fixup code that they share, and
/// all functions that share it. Gives also the names that no symbol has.
pub(super) fn select(tables: &Image<'_>, names: &[String]) -> (Selection, Vec<String>) {
    let symbols = tables.symbols();
    let mut wanted = Wanted::default();
    let mut missing = Vec::new();
    for name in names {
        let found: Vec<SymbolId> = symbols.named(name).collect();
        if found.is_empty() {
            missing.push(name.clone());
        }
        wanted.functions.extend(found);
    }
    let asked: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let clones = symbols.iter().filter(|(_, s)| {
        clone_base(s.name)
            .or_else(|| padded(s.name))
            .is_some_and(|n| asked.contains(n))
    });
    wanted.functions.extend(clones.map(|(id, _)| id));
    wanted.close(tables);
    let mut selection = wanted.selection(tables);
    // Functions between a caller's call and an owner are followed by their symbols.
    let read = callers::find(tables, &selection).code;
    let functions = read
        .iter()
        .filter_map(|(start, _)| symbols.function(*start));
    selection.symbols.extend(functions.map(SymbolId::row));
    selection.symbols.sort_unstable();
    selection.symbols.dedup();
    (selection, missing)
}

/// Rounds in which faults in fixup code lead to more of it; kernels up to 7.2 take 3.
const MAX_ROUNDS: usize = 64;

impl Wanted {
    /// Adds what belongs together until nothing is missing.
    fn close(&mut self, tables: &Image<'_>) {
        let (symbols, map) = (tables.symbols(), tables.fixups());
        let cold: Vec<(SymbolId, Vec<SymbolId>)> = symbols
            .iter()
            .filter(|(_, s)| cold_base(s.name).is_some())
            .map(|(id, _)| (id, symbols.cold_parent(id).all()))
            .collect();
        let mut before = 0;
        let mut rounds = 0;
        while before != self.size() {
            before = self.size();
            rounds += 1;
            if rounds > MAX_ROUNDS {
                // More than is needed is right, too.
                self.entries.extend(0..map.rows().len() as u32);
                self.blocks.extend(0..map.blocks().len() as u32);
                self.functions
                    .extend(map.rows().iter().filter_map(|r| r.owner));
                break;
            }
            for (part, parents) in &cold {
                let functions = &mut self.functions;
                if functions.contains(part) || parents.iter().any(|p| functions.contains(p)) {
                    functions.insert(*part);
                    functions.extend(parents);
                }
            }
            for (i, (entry, row)) in (0u32..).zip(tables.extable().entries().iter().zip(map.rows()))
            {
                let owned = row.owner.is_some_and(|o| self.functions.contains(&o));
                let inside = map
                    .blocks_at(entry.insn)
                    .iter()
                    .any(|b| self.blocks.contains(b));
                if owned || inside || row.block.is_some_and(|b| self.blocks.contains(&b)) {
                    self.entries.insert(i);
                    self.functions.extend(row.owner);
                    self.blocks.extend(row.block);
                    self.blocks.extend(map.blocks_at(entry.insn));
                }
            }
            for block in self.blocks.clone() {
                for (at, _) in &map.blocks()[block as usize].code {
                    self.functions.extend(symbols.function(*at));
                    self.blocks.extend(map.blocks_at(*at));
                }
            }
        }
    }

    fn size(&self) -> usize {
        self.functions.len() + self.entries.len() + self.blocks.len()
    }

    fn selection(self, tables: &Image<'_>) -> Selection {
        let (symbols, map) = (tables.symbols(), tables.fixups());
        let blocks = || self.blocks.iter().map(|b| &map.blocks()[*b as usize]);
        let functions = self.functions.iter().map(|id| {
            let (start, end) = symbols.range(*id);
            // A label is kept with what follows it up to the next symbol.
            (
                start,
                end.max(start.offset(i64::from(start == end) * label(tables, *id))),
            )
        });
        let code = blocks()
            .flat_map(|b| &b.code)
            .map(|(at, len)| (*at, at.offset(i64::from(*len))));
        let ranges = merge(functions.chain(code).collect());
        let mut kept = self.functions;
        for (start, end) in &ranges {
            kept.extend(symbols_of(tables, *start, *end));
        }
        // Where a block leaves to and lands is named in answers.
        let named = blocks().flat_map(|b| {
            let exits = b.exits.iter().filter_map(|e| match e {
                Exit::Resume(at) | Exit::TailCall(at) => symbols.function(*at),
                _ => None,
            });
            exits.chain(b.home)
        });
        kept.extend(named);
        // So are handlers, where they are functions.
        let entries = self
            .entries
            .iter()
            .map(|e| &tables.extable().entries()[*e as usize]);
        kept.extend(entries.filter_map(|e| symbols.nearest(e.handler)));
        Selection {
            symbols: kept.into_iter().map(SymbolId::row).collect(),
            entries: self.entries.into_iter().collect(),
            blocks: self.blocks.into_iter().collect(),
            ranges: Some(ranges),
        }
    }
}

fn label(tables: &Image<'_>, id: SymbolId) -> i64 {
    tables.symbols().get(id).extent.min(1 << 20) as i64
}

/// The symbols that answers between `start` and `end` name: those there, those at the last address before, and
/// the first behind, which tells how far the last one extends.
fn symbols_of(
    tables: &Image<'_>,
    start: LinkAddr,
    end: LinkAddr,
) -> impl Iterator<Item = SymbolId> {
    let starts = tables.symbols().starts();
    let first = starts.find(start.0).and_then(|row| starts.address(row));
    let first = first
        .and_then(|at| starts.find(at.checked_sub(1)?))
        .map_or(0, |row| row + 1);
    let behind = starts.find(end.0.wrapping_sub(1)).map_or(0, |row| row + 1);
    let last = behind.min(starts.len().saturating_sub(1));
    (first as u32..=last as u32).map(SymbolId::from_row)
}
