//! Sorting by a radix, for tables of some 10,000 addresses.

/// Pairs in order of their first parts, equal ones in the order given. A radix sort: comparing 100,000 symbols
/// takes longer than everything else that a single lookup does.
pub(crate) fn by_offset(mut order: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
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
