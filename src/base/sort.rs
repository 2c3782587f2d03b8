//! Sorting by a radix, for tables of some 10,000 addresses.

/// `items` in order of their addresses, equal ones in the order given.
pub(crate) fn by_address<T: Copy>(items: &[T], address: impl Fn(&T) -> u64) -> Vec<T> {
    let base = items.iter().map(&address).min().unwrap_or(0);
    let offset = |item: &T| u32::try_from(address(item) - base).ok();
    match items.iter().map(offset).collect::<Option<Vec<u32>>>() {
        Some(offsets) => {
            let order = by_offset(offsets.into_iter().zip(0..).collect());
            order.iter().map(|(_, i)| items[*i as usize]).collect()
        }
        // More than 4 GiB apart.
        None => {
            let mut items = items.to_vec();
            items.sort_by_key(address);
            items
        }
    }
}

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

    #[test]
    fn addresses_may_lie_far_apart() {
        for far in [9, u64::MAX] {
            let items = [(far, 'a'), (7, 'b'), (far, 'c'), (0, 'd')];
            let sorted = by_address(&items, |i| i.0);
            assert_eq!(sorted, [(0, 'd'), (7, 'b'), (far, 'a'), (far, 'c')]);
        }
        assert_eq!(by_address(&[], |n: &u64| *n), Vec::<u64>::new());
    }
}
