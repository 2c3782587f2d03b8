//! Names of Rust functions as their authors wrote them; the only place that names the demangler crate.

use std::borrow::Cow;

/// A longer answer than this is no help to a reader, and a name may be made to grow without end.
const MAX_LEN: usize = 4096;

/// A Rust symbol (legacy or v0 mangling) as its author wrote it, without its hash; any other name as it is.
/// A name nested too deeply stays as it is.
pub(crate) fn demangle(name: &str) -> Cow<'_, str> {
    if !name.starts_with("_R") && !name.starts_with("_ZN") {
        return Cow::Borrowed(name);
    }
    let Ok(demangled) = rustc_demangle::try_demangle(name) else {
        return Cow::Borrowed(name);
    };
    let mut text = Limited(String::new());
    match std::fmt::write(&mut text, format_args!("{demangled:#}")) {
        Ok(()) if !text.0.contains("{recursion limit reached}") => Cow::Owned(text.0),
        _ => Cow::Borrowed(name),
    }
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
    }

    #[test]
    fn a_name_nested_too_deeply_stays_as_it_is() {
        let name = format!("_RNvC1a1b{}", "I".repeat(10));
        assert_eq!(demangle(&name), name);
        let deep = format!("_RMC1a{}l", "R".repeat(100_000));
        assert_eq!(demangle(&deep), deep);
    }
}
