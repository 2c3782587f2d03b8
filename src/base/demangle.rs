//! Names of Rust functions as their authors wrote them; the only place that names the demangler crate.

use std::borrow::Cow;

/// A longer answer than this is no help to a reader, and a name may be made to grow without end.
const MAX_LEN: usize = 4096;

/// A Rust symbol (legacy or v0 mangling) as its author wrote it, without its hash; any other name as it is.
/// A name nested too deeply stays as it is.
#[inline]
pub(crate) fn demangle(name: &str) -> Cow<'_, str> {
    match is_mangled(name) {
        true => demangled(name),
        false => Cow::Borrowed(name),
    }
}

fn demangled(name: &str) -> Cow<'_, str> {
    match parse(name).and_then(|d| limited(format_args!("{d:#}"))) {
        Some(text) => Cow::Owned(text),
        None => Cow::Borrowed(name),
    }
}

fn is_mangled(name: &str) -> bool {
    name.starts_with("_R") || name.starts_with("_ZN")
}

/// The same with its hash; `None` for what is no Rust symbol.
pub(crate) fn demangle_whole(name: &str) -> Option<String> {
    parse(name).and_then(|d| limited(format_args!("{d}")))
}

fn parse(name: &str) -> Option<rustc_demangle::Demangle<'_>> {
    is_mangled(name).then(|| rustc_demangle::try_demangle(name).ok())?
}

/// `text`, unless it is too long or nested too deeply.
fn limited(text: std::fmt::Arguments<'_>) -> Option<String> {
    let mut limited = Limited(String::new());
    std::fmt::write(&mut limited, text).ok()?;
    Some(limited.0).filter(|t| !t.contains("{recursion limit reached}"))
}

struct Limited(String);

impl std::fmt::Write for Limited {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        if self.0.len() + s.len() > MAX_LEN {
            return Err(std::fmt::Error);
        }
        self.0.push_str(s);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_names_are_demangled_and_others_are_left() {
        assert_eq!(demangle("vfs_read"), "vfs_read");
        assert_eq!(
            demangle("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE"),
            "core::fmt::Formatter::pad"
        );
        assert_eq!(demangle("_RNvCs1234_6kernel5print"), "kernel::print");
        assert_eq!(demangle("_ZNothing"), "_ZNothing");
        assert_eq!(
            demangle_whole("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE").as_deref(),
            Some("core::fmt::Formatter::pad::h0123456789abcdef")
        );
        assert_eq!(demangle_whole("vfs_read"), None);
    }

    #[test]
    fn a_name_nested_too_deeply_stays_as_it_is() {
        let name = format!("_RNvC1a1b{}", "I".repeat(10));
        assert_eq!(demangle(&name), name);
        let deep = format!("_RMC1a{}l", "R".repeat(100_000));
        assert_eq!(demangle(&deep), deep);
    }
}
