//! A report of a log among many as a row: `fixtrace.row/1`. Fields are only ever added.

use serde::Serialize;

use crate::products::oops::rows;

/// The name of this form.
pub const SCHEMA: &str = "fixtrace.row/1";

/// A report.
#[derive(Clone, Serialize, Debug)]
pub struct Row<'a> {
    /// The name of this form, with its version.
    pub schema: &'static str,
    /// The log, by its number among those given, from 0.
    pub log: u64,
    /// Its first line there, from 1.
    pub line: u64,
    /// What it is about.
    pub kind: &'static str,
    /// Its main line.
    pub title: &'a str,
    /// The function to blame.
    pub culprit: Option<&'a str>,
    /// The functions that tell it from others, innermost first.
    pub signature: &'a [String],
    /// The kind with its variant and access: with `functions` and `doubts` what `symbolize --summary` groups by.
    pub what: &'a str,
    /// The functions that the same groups by.
    pub functions: &'a [String],
    /// Why it is not to be trusted as a whole.
    pub doubts: &'a [&'static str],
    /// The kernel's release.
    pub release: Option<&'a str>,
    /// The kernel's build-id, hexadecimal.
    pub build_id: Option<&'a str>,
    /// The task's id.
    pub pid: Option<u32>,
    /// The task's name.
    pub comm: Option<&'a str>,
    /// The CPU.
    pub cpu: Option<u32>,
    /// Whether the kernel would call its stack reliable.
    pub reliable: Option<bool>,
    /// Whether its stack is complete.
    pub complete: Option<bool>,
    /// Its stack, innermost first.
    pub frames: Vec<RowFrame<'a>>,
}

/// A frame of a row.
#[derive(Clone, Serialize, Debug)]
pub struct RowFrame<'a> {
    /// What the log has.
    pub printed: &'a str,
    /// Whether the kernel marked it with `?`.
    pub guess: bool,
    /// The function that it was.
    pub function: Option<&'a str>,
    /// The functions that it may be.
    pub candidates: &'a [String],
    /// The image that it is in.
    pub image: Option<&'a str>,
    /// How the function is known.
    pub basis: &'static str,
    /// How sure it is.
    pub certainty: &'static str,
}

impl<'a> Row<'a> {
    /// The twin of `row`.
    pub fn new(row: &'a rows::Row) -> Self {
        Row {
            schema: SCHEMA,
            log: row.log,
            line: row.line,
            kind: row.kind,
            title: &row.title,
            culprit: row.culprit.as_deref(),
            signature: &row.signature,
            what: &row.what,
            functions: &row.functions,
            doubts: &row.doubts,
            release: row.release.as_deref(),
            build_id: row.build_id.as_deref(),
            pid: row.pid,
            comm: row.comm.as_deref(),
            cpu: row.cpu,
            reliable: row.reliable,
            complete: row.complete,
            frames: row.frames.iter().map(RowFrame::new).collect(),
        }
    }
}

impl<'a> RowFrame<'a> {
    fn new(frame: &'a rows::RowFrame) -> Self {
        RowFrame {
            printed: &frame.printed,
            guess: frame.guess,
            function: frame.function.as_deref(),
            candidates: &frame.candidates,
            image: frame.image.as_deref(),
            basis: frame.basis,
            certainty: frame.certainty,
        }
    }
}
