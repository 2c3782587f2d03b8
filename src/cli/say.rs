//! Words on standard error. Where nobody takes them the run goes on: it has its exit code.

use std::fmt;
use std::io::{self, Write};

/// Writes `text`, all at once.
pub fn text(text: fmt::Arguments<'_>) {
    let _ = io::stderr().write_all(text.to_string().as_bytes());
}

/// As those of the standard library, which panic where standard error takes nothing.
macro_rules! eprint {
    ($($words:tt)*) => { $crate::cli::say::text(format_args!($($words)*)) };
}

macro_rules! eprintln {
    ($($words:tt)*) => { $crate::cli::say::text(format_args!("{}\n", format_args!($($words)*))) };
}
