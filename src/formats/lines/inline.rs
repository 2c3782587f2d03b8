//! One level of a chain of inlined calls, and its path made short.

use std::borrow::Cow;

use crate::base::name::{Name, own};

/// One level of a call chain that the compiler inlined.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Inline<'a> {
    /// The function, demangled.
    pub function: Option<Name<'a>>,
    /// The source file: relative to the build directory when below it, else as the debug information has it.
    pub file: Option<Name<'a>>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
}

impl Inline<'_> {
    /// The function, as people are shown it.
    pub(crate) fn name(&self) -> &str {
        self.function.as_deref().unwrap_or("??")
    }

    /// Leaves out what the first fitting one of `prefixes` says at the beginning of the path; see [`below`].
    pub(crate) fn strip(&mut self, prefixes: &[String]) {
        if let Some(file) = &mut self.file {
            *file = file.map(|path| Cow::Borrowed(below(path, prefixes)));
        }
    }

    /// The same with names of its own.
    pub(crate) fn into_owned(self) -> Inline<'static> {
        Inline {
            function: self.function.map(own),
            file: self.file.map(own),
            line: self.line,
            column: self.column,
        }
    }
}

/// `path` without the first of the directories `prefixes` that it begins with.
pub fn below<'p>(path: &'p str, prefixes: &[String]) -> &'p str {
    let rest = |prefix: &String| {
        let rest = path.strip_prefix(prefix.trim_end_matches('/'))?;
        rest.strip_prefix('/').filter(|rest| !rest.is_empty())
    };
    prefixes.iter().find_map(rest).unwrap_or(path)
}
