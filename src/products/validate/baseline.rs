//! What was known before: findings by their keys, in a text that a diff shows well.
//!
//! A line for each: image, id, function, kind of place, and how many of them there are, with tabs between; sorted.

use std::collections::{BTreeMap, BTreeSet};

use super::key::Key;
use crate::base::error::{Error, ErrorKind, Result};

/// The first line.
const HEAD: &str = "# fixtrace baseline 1: image, check, function, place, count";

/// Image, id, function, place.
type Class = (String, String, String, String);

/// Findings that are known.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Baseline {
    counts: BTreeMap<Class, u64>,
}

impl Baseline {
    /// Reads what [`Baseline::text`] wrote. Empty lines and those that begin with `#` count for nothing.
    ///
    /// # Errors
    ///
    /// `Malformed` at the first line that is no such one.
    pub fn parse(text: &str) -> Result<Self> {
        let mut counts = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fields: Vec<&str> = line.split('\t').collect();
            let [image, id, function, place, count] = fields[..] else {
                return Err(malformed(
                    number,
                    "five fields with tabs between are expected",
                ));
            };
            let count: u64 = (count.parse()).map_err(|_| malformed(number, "no count"))?;
            let class = (read(image), read(id), read(function), read(place));
            *counts.entry(class).or_default() += count;
        }
        Ok(Baseline { counts })
    }

    /// Adds `keys`.
    pub fn add(&mut self, keys: &[Key]) {
        for key in keys {
            *self.counts.entry(class(key)).or_default() += 1;
        }
    }

    /// Whether `key` is known.
    pub fn knows(&self, key: &Key) -> bool {
        let count = self.counts.get(&class(key));
        count.is_some_and(|count| key.ordinal <= *count)
    }

    /// What is known of `image`, and is not among `keys`, which are those of that image; of checks that `ran`.
    pub fn gone(&self, image: &str, keys: &[Key], ran: impl Fn(&str) -> bool) -> Vec<Key> {
        let mut now: BTreeMap<Class, u64> = BTreeMap::new();
        keys.iter()
            .for_each(|k| *now.entry(class(k)).or_default() += 1);
        let known = self
            .counts
            .iter()
            .filter(|(c, _)| c.0 == image && ran(&c.1));
        let gone = known.flat_map(|(class, count)| {
            let from = now.get(class).copied().unwrap_or(0);
            let (image, id, function, place) = class;
            (from..*count).map(|n| Key {
                image: image.clone(),
                id: id.clone(),
                function: function.clone(),
                place: place.clone(),
                ordinal: n + 1,
            })
        });
        // A file may claim any number.
        gone.take(MOST).collect()
    }

    /// The images that it knows something of.
    pub fn images(&self) -> BTreeSet<&str> {
        self.counts.keys().map(|c| c.0.as_str()).collect()
    }

    /// How many are known.
    pub fn len(&self) -> u64 {
        self.counts.values().fold(0, |a, b| a.saturating_add(*b))
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The text.
    pub fn text(&self) -> String {
        let mut text = format!("{HEAD}\n");
        for ((image, id, function, place), count) in &self.counts {
            for field in [image, id, function, place] {
                text.push_str(&written(field));
                text.push('\t');
            }
            text.push_str(&format!("{count}\n"));
        }
        text
    }
}

/// So many that are gone are told of an image.
const MOST: usize = 1 << 20;

fn class(key: &Key) -> Class {
    let Key {
        image,
        id,
        function,
        place,
        ..
    } = key.clone();
    (image, id, function, place)
}

fn malformed(line: usize, what: &str) -> Error {
    let what = format!("line {}: no baseline: {what}", line + 1);
    Error::new(ErrorKind::Malformed, what)
}

/// A field on its way out: names may hold anything.
fn written(field: &str) -> String {
    let mut text = String::new();
    for c in field.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '#' if text.is_empty() => text.push_str("\\u{23}"),
            c if c.is_control() => text.extend(c.escape_unicode()),
            c => text.push(c),
        }
    }
    text
}

/// A field on its way in.
fn read(field: &str) -> String {
    let mut text = String::new();
    let mut rest = field;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let code = after.strip_prefix("u{").and_then(|a| a.split_once('}'));
        let code = code.and_then(|(n, rest)| {
            let n = u32::from_str_radix(n, 16).ok()?;
            Some((char::from_u32(n)?, rest))
        });
        rest = match code {
            Some((c, rest)) => {
                text.push(c);
                rest
            }
            None => {
                text.push('\\');
                after.strip_prefix('\\').unwrap_or(after)
            }
        };
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(function: &str, ordinal: u64) -> Key {
        Key {
            image: "vmlinux".into(),
            id: "orc-x".into(),
            function: function.into(),
            place: "row".into(),
            ordinal,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut baseline = Baseline::default();
        baseline.add(&[key("#a\tb\\n\n", 1), key("f", 1), key("f", 2)]);
        let text = baseline.text();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert_eq!(Baseline::parse(&text).ok(), Some(baseline.clone()));
        assert!(baseline.knows(&key("f", 2)) && !baseline.knows(&key("f", 3)));
        assert_eq!(baseline.len(), 3);
        assert!(Baseline::parse("a\tb").is_err());
    }

    #[test]
    fn what_is_gone_is_told_of_checks_that_ran() {
        let mut baseline = Baseline::default();
        baseline.add(&[key("f", 1), key("f", 2), key("g", 1)]);
        let gone = baseline.gone("vmlinux", &[key("f", 1)], |_| true);
        assert_eq!(gone, [key("f", 2), key("g", 1)]);
        assert!(baseline.gone("vmlinux", &[], |_| false).is_empty());
        assert!(baseline.gone("kvm", &[], |_| true).is_empty());
    }
}
