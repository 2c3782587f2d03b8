//! Functions and inlined calls, and where they are.

/// "Not known" in numbers of files and calls.
pub(crate) const NONE: u32 = u32::MAX;

/// A function, or a call of one that was inlined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Call<'d> {
    /// The function called: its linkage name, else its name in the source.
    pub name: Option<&'d str>,
    /// The call that this one was inlined into; `NONE` for a function.
    pub parent: u32,
    /// Where the call stands: number of the file in the unit's line table; `NONE` when not known.
    pub file: u32,
    /// Line, from 1; 0 when not known.
    pub line: u32,
    /// Column, from 1; 0 when not known.
    pub column: u32,
}

/// Addresses that belong to a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// First link address.
    pub start: u64,
    /// First link address behind it.
    pub end: u64,
    /// Inlined calls around it.
    pub depth: u32,
    /// Which call.
    pub call: u32,
}

/// Calls in the order of the unit's entries, and where they are.
#[derive(Default)]
pub(super) struct Calls<'d> {
    pub calls: Vec<Call<'d>>,
    pub spans: Vec<Span>,
}

/// Whether the range holds one of the sorted addresses `wanted`.
pub(super) fn holds_any(wanted: &[u64], (start, end): (u64, u64)) -> bool {
    let at = wanted.partition_point(|w| *w < start);
    wanted.get(at).is_some_and(|w| *w < end)
}
