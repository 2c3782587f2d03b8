//! What people and logs call a PC: an address, or `symbol+offset/size`, perhaps with a module. A Rust function may be
//! called by its path.

use crate::base::addr::{Addr, Address, LinkAddr};
use crate::formats::image::symtab::SymbolId;
use crate::world::kernel::{Kernel, Located, Placed};

/// A PC by name or number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Query<'q> {
    /// An address, perhaps of one image: `module:0x1234`.
    Address(Option<&'q str>, Addr),
    /// A place in a symbol.
    Symbol(SymbolQuery<'q>),
}

/// `module:name+offset/size`, `name+offset/size [module]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SymbolQuery<'q> {
    /// The module, when named.
    pub module: Option<&'q str>,
    /// The symbol, or the path of a Rust function.
    pub name: &'q str,
    /// Bytes from it.
    pub offset: u64,
    /// The size the kernel printed: bytes to the next symbol.
    pub size: Option<u64>,
}

impl<'q> Query<'q> {
    /// Parses `text`; `None` when it has no such form. Addresses are hexadecimal, with or without `0x`;
    /// without it they need eight digits at least, so that `add` or `dead` stay names.
    pub fn parse(text: &'q str) -> Option<Self> {
        let text = text.trim();
        // No symbol begins with a digit.
        if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            return hex(digits).map(|a| Query::Address(None, Addr(a)));
        }
        if let Some(addr) = (8..=16).contains(&text.len()).then(|| hex(text)).flatten() {
            return Some(Query::Address(None, Addr(addr)));
        }
        let image = |i: &&str| !i.is_empty() && i.bytes().all(|b| b.is_ascii_graphic());
        if let Some((image, digits)) = text.split_once(":0x").filter(|(i, _)| image(i)) {
            return hex(digits).map(|a| Query::Address(Some(image), Addr(a)));
        }
        SymbolQuery::parse(text).map(Query::Symbol)
    }
}

impl<'q> SymbolQuery<'q> {
    /// Parses `text`; offset and size are numbers in C's notation.
    pub(crate) fn parse(text: &'q str) -> Option<Self> {
        // A path may have brackets in it, but ends in none.
        let suffixed = text.strip_suffix(']').and_then(|t| t.rsplit_once(" ["));
        let (text, suffix) = match suffixed {
            Some((symbol, module)) => (symbol.trim_end(), Some(module)),
            None => (text, None),
        };
        let (module, symbol) = match text.split_once(':') {
            Some((module, symbol)) if !symbol.starts_with(':') => (Some(module), symbol),
            _ => (suffix, text),
        };
        let is_path = symbol.contains("::");
        let (name, numbers) = match symbol.rsplit_once('+') {
            // `Vec<dyn Any + Send>`
            Some((_, rest)) if is_path && rest.contains('>') => (symbol, "0"),
            Some((name, numbers)) => (name, numbers),
            None => (symbol, "0"),
        };
        let (offset, size) = match numbers.split_once('/') {
            Some((offset, size)) => (offset, Some(number(size)?)),
            None => (numbers, None),
        };
        let sane = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_graphic());
        let sane_name = match is_path {
            true => !name.chars().any(char::is_control),
            false => sane(name),
        };
        // `[lab 0123456789abcdef…]` carries the module's build-id.
        let module = module.map(|m| m.split(' ').next().unwrap_or(m));
        (sane_name && module.is_none_or(sane)).then_some(())?;
        Some(SymbolQuery {
            module,
            name,
            offset: number(offset)?,
            size,
        })
    }
}

fn hex(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0u64, |n, b| {
        let digit = (b as char).to_digit(16)?;
        (n >> 60 == 0).then_some(n << 4 | u64::from(digit))
    })
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => hex(digits),
        None => text
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse().ok())
            .flatten(),
    }
}

/// A place that a query may mean.
#[derive(Clone, Copy)]
pub struct Match<'k, 'd> {
    /// Where.
    pub located: Located<'k, 'd>,
    /// Whether the size printed is the symbol's; `None` when the query has none.
    pub size_fits: Option<bool>,
}

/// The places that address `at` may mean, of `image` where one is named: the text that runs there; else that of modules
/// whose address is not known, which are taken where they are linked, from 0 on.
pub fn places<'k, 'd>(
    kernel: &'k Kernel<'d>,
    image: Option<&str>,
    at: Addr,
) -> Vec<Located<'k, 'd>> {
    let in_text = |l: &Located<'_, '_>| l.image.text_section(l.link).is_some();
    let images = match image.map(|name| kernel.image(name)) {
        None => kernel.images(),
        Some(named) => named.map(std::slice::from_ref).unwrap_or_default(),
    };
    let running = match (image, images) {
        (Some(_), [p]) => p.slide.map(|s| p.at(s.link(at))).filter(in_text),
        _ => kernel.locate(at).filter(|_| image.is_none()),
    };
    if let Some(running) = running {
        return vec![running];
    }
    let unplaced = images.iter().filter(|p| p.slide.is_none());
    unplaced
        .map(|p| p.at(LinkAddr(at.0)))
        .filter(in_text)
        .collect()
}

/// All places that `query` may mean. Of equally named symbols those whose size fits are taken; when none
/// does, all are given, marked. Without a module the vmlinux goes first and modules count only if it has no
/// such symbol.
pub fn resolve<'k, 'd>(kernel: &'k Kernel<'d>, query: &SymbolQuery<'_>) -> Vec<Match<'k, 'd>> {
    let mut found: Vec<Match<'k, 'd>> = Vec::new();
    let images: Vec<&Placed<'d>> = match query.module {
        Some(module) => kernel.image(module).into_iter().collect(),
        None => kernel.images().iter().collect(),
    };
    for placed in images {
        let symbols = placed.image.symbols();
        let mut ids: Vec<SymbolId> = symbols.named(query.name).collect();
        if ids.is_empty() && query.name.contains("::") {
            ids.extend(symbols.named_from(query.name));
        }
        for id in ids {
            let s = symbols.get(id);
            let size_fits = query
                .size
                .map(|size| size == s.extent || Some(size) == s.size);
            let link = LinkAddr(s.addr.0).offset(query.offset.cast_signed());
            found.push(Match {
                located: placed.at(link),
                size_fits,
            });
        }
        if !found.is_empty() {
            break;
        }
    }
    if found.iter().any(|m| m.size_fits == Some(true)) {
        found.retain(|m| m.size_fits == Some(true));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(
        module: Option<&'static str>,
        name: &'static str,
        offset: u64,
        size: Option<u64>,
    ) -> Option<Query<'static>> {
        Some(Query::Symbol(SymbolQuery {
            module,
            name,
            offset,
            size,
        }))
    }

    #[test]
    fn every_way_to_name_a_pc() {
        let addr = |a| Some(Query::Address(None, Addr(a)));
        assert_eq!(
            Query::parse("0xffffffff81c01d27"),
            addr(0xffff_ffff_81c0_1d27)
        );
        assert_eq!(
            Query::parse("ffffffff81c01d27"),
            addr(0xffff_ffff_81c0_1d27)
        );
        assert_eq!(Query::parse("0x10"), addr(16));
        assert_eq!(
            Query::parse("kvm:0x10"),
            Some(Query::Address(Some("kvm"), Addr(16)))
        );
        assert_eq!(Query::parse("dead"), symbol(None, "dead", 0, None));
        assert_eq!(Query::parse("vfs_read"), symbol(None, "vfs_read", 0, None));
        assert_eq!(
            Query::parse(".E_copy+0x33/0xda"),
            symbol(None, ".E_copy", 0x33, Some(0xda))
        );
        assert_eq!(
            Query::parse("foo.cold+12"),
            symbol(None, "foo.cold", 12, None)
        );
        assert_eq!(
            Query::parse("lab:op_set+0x2f/0x33"),
            symbol(Some("lab"), "op_set", 0x2f, Some(0x33))
        );
        assert_eq!(
            Query::parse("op_set+0x2f/0x33 [lab]"),
            symbol(Some("lab"), "op_set", 0x2f, Some(0x33))
        );
        assert_eq!(
            Query::parse("f+0x1/0x2 [lab 01ab]"),
            symbol(Some("lab"), "f", 1, Some(2))
        );
    }

    #[test]
    fn paths_of_rust_functions_are_names() {
        let name = |module, name, offset| symbol(module, name, offset, None);
        for (text, expected) in [
            (
                "core::str::count::f+0x10",
                name(None, "core::str::count::f", 16),
            ),
            (
                "lab:core::str::count::f",
                name(Some("lab"), "core::str::count::f", 0),
            ),
            (
                "core::str::count::f+0x1 [lab 01ab]",
                name(Some("lab"), "core::str::count::f", 1),
            ),
            (
                "alloc::vec::Vec<T, A>::push+2",
                name(None, "alloc::vec::Vec<T, A>::push", 2),
            ),
            (
                "<[T] as core::fmt::Debug>::fmt+0x1",
                name(None, "<[T] as core::fmt::Debug>::fmt", 1),
            ),
            (
                "core::ptr::drop_in_place<dyn Any + Send>",
                name(None, "core::ptr::drop_in_place<dyn Any + Send>", 0),
            ),
            (
                "core::ptr::drop_in_place<dyn Any + Send>+0x4",
                name(None, "core::ptr::drop_in_place<dyn Any + Send>", 4),
            ),
        ] {
            assert_eq!(Query::parse(text), expected, "{text}");
        }
        let sized = "<core::fmt::Formatter as core::fmt::Write>::write_str+0x10/0x20";
        let named = "<core::fmt::Formatter as core::fmt::Write>::write_str";
        assert_eq!(Query::parse(sized), symbol(None, named, 16, Some(32)));
        let mangled = "_RNvCs1234_6kernel5print+0x4";
        assert_eq!(
            Query::parse(mangled),
            name(None, "_RNvCs1234_6kernel5print", 4)
        );
    }

    #[test]
    fn what_is_no_pc_is_refused() {
        for bad in [
            "",
            "+0x1",
            "foo+",
            "foo+0x",
            "foo+bar",
            "foo+0x1/",
            "foo+1/x",
            "foo [lab",
            ":foo+0x1",
            ":0x10",
            "kvm:0x",
            "kvm:0x10+0x1",
            "a b+0x1",
            "foo+-1",
            "0xfffffffffffffffff",
            "core::f+bar",
            "core::f+0x1\t::g",
            " :core::f",
        ] {
            assert_eq!(Query::parse(bad), None, "{bad}");
        }
    }
}
