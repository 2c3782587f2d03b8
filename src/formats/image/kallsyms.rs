//! Symbols from text: `System.map` (what `nm -n` prints) and `/proc/kallsyms`.
//!
//! Lines are `ADDRESS TYPE NAME` with an optional `[module]`. Code symbols are those of types `t`, `T`, `w` and `W` in
//! the text of the image that kallsyms would have; symbols of modules are none of this image. A kallsyms that hides its
//! addresses (all zero) is refused.

use super::names::in_kallsyms;
use super::section::{Section, text_of};
use super::symtab::SymTab;
use super::symtab::packed::{Packed, STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_NOTYPE};
use crate::base::addr::LinkAddr;
use crate::base::error::{Error, ErrorKind, Finding, Result};

/// What Debian's packages have instead of a `System.map`: one line that names the package with the real one.
const PLACEHOLDER: &str = "The real System.map is in the ";

/// A line of a text.
struct Line<'d> {
    address: u64,
    kind: u8,
    /// Where the name is in the text.
    at: usize,
    name: &'d [u8],
    /// Whether it is of a module.
    of_module: bool,
}

/// A text of symbols, and where the kernel that it is of ran.
#[derive(Clone, Copy)]
pub(super) struct SymbolText<'d> {
    text: &'d [u8],
    slide: u64,
}

impl<'d> Line<'d> {
    /// Reads `line`, which begins at byte `start` of the text.
    fn parse(line: &'d [u8], start: usize) -> Option<Self> {
        let space = line.iter().position(|b| *b == b' ')?;
        let (digits, rest) = line.split_at_checked(space)?;
        let address = u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
        let [b' ', kind, b' ', rest @ ..] = rest else {
            return None;
        };
        let mut words = rest.split(u8::is_ascii_whitespace);
        let name = words.next().filter(|n| !n.is_empty())?;
        Some(Line {
            address,
            kind: *kind,
            at: start.checked_add(space)?.checked_add(3)?,
            name,
            of_module: words.any(|w| w.starts_with(b"[")),
        })
    }

    /// The binding that its type tells; `None` for what is no code.
    fn bind(&self) -> Option<u8> {
        match self.kind {
            b't' => Some(STB_LOCAL),
            b'T' => Some(STB_GLOBAL),
            b'w' | b'W' => Some(STB_WEAK),
            _ => None,
        }
    }
}

/// The lines of `text` that are not empty; `None` for one that is not `ADDRESS TYPE NAME`.
fn lines(text: &[u8]) -> impl Iterator<Item = Option<Line<'_>>> {
    let mut at = 0usize;
    let lines = text.split(|b| *b == b'\n').map(move |line| {
        let start = at;
        at += line.len() + 1;
        (start, line)
    });
    let filled = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    filled.map(|(start, line)| Line::parse(line, start))
}

impl<'d> SymbolText<'d> {
    /// `text`, of a kernel whose text is linked at `base`: `_text` says how far it was moved.
    fn new(text: &'d [u8], base: u64) -> Self {
        let mut own = lines(text).flatten().filter(|l| !l.of_module);
        let first = own.find(|l| matches!(l.name, b"_text" | b"_stext"));
        let slide = first.map_or(0, |l| l.address.wrapping_sub(base));
        SymbolText { text, slide }
    }

    /// Where a symbol is linked that ran at `address`. Per-CPU variables are counted from 0 and do not move.
    fn link(&self, address: u64) -> LinkAddr {
        LinkAddr(match address >> 63 {
            0 => address,
            _ => address.wrapping_sub(self.slide),
        })
    }

    /// Link addresses of all symbols called `name`, of whatever type, in order.
    pub(super) fn called(&self, name: &str) -> Vec<LinkAddr> {
        let own = lines(self.text).flatten().filter(|l| !l.of_module);
        let called = own.filter(|l| l.name == name.as_bytes());
        let mut found: Vec<LinkAddr> = called.map(|l| self.link(l.address)).collect();
        found.sort_unstable();
        found
    }

    /// Link addresses of the first symbols called `names`, of whatever type.
    pub(super) fn addresses(&self, names: &[&str], found: &mut [Option<LinkAddr>]) {
        for line in lines(self.text).flatten().filter(|l| !l.of_module) {
            if let Some(wanted) = names.iter().position(|n| n.as_bytes() == line.name)
                && let Some(place) = found.get_mut(wanted)
            {
                place.get_or_insert(self.link(line.address));
            }
        }
    }
}

/// Reads `text` as symbols of the image of `sections`, a kernel's of `release`. The kernel's slide is removed where `_text` stands elsewhere than
/// the image's text begins.
pub(super) fn parse<'d>(
    text: &'d [u8],
    sections: &[Section<'d>],
    release: Option<&str>,
) -> Result<(SymTab<'d>, SymbolText<'d>, Vec<Finding>)> {
    let refused = |what: String| Err(Error::new(ErrorKind::Malformed, what));
    if let Some(package) = placeholder(text) {
        let package = match release {
            Some(release) => package.replace("<version>", release),
            None => package.to_owned(),
        };
        let what = "is Debian's placeholder for a System.map: the real one is in the package";
        return refused(format!("{what} {package}"));
    }
    let of_text: Vec<&Section<'_>> = text_of(sections).iter().map(|i| &sections[*i]).collect();
    let base = of_text.first().and_then(|s| s.addr).unwrap_or_default().0;
    let source = SymbolText::new(text, base);
    let (mut symbols, mut broken, mut zero, mut seen) = (Vec::new(), 0usize, 0usize, 0usize);
    for line in lines(text) {
        let Some(line) = line else {
            broken += 1;
            continue;
        };
        let Some(bind) = line.bind().filter(|_| !line.of_module) else {
            continue;
        };
        seen += 1;
        zero += usize::from(line.address == 0);
        let link = source.link(line.address).0;
        // `_etext` stands right behind the last byte.
        let holds = |s: &&Section<'_>| s.addr.is_some_and(|a| link.wrapping_sub(a.0) <= s.size);
        let offset = link.checked_sub(base).and_then(|o| u32::try_from(o).ok());
        if of_text.iter().any(holds)
            && in_kallsyms(line.name)
            && let (Some(offset), Ok(name)) = (offset, u32::try_from(line.at))
        {
            symbols.push(Packed {
                offset,
                size: 0,
                name,
                kind: STT_NOTYPE,
                bind,
            });
        }
    }
    if seen > 0 && zero == seen {
        return refused("all addresses are 0: read kallsyms as root (kptr_restrict)".to_owned());
    }
    if symbols.is_empty() {
        return refused("no code symbol of this image in the symbol file".to_owned());
    }
    let mut findings = Vec::new();
    if broken > 0 {
        let what = format!("{broken} lines are not ADDRESS TYPE NAME");
        findings.push(Finding::new("symbols", 0, what));
    }
    let table = SymTab::from_text(text, sections, symbols);
    Ok((table, source, findings))
}

/// The package that Debian's placeholder refers to, if `text` is one: `ffffffffffffffff B The real System.map is in the
/// linux-image-6.1.0-50-amd64-dbg package`. Some have the word `<version>` there.
fn placeholder(text: &[u8]) -> Option<&str> {
    let line = str::from_utf8(text).ok()?.trim();
    let (_, package) = line.split_once(PLACEHOLDER)?;
    let package = package.strip_suffix(" package")?;
    (!line.contains('\n') && !package.contains(' ')).then_some(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<(u64, u8, usize, &str, bool)> {
        let l = Line::parse(line.as_bytes(), 100)?;
        let name = str::from_utf8(l.name).ok()?;
        Some((l.address, l.kind, l.at, name, l.of_module))
    }

    #[test]
    fn lines_of_both_files_are_read() {
        let text = 0xffff_ffff_8100_0000;
        for (line, expected) in [
            (
                "ffffffff81000000 T _text",
                (text, b'T', 119, "_text", false),
            ),
            (
                "ffffffff81000000 T _text\r",
                (text, b'T', 119, "_text", false),
            ),
            ("ffffffff81000000 t f\t[lab]", (text, b't', 119, "f", true)),
            ("ffffffff81000000 t f [lab]\r", (text, b't', 119, "f", true)),
            ("ffffffff81000000 t f[0]", (text, b't', 119, "f[0]", false)),
            ("10 A x", (16, b'A', 105, "x", false)),
        ] {
            assert_eq!(parsed(line), Some(expected), "{line:?}");
        }
        for bad in [
            "", "zz T x", "10 T", "10 T ", "10", "10  x", "10 TT x", " 10 T x",
        ] {
            assert_eq!(parsed(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn empty_lines_are_none() {
        let all: Vec<bool> = lines(b"10 T a\r\n\r\n\n?\n11 T b")
            .map(|l| l.is_some())
            .collect();
        assert_eq!(all, [true, false, true]);
    }

    #[test]
    fn data_is_found_where_it_is_linked() {
        let text = b"0000000000015000 D cpu_info\n\
            ffffffff9a000000 T _text\n\
            ffffffff9ba00180 D linux_banner\r\n\
            ffffffffc0400000 d modules\t[lab]\n\
            ffffffff9c000000 d modules";
        let text = SymbolText::new(text, 0xffff_ffff_8100_0000);
        let mut found = [None; 4];
        text.addresses(&["linux_banner", "modules", "cpu_info", "none"], &mut found);
        assert_eq!(
            found,
            [
                Some(LinkAddr(0xffff_ffff_82a0_0180)),
                Some(LinkAddr(0xffff_ffff_8300_0000)),
                Some(LinkAddr(0x15000)),
                None
            ]
        );
    }

    #[test]
    fn debians_placeholder_names_its_package() {
        let package = "linux-image-6.12.107+deb13-cloud-amd64-dbg";
        let line = format!("ffffffffffffffff B The real System.map is in the {package} package\n");
        assert_eq!(placeholder(line.as_bytes()), Some(package));
        let among_others = format!("ffffffff81000000 T _text\n{line}");
        assert_eq!(placeholder(among_others.as_bytes()), None);
    }
}
