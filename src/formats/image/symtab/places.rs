//! Symbols place by place, and sizes for them from elsewhere.

use std::ops::Range;

use super::gather::Reach;
use super::packed::is_function;
use super::{INVALID, Raw, SymTab};
use crate::base::addr::LinkAddr;

impl<'d> SymTab<'d> {
    /// Where symbols begin, by address, and the rows of those that do.
    pub(crate) fn places(&self) -> impl Iterator<Item = (LinkAddr, Range<usize>)> + '_ {
        let mut row = 0;
        std::iter::from_fn(move || {
            (row < self.len()).then_some(())?;
            let at = LinkAddr(self.base.wrapping_add(self.offset(row).into()));
            let rows = self.aliases(row);
            row = rows.end;
            Some((at, rows))
        })
    }

    /// The name of the symbol in row `row`; empty where none is.
    pub(crate) fn name_in(&self, row: usize) -> &'d str {
        str::from_utf8(self.name_of(&self.packed(row))).unwrap_or(INVALID)
    }

    /// Takes `sizes`, bytes by row; only for symbols out of a text.
    pub(in crate::formats::image) fn resize(&mut self, sizes: &[u32]) {
        let Raw::Text(symbols) = &mut self.raw else {
            return;
        };
        let mut reach = Reach::new(self.end);
        for (symbol, size) in symbols.iter_mut().zip(sizes) {
            symbol.size = *size;
            if is_function(symbol) {
                reach.add(symbol.offset, (*size).into());
            }
        }
        self.reach = reach.pages();
    }
}
