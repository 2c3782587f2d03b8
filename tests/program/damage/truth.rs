//! What is true of a damaged copy: by the whole dump's own page tables, and by what is known to be lost.

use std::collections::BTreeMap;

use super::copies::{Lost, NEVER, PAGE, Whole, u64_at};

/// `__START_KERNEL_map`
const KERNEL_MAP: u64 = 0xffff_ffff_8000_0000;

/// Where the whole dump has an address.
pub struct Tables<'w> {
    whole: &'w Whole,
    root: u64,
    levels: u32,
}

/// The pages on the way to an address: page tables, then its own page where it is mapped; by number.
pub struct Way {
    pub tables: Vec<u64>,
    pub page: Option<u64>,
}

impl<'w> Tables<'w> {
    pub fn of(whole: &'w Whole) -> Self {
        let info = String::from_utf8_lossy(&whole.info).into_owned();
        let value = |key: &str| {
            let line = info.lines().find_map(|l| l.strip_prefix(key));
            line.unwrap_or_else(|| panic!("no {key}")).to_owned()
        };
        let symbol = |name: &str| {
            u64::from_str_radix(&value(&format!("SYMBOL({name})=")), 16).expect("an address")
        };
        let base: i64 = value("NUMBER(phys_base)=").parse().expect("a number");
        let levels = match &*value("NUMBER(pgtable_l5_enabled)=") {
            "1" => 5,
            _ => 4,
        };
        Tables {
            whole,
            root: (symbol("swapper_pg_dir") - KERNEL_MAP).wrapping_add_signed(base),
            levels,
        }
    }

    pub fn way(&self, at: u64) -> Way {
        let mut way = Way {
            tables: Vec::new(),
            page: None,
        };
        let mut table = self.root;
        for level in (0..self.levels).rev() {
            let number = table / PAGE as u64;
            way.tables.push(number);
            let Some(bytes) = self.whole.pages.get(&number) else {
                return way;
            };
            let shift = 12 + 9 * level;
            let entry = u64_at(bytes, (at >> shift & 511) as usize * 8);
            if entry & 1 == 0 {
                return way;
            }
            let address = entry & 0x000f_ffff_ffff_f000;
            if level == 0 || entry & 0x80 != 0 {
                let inside = at & ((1 << shift) - 1);
                way.page = Some(((address & !((1 << shift) - 1)) + inside) / PAGE as u64);
                return way;
            }
            table = address;
        }
        way
    }
}

/// What is wrong with the reason that memory could not be read, if anything is.
pub fn wrong_reason(text: &str, tables: &Tables<'_>, lost: &Lost) -> Option<String> {
    let hex = |t: &str| u64::from_str_radix(t.trim_start_matches("0x"), 16).ok();
    let (at, why) = text.split_once(" cannot be read: ")?;
    let way = tables.way(hex(at)?);
    let state = |page: u64| match lost.get(&page) {
        Some(why) => Some(*why),
        None if !tables.whole.pages.contains_key(&page) => Some(NEVER),
        None => None,
    };
    if why == "not mapped" {
        return way.page.map(|_| format!("{text}: it is mapped"));
    }
    let place = |rest: &str| {
        let (physical, why) = rest.split_once(", is ")?;
        Some((hex(physical)? / PAGE as u64, why.to_owned()))
    };
    if let Some((page, why)) = why.strip_prefix("its page, physical ").and_then(place) {
        let right = way.page == Some(page) && state(page) == Some(&*why);
        return (!right).then(|| {
            format!(
                "{text}: it is in {:x?}, which is {:?}",
                way.page,
                state(page)
            )
        });
    }
    if let Some((page, why)) = why.strip_prefix("a page table, physical ").and_then(place) {
        let right = way.tables.contains(&page) && state(page) == Some(&*why);
        return (!right)
            .then(|| format!("{text}: tables {:x?}, it is {:?}", way.tables, state(page)));
    }
    Some(format!("{text}: no page is named"))
}

/// A text without file names and numbers.
pub fn plain(text: &str) -> String {
    let text = text.rsplit_once(": memory+").map_or(text, |(_, rest)| rest);
    let mut plain = String::new();
    for word in text.split(' ') {
        let digits = word.trim_matches([',', '(', ')', ':', ';', '.']);
        let number = digits.starts_with("0x") || digits.parse::<u64>().is_ok();
        plain.push_str(if plain.is_empty() { "" } else { " " });
        match number {
            true => plain.push_str(&word.replace(digits, "N")),
            false => plain.push_str(word),
        }
    }
    while plain.contains("N, N") {
        plain = plain.replace("N, N", "N");
    }
    plain
}

/// How often each text was said, numbers left out.
#[derive(Default)]
pub struct Reasons(BTreeMap<String, usize>);

impl Reasons {
    pub fn count(&mut self, kind: &str, text: &str) {
        *self
            .0
            .entry(format!("{kind}: {}", plain(text)))
            .or_default() += 1;
    }

    pub fn print(&self) {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(text, count)| (std::cmp::Reverse(**count), *text));
        for (text, count) in all {
            println!("{count:7} {text}");
        }
    }
}
