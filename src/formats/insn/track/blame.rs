//! Which rows the contradictions of a function are the fault of: each is told once.
//!
//! A row that is wrong by some bytes contradicts where execution comes to it and, by as much in the other direction,
//! where it leaves it.

use super::body::Span;
use super::judge::What;
use super::walk::Mismatch;

/// A mismatch whose row is to blame, by number, and the row.
pub(super) fn blame(mismatches: &[Mismatch], rows: &[Span]) -> Vec<(Mismatch, u32)> {
    // By how many bytes each row is wrong, as far as that is known.
    let mut wrong: Vec<Option<i64>> = vec![None; rows.len()];
    let mut found: Vec<(Mismatch, u32)> = Vec::new();
    let error = |wrong: &[Option<i64>], row: u32| {
        let known = wrong.get(row as usize).copied();
        known.map_or(Some(0), |k| k)
    };
    for m in mismatches {
        let (from, to) = m.rows;
        let by = match m.what {
            What::Cfa(by) | What::Return(by) | What::Entry(by) => by,
            What::NoFrame(_) | What::Bp(_) => {
                let same = |(o, row): &(Mismatch, u32)| {
                    *row == to && !matches!(o.what, What::Cfa(_) | What::Return(_))
                };
                if !found.iter().any(same) {
                    found.push((*m, to));
                }
                continue;
            }
        };
        let before = error(&wrong, from);
        // A row that was taken on trust is the one that is wrong.
        if m.trusted
            && before.is_none()
            && let Some(slot) = wrong.get_mut(from as usize)
            && error(&[], to).is_some()
        {
            *slot = by.checked_neg();
            found.push((*m, from));
            continue;
        }
        let then = before.unwrap_or(0).saturating_add(by);
        // What a row that is missing would have covered ends within its predecessor.
        let back = from == to && then == 0;
        if back || error(&wrong, to).is_some_and(|known| known == then) {
            continue;
        }
        match wrong.get_mut(to as usize) {
            Some(slot @ None) => {
                *slot = Some(then);
                if then != 0 {
                    found.push((*m, to));
                }
            }
            _ => found.push((*m, if to == u32::MAX { from } else { to })),
        }
    }
    found
}
