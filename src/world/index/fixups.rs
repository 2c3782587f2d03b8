//! The exception table and the fixup map as streams: small, and always wanted whole.

use super::select::Selection;
use crate::base::addr::LinkAddr;
use crate::base::column::{Stream, put_signed, put_varint};
use crate::formats::extable::ExTable;
use crate::formats::extable::entry::{Entry, Layout};
use crate::formats::extable::fixup::{Block, FixupMap, Landing, Row};
use crate::formats::extable::walk::Exit;
use crate::formats::image::symtab::SymbolId;

const LAYOUTS: [Layout; 5] = [
    Layout::Plain8,
    Layout::Handler12,
    Layout::TypedA12,
    Layout::TypedB12,
    Layout::Vdso8,
];

const LANDINGS: [Landing; 7] = [
    Landing::InFunction,
    Landing::Retry,
    Landing::Cold,
    Landing::OtherFunction,
    Landing::Anonymous,
    Landing::Transfer,
    Landing::OutsideText,
];

fn number<T: PartialEq>(all: &[T], wanted: &T) -> u64 {
    all.iter()
        .position(|one| one == wanted)
        .unwrap_or(all.len()) as u64
}

/// Addresses near each other take few bytes: each is put as its distance from the one before.
struct Near(u64);

impl Near {
    fn put(&mut self, out: &mut Vec<u8>, at: LinkAddr) {
        put_signed(out, at.0.wrapping_sub(self.0).cast_signed());
        self.0 = at.0;
    }

    fn get(&mut self, s: &mut Stream<'_>) -> Option<LinkAddr> {
        self.0 = self.0.wrapping_add_signed(s.signed()?);
        Some(LinkAddr(self.0))
    }
}

/// Packs the rows of `table` that `keep` selects.
pub(super) fn pack_extable(table: &ExTable, keep: &Selection) -> Vec<u8> {
    let mut out = Vec::new();
    let Some(layout) = table.layout() else {
        return out;
    };
    put_varint(&mut out, number(&LAYOUTS, &layout));
    put_varint(&mut out, keep.entries.len() as u64);
    let (mut insn, mut handler) = (Near(0), Near(0));
    for row in &keep.entries {
        let e = &table.entries()[*row as usize];
        insn.put(&mut out, e.insn);
        Near(e.insn.0).put(&mut out, e.fixup);
        put_varint(&mut out, e.word.into());
        handler.put(&mut out, e.handler);
    }
    out
}

/// Reads what [`pack_extable`] wrote; `None` when it is damaged.
pub(super) fn read_extable(bytes: &[u8]) -> Option<ExTable> {
    if bytes.is_empty() {
        return Some(ExTable::default());
    }
    let mut s = Stream::new(bytes);
    let layout = *LAYOUTS.get(s.u32()? as usize)?;
    let (mut insn, mut handler) = (Near(0), Near(0));
    let mut entries = Vec::new();
    for _ in 0..s.count()? {
        let insn = insn.get(&mut s)?;
        entries.push(Entry {
            insn,
            fixup: Near(insn.0).get(&mut s)?,
            word: s.u32()?,
            handler: handler.get(&mut s)?,
        });
    }
    let sorted = entries.is_sorted_by_key(|e| e.insn);
    (s.is_done() && sorted).then(|| ExTable::from_entries(layout, entries))
}

fn put_option(out: &mut Vec<u8>, value: Option<u32>) {
    put_varint(out, value.map_or(0, |v| u64::from(v) + 1));
}

/// A number below `limit`, or none.
fn get_option(s: &mut Stream<'_>, limit: usize) -> Option<Option<u32>> {
    match s.varint()?.checked_sub(1) {
        None => Some(None),
        Some(n) => (n < limit as u64).then_some(Some(n as u32)),
    }
}

/// Packs the rows and blocks of `map` that `keep` selects.
pub(super) fn pack_fixups(map: &FixupMap, keep: &Selection) -> Vec<u8> {
    let mut out = Vec::new();
    let symbol = |id: Option<SymbolId>| keep.symbol(id?.row());
    put_varint(&mut out, keep.entries.len() as u64);
    for row in &keep.entries {
        let row = &map.rows()[*row as usize];
        put_varint(&mut out, number(&LANDINGS, &row.landing));
        put_option(&mut out, symbol(row.owner));
        put_option(&mut out, row.block.and_then(|b| keep.block(b)));
    }
    put_varint(&mut out, keep.blocks.len() as u64);
    let mut landing = Near(0);
    for block in &keep.blocks {
        let block = &map.blocks()[*block as usize];
        landing.put(&mut out, block.landing);
        put_option(&mut out, symbol(block.home));
        let rows: Vec<u32> = block.rows.iter().filter_map(|r| keep.entry(*r)).collect();
        put_varint(&mut out, rows.len() as u64);
        rows.iter().for_each(|r| put_varint(&mut out, (*r).into()));
        put_varint(&mut out, block.code.len() as u64);
        let mut near = Near(block.landing.0);
        for (at, len) in &block.code {
            near.put(&mut out, *at);
            put_varint(&mut out, (*len).into());
        }
        put_varint(&mut out, block.exits.len() as u64);
        for exit in &block.exits {
            let (kind, at) = match exit {
                Exit::Resume(at) => (0, Some(*at)),
                Exit::TailCall(at) => (1, Some(*at)),
                Exit::Return => (2, None),
                Exit::Indirect => (3, None),
                Exit::Stop => (4, None),
            };
            put_varint(&mut out, kind);
            if let Some(at) = at {
                Near(block.landing.0).put(&mut out, at);
            }
        }
    }
    out
}

/// Reads what [`pack_fixups`] wrote, for a table of `entries` rows and an image of `symbols` symbols; `None`
/// when it is damaged.
pub(super) fn read_fixups(bytes: &[u8], entries: usize, symbols: usize) -> Option<FixupMap> {
    let mut s = Stream::new(bytes);
    let count = s.count()?;
    if count != entries {
        return None;
    }
    let mut rows = Vec::with_capacity(count);
    let mut last_block = None;
    for _ in 0..count {
        let landing = *LANDINGS.get(s.u32()? as usize)?;
        let owner = get_option(&mut s, symbols)?.map(SymbolId::from_row);
        let block = get_option(&mut s, bytes.len())?;
        last_block = last_block.max(block);
        rows.push(Row {
            landing,
            owner,
            block,
        });
    }
    let mut blocks = Vec::new();
    let mut landing = Near(0);
    let row = |s: &mut Stream<'_>| s.u32().filter(|r| (*r as usize) < entries);
    for _ in 0..s.count()? {
        let landing = landing.get(&mut s)?;
        let home = get_option(&mut s, symbols)?.map(SymbolId::from_row);
        let rows = (0..s.count()?)
            .map(|_| row(&mut s))
            .collect::<Option<_>>()?;
        let mut near = Near(landing.0);
        let code = (0..s.count()?)
            .map(|_| Some((near.get(&mut s)?, u8::try_from(s.varint()?).ok()?)))
            .collect::<Option<_>>()?;
        let exits = (0..s.count()?)
            .map(|_| exit(&mut s, landing))
            .collect::<Option<_>>()?;
        blocks.push(Block {
            landing,
            home,
            rows,
            code,
            exits,
        });
    }
    let inside = last_block.is_none_or(|b| (b as usize) < blocks.len());
    (s.is_done() && inside).then(|| FixupMap::from_parts(rows, blocks))
}

fn exit(s: &mut Stream<'_>, landing: LinkAddr) -> Option<Exit> {
    Some(match s.varint()? {
        0 => Exit::Resume(Near(landing.0).get(s)?),
        1 => Exit::TailCall(Near(landing.0).get(s)?),
        2 => Exit::Return,
        3 => Exit::Indirect,
        4 => Exit::Stop,
        _ => return None,
    })
}
