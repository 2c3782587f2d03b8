//! Symbols from text: `System.map` (what `nm -n` prints) and `/proc/kallsyms`.
//!
//! Lines are `ADDRESS TYPE NAME` with an optional `[module]`. Only code symbols (`t`, `T`, `w`, `W`) in the
//! text of the image are taken; a kallsyms that hides its addresses (all zero) is refused.

use super::section::{Section, text_of};
use super::symtab::SymTab;
use super::symtab::packed::{Packed, STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_NOTYPE};
use crate::base::error::{Error, ErrorKind, Finding, Result};

/// One line: address, type letter, name's offset in `line`, module.
fn parse_line(line: &[u8]) -> Option<(u64, u8, usize, Option<&[u8]>)> {
    let space = line.iter().position(|b| *b == b' ')?;
    let addr = u64::from_str_radix(str::from_utf8(&line[..space]).ok()?, 16).ok()?;
    let (kind, rest) = (*line.get(space + 1)?, line.get(space + 2..)?);
    let name = rest.strip_prefix(b" ")?;
    let module = name
        .iter()
        .position(|b| *b == b'[')
        .map(|at| &name[at + 1..]);
    let module = module.and_then(|m| m.split(|b| *b == b']').next());
    (!name.is_empty()).then_some((addr, kind, space + 3, module))
}

/// Reads `text` as symbols of the image of `sections`; lines of modules are taken for a module image, others for a vmlinux.
/// The kernel's slide is removed when `_stext` stands elsewhere than the image's text begins.
pub(super) fn parse<'d>(
    text: &'d [u8],
    sections: &[Section<'d>],
) -> Result<(SymTab<'d>, Vec<Finding>)> {
    let lines = || {
        let mut at = 0usize;
        text.split(|b| *b == b'\n').map(move |line| {
            let start = at;
            at += line.len() + 1;
            (start, line)
        })
    };
    let of_text: Vec<&Section<'_>> = text_of(sections).iter().map(|i| &sections[*i]).collect();
    let base = of_text.first().and_then(|s| s.addr).unwrap_or_default().0;
    let name_of = |line: &'d [u8], at: usize| {
        line[at..]
            .split(|b| b" \t\r".contains(b))
            .next()
            .unwrap_or_default()
    };
    let stext = lines()
        .filter_map(|(_, l)| Some((parse_line(l)?, l)))
        .find(|((_, _, at, m), l)| m.is_none() && matches!(name_of(l, *at), b"_text" | b"_stext"));
    let slide = stext.map_or(0, |((addr, ..), _)| addr.wrapping_sub(base));
    let (mut symbols, mut broken, mut zero, mut seen) = (Vec::new(), 0usize, 0usize, 0usize);
    for (start, line) in lines() {
        let Some((addr, kind, at, module)) = parse_line(line) else {
            broken += usize::from(!line.is_empty());
            continue;
        };
        if !matches!(kind, b't' | b'T' | b'w' | b'W') || module.is_some() {
            continue;
        }
        seen += 1;
        zero += usize::from(addr == 0);
        let link = addr.wrapping_sub(slide);
        let inside = of_text
            .iter()
            .any(|s| s.addr.is_some_and(|a| link.wrapping_sub(a.0) <= s.size));
        let offset = link.checked_sub(base).and_then(|o| u32::try_from(o).ok());
        let (Some(offset), Ok(name), true) = (offset, u32::try_from(start + at), inside) else {
            continue;
        };
        let bind = match kind {
            b't' => STB_LOCAL,
            b'T' => STB_GLOBAL,
            _ => STB_WEAK,
        };
        symbols.push(Packed {
            offset,
            size: 0,
            name,
            kind: STT_NOTYPE,
            bind,
        });
    }
    if seen > 0 && zero == seen {
        return Err(Error::new(
            ErrorKind::Malformed,
            "all addresses are 0: read kallsyms as root (kptr_restrict)",
        ));
    }
    if symbols.is_empty() {
        return Err(Error::new(
            ErrorKind::Malformed,
            "no code symbol of this image in the symbol file",
        ));
    }
    let mut findings = Vec::new();
    if broken > 0 {
        findings.push(Finding::new(
            "symbols",
            0,
            format!("{broken} lines are not ADDRESS TYPE NAME"),
        ));
    }
    Ok((SymTab::from_text(text, sections, symbols), findings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_files_are_read() {
        assert_eq!(
            parse_line(b"ffffffff81000000 T _text"),
            Some((0xffff_ffff_8100_0000, b'T', 19, None))
        );
        assert_eq!(
            parse_line(b"ffffffffc0201000 t foo\t[lab]"),
            Some((0xffff_ffff_c020_1000, b't', 19, Some(&b"lab"[..])))
        );
        for bad in [&b""[..], b"zz T x", b"10 T", b"10 T ", b"10", b"10  x"] {
            assert_eq!(parse_line(bad), None, "{bad:?}");
        }
    }
}
