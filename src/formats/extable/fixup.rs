//! The fixup map: which exception-table rows may have brought execution to a given address.
//!
//! Every landing that lies outside the faulting function, or whose code runs on into text that no function
//! covers, is walked to all its exits. Each address met remembers the landings it was reached from. A faulting
//! instruction that itself lies in such code has no function of its own: its origins are those of the code
//! around it, found by going back through the landings (`FixupMap::roots`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::ExTable;
use super::entry::Entry;
use super::walk::{self, Exit, Scope};
use crate::base::addr::{Address, LinkAddr};
use crate::base::error::Finding;
use crate::base::table::Table;
use crate::formats::image::ElfImage;
use crate::formats::image::names;
use crate::formats::image::symtab::{Cursor, SymbolId};

/// Instructions walked in one image at most; 5.10 has under 2,000.
const MAX_WALKED: usize = 1 << 20;

/// Blocks and rows looked at for one address, and rows that are an answer; kernels up to 7.2 have 8.
const MAX_LOOKED_AT: usize = 1 << 7;
const MAX_ROOTS: usize = 1 << 7;

/// Landings whose code goes on and on that are named.
const MAX_NAMED: usize = 1 << 4;

/// Steps of work that a byte of a function counts for that is searched for jumps to other code.
const ESCAPE: u64 = 64;

/// Where a landing lies, seen from its faulting instruction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Landing {
    /// In the same function.
    InFunction,
    /// At the faulting instruction itself: it is tried again.
    Retry,
    /// In the function's cold part (or the other way round).
    Cold,
    /// In another sized function.
    OtherFunction,
    /// In text that no sized function covers.
    Anonymous,
    /// At the first byte of a fresh entry (`EX_TYPE_ERETU`).
    Transfer,
    /// Not in text at all.
    OutsideText,
}

impl Landing {
    /// A short name.
    pub fn name(self) -> &'static str {
        match self {
            Landing::InFunction => "in-function",
            Landing::Retry => "retry",
            Landing::Cold => "cold",
            Landing::OtherFunction => "other-function",
            Landing::Anonymous => "anonymous",
            Landing::Transfer => "transfer",
            Landing::OutsideText => "outside-text",
        }
    }
}

/// What is known of one exception-table row.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Row {
    /// Where its landing lies.
    pub landing: Landing,
    /// The function around the faulting instruction; `None` in anonymous text.
    pub owner: Option<SymbolId>,
    /// The block that begins at its landing, when that was walked.
    pub block: Option<u32>,
}

/// The code that runs from one landing until the origin (or nobody) has the CPU again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Block {
    /// Its first byte.
    pub landing: LinkAddr,
    /// The function that holds the landing.
    pub home: Option<SymbolId>,
    /// Rows (numbers in the table) that land here.
    pub rows: Vec<u32>,
    /// Runs of code outside the origin: first byte and length.
    pub code: Vec<(LinkAddr, u8)>,
    /// How it is left.
    pub exits: Vec<Exit>,
}

/// A row that a PC in fixup code goes back to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub struct Root {
    /// The row whose faulting instruction lies in a function.
    pub row: u32,
    /// The landing whose block holds the PC.
    pub landing: LinkAddr,
    /// How many faults inside fixup code lie between.
    pub chained: u32,
}

/// Everything that the rows say about a PC.
#[derive(Clone, Default, Debug)]
#[non_exhaustive]
pub struct Roots {
    /// Rows with an owner, sorted by row.
    pub roots: Vec<Root>,
    /// Whether some row's own code is of unknown origin, so that the list may miss one.
    pub incomplete: bool,
}

/// The fixup map of one image; see the module text.
#[derive(Debug, Default)]
pub struct FixupMap {
    rows: Vec<Row>,
    blocks: Vec<Block>,
    /// Starts of runs of code.
    starts: Table<'static>,
    /// Per start: length in bytes, first and last position in `members`.
    runs: Vec<(u8, u32, u32)>,
    members: Vec<u32>,
    findings: Vec<Finding>,
    /// Whether some landings were not followed to their exits: what they lead to is not known.
    cut: bool,
}

/// Totals over an image, as `inspect fixups` prints them first.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Counts {
    /// Exception-table rows.
    pub entries: usize,
    /// Rows that land in the faulting function.
    pub in_function: usize,
    /// Rows that land in text that no function covers.
    pub anonymous: usize,
    /// Distinct anonymous landings.
    pub anonymous_landings: usize,
    /// Landings outside the origin that several functions share.
    pub shared_landings: usize,
    /// Rows that land in another sized function.
    pub cross_function: usize,
    /// Rows that land in the function's cold part.
    pub cold: usize,
    /// Rows that land on themselves.
    pub retry: usize,
    /// Rows that land at a fresh entry.
    pub transfer: usize,
    /// Rows that land outside text.
    pub outside_text: usize,
}

impl FixupMap {
    pub(crate) fn of(image: &ElfImage<'_>, table: &ExTable) -> Self {
        let entries = table.entries();
        let functions = Cursor::new(image.symbols());
        let landed_in = Cursor::new(image.symbols());
        let mut rows: Vec<Row> = entries
            .iter()
            .map(|e| classify(image, table, e, &functions, &landed_in))
            .collect();
        let mut landings: BTreeMap<LinkAddr, Vec<u32>> = BTreeMap::new();
        for (i, (e, row)) in entries.iter().zip(&rows).enumerate() {
            if !matches!(
                row.landing,
                Landing::Retry | Landing::Transfer | Landing::OutsideText
            ) {
                landings.entry(e.fixup).or_default().push(i as u32);
            }
        }
        let mut map = FixupMap::default();
        let (mut walked, mut last_escape) = (0usize, (None, false));
        let (work, mut truncated) = (image.work(), 0usize);
        for (landing, members) in landings {
            let home = landed_in.function(landing);
            let class = |i: &u32| rows[*i as usize].landing;
            let foreign = members
                .iter()
                .any(|i| matches!(class(i), Landing::OtherFunction));
            if let (Some(id), false) = (home, foreign) {
                if last_escape.0 != home {
                    let (start, end) = image.symbols().range(id);
                    work.take(ESCAPE * end.since(start).unwrap_or(0));
                    last_escape = (home, walk::may_reach_anonymous(image, id));
                }
                if !last_escape.1 {
                    continue;
                }
            }
            if walked > MAX_WALKED || work.is_used_up() {
                map.cut = true;
                map.findings.push(Finding::new(
                    "__ex_table",
                    0,
                    format!(
                        "too much fixup code (limit work); from {landing} on it is not followed"
                    ),
                ));
                break;
            }
            let mut owners: Vec<SymbolId> = members
                .iter()
                .filter_map(|i| rows[*i as usize].owner)
                .collect();
            let parents = |o: &SymbolId| image.symbols().cold_parent(*o).all();
            owners.sort_unstable();
            owners.dedup();
            owners.extend(owners.clone().iter().flat_map(parents));
            owners.sort_unstable();
            let walk = walk::walk(
                image,
                landing,
                Scope {
                    functions: &landed_in,
                    home,
                    record_home: foreign,
                    owners: &owners,
                },
                &work,
            );
            walked += walk.code.len() + 1;
            map.cut |= walk.truncated;
            truncated += usize::from(walk.truncated);
            if walk.truncated && truncated <= MAX_NAMED {
                map.findings.push(Finding::new(
                    "__ex_table",
                    0,
                    format!("fixup code at {landing} goes on and on"),
                ));
            }
            if walk.code.is_empty() {
                continue;
            }
            for i in &members {
                rows[*i as usize].block = Some(map.blocks.len() as u32);
            }
            map.blocks.push(Block {
                landing,
                home,
                rows: members,
                code: walk.code,
                exits: walk.exits,
            });
        }
        if truncated > MAX_NAMED {
            let what = format!(
                "{} more landings whose fixup code goes on and on",
                truncated - MAX_NAMED
            );
            map.findings.push(Finding::new("__ex_table", 0, what));
        }
        map.rows = rows;
        map.index();
        map
    }

    fn index(&mut self) {
        let mut starts: BTreeMap<LinkAddr, (u8, Vec<u32>)> = BTreeMap::new();
        for (b, block) in self.blocks.iter().enumerate() {
            for (at, len) in &block.code {
                let run = starts.entry(*at).or_default();
                run.0 = run.0.max(*len);
                run.1.push(b as u32);
            }
        }
        let Some(base) = starts.keys().next().copied() else {
            return;
        };
        let mut keys = Vec::with_capacity(starts.len());
        for (at, (len, blocks)) in starts {
            let Some(key) = at.since(base).and_then(|o| u32::try_from(o).ok()) else {
                break;
            };
            keys.push(key);
            let first = self.members.len() as u32;
            self.members.extend(blocks);
            self.runs.push((len, first, self.members.len() as u32));
        }
        self.starts = Table::new(base.0, keys).unwrap_or_default();
    }

    /// What is known of each row, in the order of [`super::ExTable::entries`].
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// All walked blocks, by landing.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Whether some landings were not followed to their exits: what they lead to is not known.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Oddities met.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Starts of all runs of code in blocks.
    pub fn table(&self) -> &Table<'static> {
        &self.starts
    }

    /// The blocks (numbers in [`FixupMap::blocks`]) whose code covers `at`.
    pub fn blocks_at(&self, at: LinkAddr) -> &[u32] {
        let found = self.starts.find(at.0).and_then(|row| {
            let start = self.starts.address(row)?;
            let (len, first, last) = *self.runs.get(row)?;
            (at.0 - start < u64::from(len)).then(|| &self.members[first as usize..last as usize])
        });
        found.unwrap_or_default()
    }

    /// The rows that may have brought execution to `at`, back through faults inside fixup code.
    pub(crate) fn roots(&self, at: LinkAddr, entries: &[Entry]) -> Roots {
        self.roots_of(self.blocks_at(at), entries)
    }

    /// The rows behind `blocks`, back through faults inside fixup code. Numbers that no block or row has count for
    /// nothing.
    pub fn roots_of(&self, blocks: &[u32], entries: &[Entry]) -> Roots {
        let mut found = BTreeMap::new();
        let mut incomplete = blocks.len() > MAX_ROOTS;
        let mut left = MAX_LOOKED_AT;
        let mut seen = BTreeSet::new();
        let mut pending: VecDeque<(u32, LinkAddr, u32)> = blocks
            .iter()
            .take(MAX_ROOTS)
            .filter_map(|b| Some((*b, self.blocks.get(*b as usize)?.landing, 0)))
            .collect();
        // Breadth first, so that a row reached in several ways keeps its shortest chain.
        while let Some((block, landing, chained)) = pending.pop_front() {
            if !seen.insert(block) {
                continue;
            }
            let rows = self.blocks.get(block as usize).map(|b| &b.rows[..]);
            for row in rows.unwrap_or_default() {
                if left == 0 || found.len() >= MAX_ROOTS {
                    incomplete = true;
                    break;
                }
                left -= 1;
                if self.owner(*row).is_some() {
                    found.entry(*row).or_insert(Root {
                        row: *row,
                        landing,
                        chained,
                    });
                    continue;
                }
                let Some(entry) = entries.get(*row as usize) else {
                    continue;
                };
                let behind = self.blocks_at(entry.insn);
                incomplete |= behind.is_empty() || behind.len() > left;
                let behind = &behind[..behind.len().min(left)];
                left -= behind.len();
                pending.extend(behind.iter().map(|b| (*b, landing, chained + 1)));
            }
        }
        Roots {
            roots: found.into_values().collect(),
            incomplete,
        }
    }

    fn owner(&self, row: u32) -> Option<SymbolId> {
        self.rows.get(row as usize)?.owner
    }

    /// Totals.
    pub fn counts(&self, entries: &[Entry]) -> Counts {
        let count = |l: Landing| self.rows.iter().filter(|r| r.landing == l).count();
        let anonymous: BTreeSet<LinkAddr> = entries
            .iter()
            .zip(&self.rows)
            .filter_map(|(e, r)| (r.landing == Landing::Anonymous).then_some(e.fixup))
            .collect();
        let shared = |(i, b): &(usize, &Block)| {
            let outside = b.rows.iter().any(|r| {
                let landing = self.rows.get(*r as usize).map(|r| r.landing);
                matches!(landing, Some(Landing::Anonymous | Landing::OtherFunction))
            });
            if !outside {
                return false;
            }
            // Mostly its own rows tell.
            let mut own = b.rows.iter().filter_map(|r| self.owner(*r));
            if let Some(first) = own.next()
                && own.any(|other| other != first)
            {
                return true;
            }
            let roots = self.roots_of(&[*i as u32], entries).roots;
            let owners: BTreeSet<_> = roots.iter().map(|r| self.owner(r.row)).collect();
            owners.len() > 1
        };
        Counts {
            entries: self.rows.len(),
            in_function: count(Landing::InFunction),
            anonymous: count(Landing::Anonymous),
            anonymous_landings: anonymous.len(),
            shared_landings: self.blocks.iter().enumerate().filter(shared).count(),
            cross_function: count(Landing::OtherFunction),
            cold: count(Landing::Cold),
            retry: count(Landing::Retry),
            transfer: count(Landing::Transfer),
            outside_text: count(Landing::OutsideText),
        }
    }
}

impl FixupMap {
    /// A map of `rows` rows that could not be read.
    pub(crate) fn damaged(rows: usize, finding: Finding) -> Self {
        let unknown = Row {
            landing: Landing::OutsideText,
            owner: None,
            block: None,
        };
        FixupMap {
            rows: vec![unknown; rows],
            findings: vec![finding],
            ..Self::default()
        }
    }

    /// A map of `rows` and `blocks`, as an index has them.
    pub(crate) fn from_parts(rows: Vec<Row>, blocks: Vec<Block>) -> Self {
        let mut map = FixupMap {
            rows,
            blocks,
            ..Self::default()
        };
        map.index();
        map
    }
}

fn classify(
    image: &ElfImage<'_>,
    table: &ExTable,
    e: &Entry,
    functions: &Cursor<'_, '_>,
    landed_in: &Cursor<'_, '_>,
) -> Row {
    let symbols = image.symbols();
    let owner = functions.function(e.insn);
    let landing = if e.fixup == e.insn {
        Landing::Retry
    } else if table.handler(image, e).is_transfer() {
        Landing::Transfer
    } else if image.text_section(e.fixup).is_none() {
        Landing::OutsideText
    } else {
        match (owner, landed_in.function(e.fixup)) {
            (_, None) => Landing::Anonymous,
            (Some(a), Some(b)) if a == b => Landing::InFunction,
            (Some(a), Some(b)) if same_but_cold(symbols.name(a), symbols.name(b)) => Landing::Cold,
            _ => Landing::OtherFunction,
        }
    };
    Row {
        landing,
        owner,
        block: None,
    }
}

fn same_but_cold(a: &str, b: &str) -> bool {
    let base = |n| names::cold_base(n).unwrap_or(n);
    base(a) == base(b) && a != b
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Landings in a row, each of which is for a fault at the one before it.
    fn chain(count: u32) -> (FixupMap, Vec<Entry>) {
        let at = |i: u32| LinkAddr(0x1000 + 4 * u64::from(i));
        let row = |i: u32| Row {
            landing: Landing::Anonymous,
            owner: (i == 0).then(|| SymbolId::from_row(0)),
            block: Some(i),
        };
        let block = |i: u32| Block {
            landing: at(i),
            home: None,
            rows: vec![i],
            code: vec![(at(i), 4)],
            exits: Vec::new(),
        };
        let entry = |i: u32| Entry {
            insn: at(i.wrapping_sub(1)),
            fixup: at(i),
            word: 0,
            handler: LinkAddr(0),
        };
        let rows = (0..count).map(row).collect();
        let blocks = (0..count).map(block).collect();
        (
            FixupMap::from_parts(rows, blocks),
            (0..count).map(entry).collect(),
        )
    }

    #[test]
    fn a_chain_is_followed_back_as_far_as_any_kernel_has_one() {
        let (map, entries) = chain(3_000);
        let at = |i: u64| map.roots(LinkAddr(0x1000 + 4 * i), &entries);
        let near = at(3);
        assert_eq!(near.roots.len(), 1);
        assert!(near.roots[0].chained == 3 && !near.incomplete);
        // What is not followed is not known.
        let far = at(2_999);
        assert!(far.roots.is_empty() && far.incomplete);
        assert_eq!(map.counts(&entries).shared_landings, 0);
    }

    #[test]
    fn more_origins_than_any_kernel_has_are_said_not_to_be_all() {
        let (count, landing) = (10_000, LinkAddr(0x40));
        let row = |i| Row {
            landing: Landing::Anonymous,
            owner: Some(SymbolId::from_row(i)),
            block: Some(0),
        };
        let block = Block {
            landing,
            home: None,
            rows: (0..count).collect(),
            code: vec![(landing, 4)],
            exits: Vec::new(),
        };
        let map = FixupMap::from_parts((0..count).map(row).collect(), vec![block]);
        let roots = map.roots(landing, &[]);
        assert!(roots.roots.len() == MAX_ROOTS && roots.incomplete);
        assert_eq!(map.counts(&[]).shared_landings, 1);
    }

    #[test]
    fn numbers_of_another_table_have_no_roots() {
        let anonymous = Row {
            landing: Landing::Anonymous,
            owner: None,
            block: None,
        };
        let block = Block {
            landing: LinkAddr(0x40),
            home: None,
            rows: vec![0, 7],
            code: vec![(LinkAddr(0x40), 4)],
            exits: Vec::new(),
        };
        let map = FixupMap::from_parts(vec![anonymous], vec![block]);
        for blocks in [&[0][..], &[1], &[99_999, u32::MAX]] {
            assert!(map.roots_of(blocks, &[]).roots.is_empty());
        }
        assert!(map.roots(LinkAddr(0x41), &[]).roots.is_empty());
        assert_eq!(map.counts(&[]).shared_landings, 0);
    }
}
