//! Rust functions by the names that their authors gave them.

use super::{SymTab, SymbolId};
use crate::base::demangle::{demangle, demangle_whole};

impl SymTab<'_> {
    /// Every symbol whose name is mangled from `path`, in address order: with or without the hash that the compiler
    /// added, whatever white space it has.
    pub(crate) fn named_from(&self, path: &str) -> impl Iterator<Item = SymbolId> + '_ {
        let wanted = bare(path);
        let found = self.rust.get_or_init(|| {
            let mut all = Vec::new();
            for row in 0..self.len() as u32 {
                let name = self.name(SymbolId(row));
                if let Some(whole) = demangle_whole(name) {
                    all.push((bare(&whole), row));
                    all.push((bare(&demangle(name)), row));
                }
            }
            all.sort_unstable();
            all.dedup();
            all
        });
        let first = found.partition_point(|(name, _)| *name < wanted);
        let same = found.iter().skip(first);
        same.take_while(move |(name, _)| *name == wanted)
            .map(|(_, row)| SymbolId(*row))
    }
}

/// `path` without white space, as people differ on it.
fn bare(path: &str) -> Box<str> {
    path.split_whitespace().collect()
}
