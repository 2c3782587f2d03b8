//! Whose a symbol is, and names told.

use std::collections::BTreeSet;

use crate::base::addr::{Address, LinkAddr};
use crate::formats::image::names::cold_base;
use crate::formats::image::symtab::SymbolId;
use crate::products::validate::subject::Subject;

/// What `id` is a cold part of, if names decide; else itself.
pub(super) fn parent(subject: &Subject<'_, '_>, id: SymbolId) -> SymbolId {
    let symbols = subject.image.symbols();
    match symbols.cold_parent(id).all()[..] {
        [one] => one,
        _ => id,
    }
}

/// Names of `places`, each once.
pub(super) fn told(subject: &Subject<'_, '_>, places: &BTreeSet<LinkAddr>) -> String {
    let names = places
        .iter()
        .map(|at| subject.image.name_at(*at).unwrap_or("?"));
    let names: BTreeSet<&str> = names.collect();
    let mut names: Vec<&str> = names.into_iter().collect();
    let more = names.len().saturating_sub(3);
    names.truncate(3);
    match more {
        0 => names.join(", "),
        n => format!("{} and {n} more", names.join(", ")),
    }
}

/// Whether the symbol `name` is a cold part's.
pub(super) fn is_cold(name: &str) -> bool {
    cold_base(name).is_some()
}

/// Bytes from `from` to `at`.
pub(super) fn distance(at: LinkAddr, from: LinkAddr) -> u64 {
    at.since(from).unwrap_or(0)
}
