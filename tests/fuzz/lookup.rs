//! The lookup core, held to looking at every key.
#![no_main]

use fixtrace::low::base::table::{Gap, Parts, Table};
use fixtrace_fuzz::fuzz;
use fixtrace_fuzz::parts::number;

/// `[mode, base (8)]`, then distances between keys (1, 2 or 4 bytes), or parts as they are.
fn one(input: &[u8]) {
    let Some((head, rest)) = input.split_at_checked(9) else {
        return;
    };
    let base = number(&head[1..]);
    match head[0] {
        mode @ 0..128 => sound(base, mode, rest),
        mode => any(base, mode, rest),
    }
}

fn sound(base: u64, mode: u8, rest: &[u8]) {
    let width = [1, 2, 3, 4][usize::from(mode & 3)];
    let mut key = 0u32;
    let mut keys = Vec::new();
    for distance in rest.chunks_exact(width) {
        let distance = number(distance) as u32;
        // Runs of equal keys occur in all tables.
        let distance = if mode & 4 != 0 {
            distance / 8
        } else {
            distance
        };
        let Some(next) = key.checked_add(distance) else {
            break;
        };
        key = next;
        keys.push(key);
    }
    if mode & 8 != 0 && keys.len() > 1 {
        keys.swap(0, 1);
        if !keys.is_sorted() {
            return assert!(Table::new(base, keys).is_none());
        }
    }
    let table = Table::new(base, keys.clone()).expect("sorted");
    let again = Table::from_parts(base, keys.len(), table.parts()).expect("the same");
    let wanted: Vec<u64> = keys
        .iter()
        .map(|k| base.wrapping_add((*k).into()))
        .collect();
    assert_eq!(table.addresses().collect::<Vec<_>>(), wanted);
    assert_eq!(table.len(), keys.len());
    for (row, key) in keys.iter().enumerate().take(200) {
        let place = base.checked_add((*key).into());
        assert_eq!(table.address(row), place);
        for asked in [
            place,
            place.and_then(|p| p.checked_sub(1)),
            place.and_then(|p| p.checked_add(1)),
        ] {
            asked
                .into_iter()
                .for_each(|at| find(&table, &again, base, &keys, at));
        }
    }
    for at in [
        0,
        base.wrapping_sub(1),
        base.wrapping_add(1 << 32),
        u64::MAX,
    ] {
        find(&table, &again, base, &keys, at);
    }
}

fn find(table: &Table<'_>, again: &Table<'_>, base: u64, keys: &[u32], at: u64) {
    let offset = at.checked_sub(base);
    let row = offset.and_then(|o| keys.iter().rposition(|k| u64::from(*k) <= o));
    let start = row.and_then(|row| Some((row, base.checked_add(keys[row].into())?)));
    for table in [table, again] {
        assert_eq!(table.find(at), row, "{at:#x}");
        assert_eq!(table.find_start(at), start, "{at:#x}");
    }
}

/// Parts that nobody made: rows that exist, or none.
fn any(base: u64, mode: u8, rest: &[u8]) {
    let Some((head, rest)) = rest.split_at_checked(8) else {
        return;
    };
    let half = |at: usize| number(&head[at..at + 2]) as usize;
    let (words, lows) = rest.split_at(half(0).min(rest.len()));
    let (words, _) = words.as_chunks::<4>();
    let len = half(2) % (rest.len() + 2);
    let parts = match mode & 1 {
        0 => Parts::Sorted(words),
        _ => Parts::Blocks {
            shift: u32::from(mode >> 1 & 15),
            gap: Gap {
                from: half(4) as u32,
                len: if mode & 32 == 0 {
                    0
                } else {
                    u32::MAX - half(6) as u32
                },
            },
            starts: words,
            lows,
        },
    };
    let Some(table) = Table::from_parts(base, len, parts) else {
        return;
    };
    assert!(table.addresses().count() <= len);
    for n in (0..64).chain([1 << 31, u64::MAX - base]) {
        let at = base.wrapping_add(n.wrapping_mul(5));
        assert!(table.find(at).is_none_or(|row| row < len));
        assert!(table.find_start(at).is_none_or(|(row, _)| row < len));
        let _ = table.address(n as usize);
    }
}

fuzz!(one);
