//! Ranges that lie in each other: what is gone through range by range would be gone through again and again.

/// Which of `ranges` (start and end), sorted by their starts, may be gone through: of those that lie in others before
/// them at most `most` bytes together, from the first on.
pub(crate) fn apart(ranges: impl Iterator<Item = (u64, u64)>, most: u64) -> Vec<bool> {
    let (mut upto, mut left) = (0, most);
    let mut fits = |(start, end): (u64, u64)| {
        let len = end.saturating_sub(start);
        let own = end.saturating_sub(start.max(upto));
        upto = upto.max(end);
        match left.checked_sub(len - own) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        }
    };
    ranges.map(&mut fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_lie_apart_all_fit() {
        let ranges = [(0, 10), (10, 10), (10, 30), (40, 41)];
        assert_eq!(apart(ranges.into_iter(), 0), [true; 4]);
    }

    #[test]
    fn bytes_gone_through_again_are_counted() {
        let ranges = [
            (0, 100),
            (10, 60),
            (20, 90),
            (50, 120),
            (90, 95),
            (300, 200),
        ];
        let fits = [true, true, false, true, true, true];
        assert_eq!(apart(ranges.into_iter(), 110), fits);
        assert_eq!(
            apart(ranges.into_iter(), 0),
            [true, false, false, false, false, true]
        );
    }
}
