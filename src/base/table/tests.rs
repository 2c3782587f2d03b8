use super::*;
use proptest::prelude::*;

fn brute(keys: &[u32], base: u64, at: u64) -> Option<usize> {
    keys.iter().rposition(|k| base + u64::from(*k) <= at)
}

/// The table read from its own parts, with and without the padding.
fn in_place<'t>(t: &'t Table<'_>) -> [Table<'t>; 2] {
    let bare = match t.parts() {
        Parts::Blocks {
            shift,
            gap,
            starts,
            lows,
        } => Parts::Blocks {
            shift,
            gap,
            starts,
            lows: &lows[..t.len()],
        },
        sorted => sorted,
    };
    [t.parts(), bare].map(|p| Table::from_parts(t.base(), t.len(), p).unwrap())
}

fn is_in_blocks(t: &Table<'_>) -> bool {
    matches!(t.parts(), Parts::Blocks { .. })
}

#[test]
fn the_last_of_equal_keys_wins() {
    let t = Table::new(100, vec![0, 0, 5, 5, 5, 300]).unwrap();
    assert_eq!(t.find(99), None);
    assert_eq!(t.find_start(100), Some((1, 100)));
    assert_eq!(t.find_start(104), Some((1, 100)));
    assert_eq!(t.find_start(105), Some((4, 105)));
    assert_eq!(t.find_start(399), Some((4, 105)));
    assert_eq!(t.find_start(400), Some((5, 400)));
    assert_eq!(t.find_start(u64::MAX), Some((5, 400)));
}

#[test]
fn an_empty_table_covers_nothing() {
    let t = Table::default();
    assert_eq!(t.find(0), None);
    assert_eq!(Table::new(7, vec![]).unwrap().find_start(8), None);
}

#[test]
fn unsorted_keys_are_refused() {
    assert!(Table::new(0, vec![2, 1]).is_none());
}

#[test]
fn the_largest_gap_takes_no_memory() {
    let near: Vec<u32> = (0..1000).map(|i| i * 40).collect();
    let far = near.iter().map(|k| k + (1 << 30));
    let t = Table::new(0, near.iter().copied().chain(far).collect()).unwrap();
    assert!(is_in_blocks(&t) && t.index_bytes() < 4000);
    for at in [40_000u64, 1 << 20, (1 << 30) - 1] {
        assert_eq!(t.find_start(at), Some((999, 999 * 40)));
    }
    assert_eq!(t.find_start(1 << 30), Some((1000, 1 << 30)));
}

#[test]
fn crowded_tables_have_smaller_blocks() {
    for (step, wanted) in [(64, 8), (16, 7), (4, 5), (0, MIN_SHIFT)] {
        let t = Table::new(0, (0..10_000).map(|i| i * step).collect()).unwrap();
        let Parts::Blocks { shift, .. } = t.parts() else {
            panic!("{step}: {:?}", t.parts())
        };
        assert_eq!(shift, wanted, "{step}");
    }
    assert!(!is_in_blocks(
        &Table::new(0, (0..10_000).map(|i| i * 400).collect()).unwrap()
    ));
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let t = Table::new(0, (0..500).map(|i| i * 40).collect()).unwrap();
    let Parts::Blocks {
        shift,
        gap,
        starts,
        lows,
    } = t.parts()
    else {
        panic!("in blocks")
    };
    let parts = |shift, gap, starts, lows| Parts::Blocks {
        shift,
        gap,
        starts,
        lows,
    };
    let refused = |len, shift, gap, starts, lows| {
        Table::from_parts(0, len, parts(shift, gap, starts, lows)).is_none()
    };
    assert!(!refused(500, shift, gap, starts, lows));
    assert!(refused(499, shift, gap, starts, lows));
    assert!(refused(500, 9, gap, starts, lows));
    assert!(refused(500, shift, gap, &[], lows));
    assert!(refused(500, shift, gap, starts, &lows[..499]));
    let from = starts.len() as u32;
    assert!(refused(500, shift, Gap { from, len: 1 }, starts, lows));
    assert!(Table::from_parts(0, 2, Parts::Sorted(&starts[..1])).is_none());
}

proptest! {
    #[test]
    fn lookup_equals_brute_force(
        steps in prop::collection::vec(prop_oneof![9 => 0u32..60, 1 => 0u32..9000], 0..300),
        base in 0u64..1000, shift in 0u32..10, gap in 0u32..1 << 20
    ) {
        let mut keys: Vec<u32> = steps.iter().map(|s| s << shift >> 3).collect();
        for i in 1..keys.len() { keys[i] += keys[i - 1]; }
        for k in keys.iter_mut().skip(100) { *k += gap; }
        let made = Table::new(base, keys.clone()).unwrap();
        let [read, bare] = in_place(&made);
        for t in [&made, &read, &bare] {
            prop_assert_eq!(t.addresses().collect::<Vec<_>>(),
                keys.iter().map(|k| base + u64::from(*k)).collect::<Vec<_>>());
            for (row, k) in keys.iter().enumerate() {
                let key = base + u64::from(*k);
                prop_assert_eq!(t.address(row), Some(key));
                for at in [key.wrapping_sub(1), key, key + 1, key + 255, key + 4096, key + 9999] {
                    let found = brute(&keys, base, at);
                    prop_assert_eq!(t.find(at), found);
                    let with_start = found.map(|r| (r, base + u64::from(keys[r])));
                    prop_assert_eq!(t.find_start(at), with_start);
                }
            }
            prop_assert_eq!(t.address(keys.len()), None);
        }
    }

    #[test]
    fn any_content_gives_rows_that_exist(
        mut starts in prop::collection::vec(any::<Word>(), 1..40), small in any::<bool>(),
        lows in prop::collection::vec(any::<u8>(), 0..200), shift in 0u32..9,
        from in 0u32..40, gap in any::<u32>(), base in any::<u64>(),
        asked in prop::collection::vec(0u64..20_000, 0..50)
    ) {
        let len = lows.len().saturating_sub(usize::from(small) * PADDING);
        if small {
            for s in &mut starts { *s = (u32::from_le_bytes(*s) % 250).to_le_bytes(); }
        }
        *starts.last_mut().unwrap() = (len as u32).to_le_bytes();
        let gap = Gap { from, len: gap };
        let blocks = Parts::Blocks { shift, gap, starts: &starts, lows: &lows };
        let sorted = Parts::Sorted(&starts);
        for t in [Table::from_parts(base, len, blocks), Table::from_parts(base, starts.len(), sorted)] {
            let Some(t) = t else { continue };
            for at in asked.iter().map(|a| base.wrapping_add(*a)).chain([u64::MAX]) {
                let row = t.find(at);
                prop_assert!(row.is_none_or(|r| r < t.len()));
                prop_assert!(t.find_start(at).is_none_or(|f| Some(f.0) == row));
            }
            prop_assert!((0..t.len() + 2).filter_map(|r| t.address(r)).count() <= t.len());
            prop_assert!(t.addresses().count() <= t.len());
        }
    }
}
