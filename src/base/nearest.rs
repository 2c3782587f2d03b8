//! Words that somebody may have meant.

use std::cmp::Reverse;

/// As many are suggested.
const SUGGESTED: usize = 3;

/// Those of `words` that are most like `word`: few letters apart, or one holds the other. Best first.
pub fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Vec<&'w str> {
    let wanted = word.to_lowercase();
    let letters: Vec<char> = wanted.chars().take(64).collect();
    let far = (letters.len() / 3).max(1);
    let score = |candidate: &'w str| {
        let other = candidate.to_lowercase();
        let holds = !wanted.is_empty() && other.contains(&wanted);
        let held = other.len() > 2 && wanted.contains(&other);
        let apart = distance(&letters, &other.chars().take(64).collect::<Vec<char>>());
        (holds || held || apart <= far).then_some((apart > far, apart, candidate))
    };
    let mut all: Vec<(bool, usize, &str)> = words.into_iter().filter_map(score).collect();
    all.sort_unstable_by_key(|(held, apart, word)| (*held, *apart, Reverse(word.len()), *word));
    all.dedup();
    all.truncate(SUGGESTED);
    all.into_iter().map(|(_, _, word)| word).collect()
}

/// Letters to insert, delete or replace to make `b` of `a` (Levenshtein).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let here = (before + usize::from(x != y))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            before = std::mem::replace(&mut row[j + 1], here);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_like_a_word_is_found() {
        let words = ["orc-unsorted", "orc-header", "extable-unsorted", "trust"];
        assert_eq!(nearest("orc-unsroted", words), ["orc-unsorted"]);
        assert_eq!(
            nearest("Unsorted", words),
            ["orc-unsorted", "extable-unsorted"]
        );
        assert_eq!(nearest("trusty", words), ["trust"]);
        assert!(nearest("zzzz", words).is_empty());
        assert!(nearest("", words).is_empty());
    }
}
