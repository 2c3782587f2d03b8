//! Lines that the log broke in two: by mail programs and narrow terminals.

use super::state::Assembler;
use crate::products::oops::read::frame;
use crate::products::oops::read::said::{Said, said};

/// Columns of the narrowest terminals and of mail.
const NARROW: usize = 56;

impl Assembler {
    /// `text` joined to the beginning that the line before had of it, if that makes a place.
    pub(in crate::products::oops::read) fn mended(&mut self, text: &str) -> Option<String> {
        let torn = self.torn.take()?;
        let text = text.trim();
        [format!("{torn}{text}"), format!("{torn} {text}")]
            .into_iter()
            .find(|joined| {
                let said = said(joined, true);
                matches!(said, Said::Frame(f) if f.symbol.is_some_and(|s| s.offset.is_some()))
                    || matches!(said, Said::Rip(f) if f.symbol.is_some())
            })
    }
}

/// Whether `text`, which says nothing by itself, may be the beginning of a place.
pub(super) fn is_torn(text: &str) -> bool {
    if ["RIP:", "EIP:", "?"].contains(&text) || text.starts_with("RIP: 0") || text == "[<" {
        return true;
    }
    // `f+0x1/0x2 [mod`
    if let Some((symbol, module)) = text.rsplit_once(" [")
        && !module.contains(']')
        && frame::place(symbol.trim_start_matches("? ")).is_some()
    {
        return true;
    }
    let (address, word) = match text.rsplit_once(' ') {
        Some((before, word)) => (before, word),
        None => ("", text),
    };
    let before = address.is_empty()
        || address == "?"
        || address.ends_with(">]")
        || address.ends_with(">] ?");
    let sane = |w: &str| {
        w.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.$+/".contains(&b))
    };
    if !before || !sane(word) || word.is_empty() {
        return false;
    }
    let begun = word.split_once('+').is_some_and(|(name, rest)| {
        let hex = |t: &str| t.bytes().all(|b| b.is_ascii_hexdigit());
        let part = |t: &str| t.is_empty() || t == "0" || t.strip_prefix("0x").is_some_and(hex);
        let numbers = match rest.split_once('/') {
            Some((offset, size)) => part(offset) && part(size),
            None => part(rest),
        };
        !name.is_empty() && numbers
    });
    begun || text.len() >= NARROW
}
