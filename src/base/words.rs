//! Many words looked for at once.

use aho_corasick::Span;
use aho_corasick::packed::Searcher;

/// Words that one pass looks for: with more it takes more than twice as long.
const AT_ONCE: usize = 16;

/// Bytes that all passes go over before they go on: they stay near the processor.
const BLOCK: usize = 1 << 17;

/// Words to look for.
#[derive(Debug)]
pub(crate) struct Words {
    /// `None` where this processor cannot look.
    passes: Option<Vec<Searcher>>,
    /// Bytes behind a block that are looked at with it: of a word that begins in it, and as many as a pass needs.
    beyond: usize,
}

impl Words {
    /// Made to find any of `words`.
    pub(crate) fn new(words: &[&str]) -> Self {
        let passes: Option<Vec<Searcher>> = words.chunks(AT_ONCE).map(Searcher::new).collect();
        let least = passes.iter().flatten().map(Searcher::minimum_len).max();
        let longest = words.iter().map(|w| w.len()).max();
        Words {
            passes,
            beyond: longest.max(least).unwrap_or(0),
        }
    }

    /// Looks through `text`.
    pub(crate) fn hunt<'w, 't>(&'w self, text: &'t [u8]) -> Hunt<'w, 't> {
        Hunt {
            words: self,
            text,
            block: 0..0,
            next: Vec::new(),
        }
    }
}

/// A text that is looked through from its beginning to its end.
pub(crate) struct Hunt<'w, 't> {
    words: &'w Words,
    text: &'t [u8],
    block: std::ops::Range<usize>,
    /// Where each pass found the next one in the block.
    next: Vec<Option<usize>>,
}

impl Hunt<'_, '_> {
    /// Where a word begins, `from` or behind; `from` itself where nothing can be told.
    pub(crate) fn find(&mut self, mut from: usize) -> Option<usize> {
        let Some(passes) = &self.words.passes else {
            return (from < self.text.len()).then_some(from);
        };
        loop {
            if from >= self.block.end {
                if from >= self.text.len() {
                    return None;
                }
                self.block = from..self.text.len().min(from + BLOCK);
                self.next.clear();
            }
            // A word may begin in the block and end behind it.
            let end = self.text.len().min(self.block.end + self.words.beyond);
            if self.next.is_empty() {
                let all = passes.iter().map(|pass| look(pass, self.text, from, end));
                self.next.extend(all);
            }
            for (pass, next) in passes.iter().zip(&mut self.next) {
                if next.is_some_and(|at| at < from) {
                    *next = look(pass, self.text, from, end);
                }
            }
            let found = self.next.iter().flatten().min().copied();
            match found.filter(|at| *at < self.block.end) {
                Some(at) => return Some(at),
                None => from = self.block.end,
            }
        }
    }
}

/// The first word of `pass` from `from` to `end`; `from` where so little cannot be looked through.
fn look(pass: &Searcher, text: &[u8], from: usize, end: usize) -> Option<usize> {
    if end - from < pass.minimum_len() {
        return (from < end).then_some(from);
    }
    let found = pass.find_in(text, Span { start: from, end });
    found.map(|found| found.start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_them_is_found_wherever_it_stands() {
        let list: Vec<String> = (0..40).map(|n| format!("word{n:02}")).collect();
        let words = Words::new(&list.iter().map(String::as_str).collect::<Vec<_>>());
        let blanks = " ".repeat(BLOCK - 3);
        let text = format!("{blanks}word39{blanks}word00 word21{blanks}");
        let mut hunt = words.hunt(text.as_bytes());
        let (first, second) = (BLOCK - 3, 2 * BLOCK);
        assert_eq!(hunt.find(0), Some(first));
        assert_eq!(hunt.find(first + 1), Some(second));
        assert_eq!(hunt.find(second + 1), Some(second + 7));
        assert_eq!(
            hunt.find(second + 8).filter(|at| at + 100 < text.len()),
            None
        );
        assert_eq!(words.hunt(b"").find(0), None);
        // What is too short to look at is to be read.
        assert_eq!(words.hunt(b"a").find(0), Some(0));
    }
}
