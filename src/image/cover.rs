//! Which function owns which run of text, from functions that nest, overlap and share addresses.

use super::symtab::{GAP, Packed, STT_NOTYPE, is_function};

/// Disjoint runs of text and the function that owns each: (offset, symbol or [`GAP`]). Of functions that begin
/// at the same address the largest counts, FUNC before NOTYPE; of functions that overlap without nesting, the
/// one that began later goes on alone.
pub(super) fn cover(symbols: impl Iterator<Item = Packed>, count: usize) -> (Vec<u32>, Vec<u32>) {
    let mut keys: Vec<u32> = Vec::with_capacity(count * 2);
    let mut owners: Vec<u32> = Vec::with_capacity(count * 2);
    // Functions around the innermost one: (end, symbol).
    let mut outer: Vec<(u32, u32)> = Vec::new();
    let mut inner = (0u32, GAP);
    let mut best: Option<Packed> = None;
    for (s, number) in symbols.zip(0u32..).filter(|(s, _)| is_function(s)) {
        if let Some(best) = best.as_mut().filter(|b| b.offset == s.offset) {
            if (s.size, s.kind != STT_NOTYPE) > (best.size, best.kind != STT_NOTYPE) {
                *best = s;
                inner = (s.offset.saturating_add(s.size), number);
                owners.pop();
                owners.push(number);
            }
            continue;
        }
        while inner.1 != GAP && inner.0 <= s.offset {
            let end = inner.0;
            inner = leave(&mut outer, end);
            if end < s.offset || inner.1 != GAP {
                keys.push(end);
                owners.push(inner.1);
            }
        }
        if inner.1 != GAP {
            outer.push(inner);
        }
        inner = (s.offset.saturating_add(s.size), number);
        best = Some(s);
        keys.push(s.offset);
        owners.push(number);
    }
    while inner.1 != GAP {
        keys.push(inner.0);
        inner = leave(&mut outer, inner.0);
        owners.push(inner.1);
    }
    (keys, owners)
}

/// The innermost function of `outer` that reaches beyond `end`.
fn leave(outer: &mut Vec<(u32, u32)>, end: u32) -> (u32, u32) {
    while let Some(next) = outer.pop() {
        if next.0 > end {
            return next;
        }
    }
    (0, GAP)
}

/// Pairs in order of their first parts, equal ones in the order given. A radix sort: comparing 100,000 symbols
/// takes longer than everything else that a single lookup does.
pub(super) fn by_offset(mut order: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    const BITS: u32 = 13;
    let top = order.iter().map(|(offset, _)| *offset).max().unwrap_or(0);
    let mut next = vec![(0, 0); order.len()];
    for shift in (0..32 - top.leading_zeros()).step_by(BITS as usize) {
        let digit = |offset: u32| (offset >> shift) as usize & ((1 << BITS) - 1);
        let mut starts = [0u32; 1 << BITS];
        for (offset, _) in &order {
            starts[digit(*offset)] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += std::mem::replace(start, sum);
        }
        for pair in &order {
            let at = &mut starts[digit(pair.0)];
            next[*at as usize] = *pair;
            *at += 1;
        }
        std::mem::swap(&mut order, &mut next);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(functions: &[(u32, u32)]) -> Vec<(u32, Option<u32>)> {
        let symbol = |(offset, size): &(u32, u32)| Packed {
            offset: *offset,
            size: *size,
            name: 0,
            kind: 2,
            bind: 0,
        };
        let (keys, owners) = cover(functions.iter().map(symbol), functions.len());
        keys.into_iter()
            .zip(owners.into_iter().map(|o| (o != GAP).then_some(o)))
            .collect()
    }

    #[test]
    fn text_behind_a_function_is_nobodys() {
        assert_eq!(
            owners(&[(0, 4), (8, 4)]),
            [(0, Some(0)), (4, None), (8, Some(1)), (12, None)]
        );
        assert_eq!(
            owners(&[(0, 8), (8, 4)]),
            [(0, Some(0)), (8, Some(1)), (12, None)]
        );
    }

    #[test]
    fn the_innermost_function_owns_its_part() {
        let nested = [(0, Some(0)), (4, Some(1)), (6, Some(0)), (16, None)];
        assert_eq!(owners(&[(0, 16), (4, 2)]), nested);
        // The same with a label, which covers nothing.
        assert_eq!(owners(&[(0, 16), (2, 0)]), [(0, Some(0)), (16, None)]);
    }

    #[test]
    fn the_largest_of_equal_starts_wins() {
        assert_eq!(owners(&[(0, 4), (0, 8), (0, 2)]), [(0, Some(1)), (8, None)]);
    }

    #[test]
    fn overlapping_functions_end_where_the_later_one_does() {
        assert_eq!(
            owners(&[(0, 8), (4, 8)]),
            [(0, Some(0)), (4, Some(1)), (12, None)]
        );
    }

    #[test]
    fn pairs_are_sorted_and_keep_the_order_of_equals() {
        let given = vec![(70_000_000, 0), (3, 1), (8192, 2), (3, 3), (0, 4)];
        assert_eq!(
            by_offset(given),
            [(0, 4), (3, 1), (3, 3), (8192, 2), (70_000_000, 0)]
        );
        assert_eq!(by_offset(Vec::new()), []);
    }
}
