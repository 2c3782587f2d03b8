//! The calls of an index, a row each: all of a call lies in one place, so that asking for it takes one page.

use crate::base::bytes::uint_at;
use crate::base::column::width;

/// Numbers of a call: name, distance to the call around it (0: none), file, line, column.
pub(super) const FIELDS: usize = 5;

/// Rows of calls where they are mapped.
pub(super) struct Calls<'d> {
    rows: &'d [u8],
    /// Bytes from the beginning of a row to each number, and the number's width.
    fields: [(usize, usize); FIELDS],
    /// Bytes of a row.
    width: usize,
}

impl<'d> Calls<'d> {
    /// `widths` has the bytes of each number, 1 to 4.
    pub(crate) fn new(rows: &'d [u8], widths: &[u8]) -> Option<Self> {
        let widths: &[u8; FIELDS] = widths.try_into().ok()?;
        let mut fields = [(0, 0); FIELDS];
        let mut width = 0;
        for (field, own) in fields.iter_mut().zip(widths) {
            *field = (width, usize::from(*own));
            width += usize::from(*own);
        }
        let sane = widths.iter().all(|w| (1..=4).contains(w)) && rows.len().is_multiple_of(width);
        sane.then_some(Calls {
            rows,
            fields,
            width,
        })
    }

    /// Number of calls.
    pub(crate) fn len(&self) -> usize {
        self.rows.len() / self.width
    }

    /// The numbers of call `row`.
    pub(crate) fn get(&self, row: usize) -> Option<[u32; FIELDS]> {
        let start = row.checked_mul(self.width)?;
        let row = self.rows.get(start..)?.get(..self.width)?;
        let mut numbers = [0; FIELDS];
        for (number, (at, width)) in numbers.iter_mut().zip(self.fields) {
            *number = uint_at(row, at, width)?;
        }
        Some(numbers)
    }
}

/// Rows and widths of `calls`.
pub(super) fn pack(calls: &[[u32; FIELDS]]) -> (Vec<u8>, Vec<u8>) {
    let mut widths = [1u8; FIELDS];
    for call in calls {
        for (widest, number) in widths.iter_mut().zip(call) {
            *widest = (width(*number) as u8).max(*widest);
        }
    }
    let size: usize = widths.iter().map(|w| usize::from(*w)).sum();
    let mut rows = Vec::with_capacity(calls.len() * size);
    for call in calls {
        for (number, width) in call.iter().zip(widths) {
            rows.extend(&number.to_le_bytes()[..usize::from(width)]);
        }
    }
    (rows, widths.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn calls_come_back(calls in prop::collection::vec(any::<[u32; FIELDS]>(), 0..20), cut in 0u32..33) {
            let calls: Vec<_> = calls.iter().map(|c| c.map(|n| n.checked_shr(cut).unwrap_or(0))).collect();
            let (rows, widths) = pack(&calls);
            let read = Calls::new(&rows, &widths).unwrap();
            prop_assert_eq!(read.len(), calls.len());
            for (i, call) in calls.iter().enumerate() {
                prop_assert_eq!(read.get(i), Some(*call));
            }
            prop_assert_eq!(read.get(calls.len()), None);
            prop_assert_eq!(read.get(usize::MAX), None);
        }

        #[test]
        fn arbitrary_widths_are_refused_or_read(rows in prop::collection::vec(any::<u8>(), 0..40), widths in prop::collection::vec(0u8..6, 0..7)) {
            if let Some(calls) = Calls::new(&rows, &widths) {
                prop_assert_eq!((0..=calls.len()).filter(|i| calls.get(*i).is_some()).count(), calls.len());
            }
        }
    }
}
