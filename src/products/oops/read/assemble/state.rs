//! What is known of the report that is being read.

use std::ops::Range;

use crate::products::oops::read::report::{Oops, PrintedPlace};

/// No report of a kernel has more of each.
pub(super) const MAX_STACKS: usize = 256;
pub(super) const MAX_BLOCKS: usize = 256;

/// Where a line stands in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its number, from 0.
    pub line: u64,
    /// Its bytes.
    pub bytes: Range<u64>,
    /// Whether there is a time stamp before its text.
    pub stamped: bool,
    /// Columns of it, bytes.
    pub width: usize,
}

/// What kind of line came last, where the next one depends on it.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) enum Last {
    #[default]
    Any,
    /// The main line.
    Heading,
    /// `Code:`, or a piece of it.
    Code,
    /// `Modules linked in:`, or a piece of it.
    Modules,
    /// The line of the CPU, or a piece of it.
    Cpu(String),
    /// A frame of the main stack or of the last one beside it.
    Frame,
    /// A line that may be the title of a stack.
    Title(String),
    /// A line behind which a function is named that is on no stack.
    Owner,
}

/// Reads the lines of one printer.
#[derive(Debug, Default)]
pub struct Assembler {
    pub(super) open: Option<Oops>,
    /// Lines since the last that belonged to it.
    pub(super) quiet: u32,
    /// The first of them.
    pub(super) behind: Option<Place>,
    /// Lines of programs in it.
    pub(super) programs: u32,
    /// Whether only `cut here` was seen so far.
    pub(super) untitled: bool,
    /// Whether it began with a line of `=`.
    pub(super) ruled: bool,
    /// Whether its lines have time stamps.
    pub(super) stamped: bool,
    /// Columns of its last line.
    pub(super) width: usize,
    /// Whether the `Call Trace:` of the stack being read was seen.
    pub(super) traced: bool,
    /// Whether its end was seen; what follows is said once more.
    pub(super) ended: bool,
    /// Whether a frame now goes to the last of the stacks beside.
    pub(super) beside: bool,
    /// Frames of it that were seen.
    pub(super) frames: usize,
    /// Whether a stack was announced whose CPU, registers and frames are to come: of an NMI, of a task, of a panic.
    pub(super) announced: bool,
    /// Whether a `<TASK>` or the like is open.
    pub(super) block_open: bool,
    /// The register block that lines belong to.
    pub(super) block: Option<usize>,
    /// Name of the stack that frames are on.
    pub(super) stack: Option<String>,
    /// CPUs that do not get on, as the report lists them.
    pub(super) stalled: Vec<u32>,
    /// The task that the text of the report names.
    pub(super) named: Option<(Option<String>, Option<u32>)>,
    /// Whether the task that is shown next holds what the report's waits for.
    pub(super) holder: bool,
    /// A panic that came behind the stack, whose own stack may follow.
    pub(super) panic: Option<(String, Place)>,
    /// Calls that are inlined into the frame to come.
    pub(super) inlined: Vec<PrintedPlace>,
    /// The beginning of a line that the log broke in two.
    pub(super) torn: Option<String>,
    pub(super) last: Last,
}
