//! The function around an address, for questions that lie close together.

use std::cell::Cell;

use super::{SymTab, SymbolId};
use crate::base::addr::LinkAddr;

/// Remembers the last answer of [`SymTab::function`], which holds up to the next symbol.
pub struct Cursor<'s, 'd> {
    symbols: &'s SymTab<'d>,
    /// First and last-but-one address with the answer.
    last: Cell<(LinkAddr, LinkAddr, Option<SymbolId>)>,
}

impl<'s, 'd> Cursor<'s, 'd> {
    /// A cursor on `symbols`.
    pub(crate) fn new(symbols: &'s SymTab<'d>) -> Self {
        let nowhere = LinkAddr(0);
        Cursor {
            symbols,
            last: Cell::new((nowhere, nowhere, None)),
        }
    }

    /// [`SymTab::function`] of `at`.
    pub(crate) fn function(&self, at: LinkAddr) -> Option<SymbolId> {
        let (from, to, answer) = self.last.get();
        if (from..to).contains(&at) {
            return answer;
        }
        let (answer, upto) = self.symbols.function_upto(at);
        self.last.set((at, upto, answer));
        answer
    }
}
