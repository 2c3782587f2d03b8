//! A report of a log, as data.

use std::ops::Range;

use super::frame::{self, FrameText, Vouch};
use super::kind::Kind;
use super::prefix::Caller;
use super::registers::Block;
use crate::base::arch::Arch;

/// One report, as the log has it.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Oops {
    /// What it is about.
    pub kind: Kind,
    /// Its main line, without what the log puts before it; empty for a bare stack.
    pub title: String,
    /// The text of a warning or of a BUG, which stands before the main line.
    pub message: Option<String>,
    /// What `__die()` said.
    pub die: Option<Died>,
    /// Lines of the log from its first to its last, numbered from 0. Lines of others may be among them.
    pub lines: Range<u64>,
    /// The same in bytes of the log.
    pub bytes: Range<u64>,
    /// Who printed it, where lines name that.
    pub caller: Option<Caller>,
    /// The CPU it was on.
    pub cpu: Option<u32>,
    /// The task's id.
    pub pid: Option<u32>,
    /// The task's name.
    pub comm: Option<String>,
    /// The task's state, one letter, where it slept.
    pub state: Option<char>,
    /// Taint flags.
    pub taint: Option<String>,
    /// The kernel's release.
    pub release: Option<String>,
    /// The kernel's build-id, hexadecimal.
    pub build_id: Option<String>,
    /// The kernel's architecture, as far as registers and functions tell it.
    pub arch: Option<Arch>,
    /// The work that a worker did.
    pub workqueue: Option<String>,
    /// The machine.
    pub hardware: Option<String>,
    /// Sets of registers: of the report itself, and of what its stacks had interrupted.
    pub blocks: Vec<Block>,
    /// Registers of the report whose RIP was lost, a row of `blocks`.
    pub orphan: Option<usize>,
    /// The stack, innermost first.
    pub frames: Vec<LogFrame>,
    /// Other stacks in it: who allocated and freed, who else held locks.
    pub stacks: Vec<Stack>,
    /// Lines that name a place once more.
    pub again: Vec<LogFrame>,
    /// Modules that were loaded.
    pub modules: Vec<Module>,
    /// The panic that it led to.
    pub panic: Option<String>,
    /// Whether parts of it were left out: it was longer than any real one.
    pub cut: bool,
    /// What it did to memory, where it is about that: `read`, `write`, `execute`, `free`.
    pub access: Option<&'static str>,
    /// Why it is not to be trusted as a whole.
    pub doubts: Vec<Doubt>,
    /// Whether it is what `/proc/PID/stack` shows: functions of the scheduler are left out.
    pub proc_stack: bool,
    /// Whether it is a stack as a tool shows one, which other text may look like.
    pub(super) weak: bool,
}

/// A reason to doubt a report.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Doubt {
    /// Which.
    pub kind: DoubtKind,
    /// In words.
    pub text: String,
}

/// Reasons to doubt a report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum DoubtKind {
    /// The log does not have all of it.
    Cut,
    /// Others' text is in its lines.
    Interleaved,
    /// The unwinder vouched for none of its frames.
    GuessesOnly,
    /// Its stack is of another task than its heading.
    OtherTask,
    /// The kernel or the reader of its log lost messages in it.
    LostMessages,
    /// A time stamp stands in its title.
    StampInTitle,
}

impl DoubtKind {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            DoubtKind::Cut => "cut",
            DoubtKind::Interleaved => "interleaved",
            DoubtKind::GuessesOnly => "guesses-only",
            DoubtKind::OtherTask => "other-task",
            DoubtKind::LostMessages => "lost-messages",
            DoubtKind::StampInTitle => "stamp-in-title",
        }
    }
}

/// What `__die()` printed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Died {
    /// The exception in the kernel's words.
    pub what: String,
    /// Its kind.
    pub kind: Kind,
    /// The error code, where one is printed.
    pub code: Option<u32>,
    /// How many this kernel had by then.
    pub number: u32,
}

/// A frame of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LogFrame {
    /// Whether the unwinder vouched for it.
    pub vouch: Vouch,
    /// The place by name.
    pub symbol: Option<Symbol>,
    /// The place by number.
    pub address: Option<u64>,
    /// The name of the stack it is on: `TASK`, `IRQ`, `NMI`, `#DF`, …
    pub stack: Option<String>,
    /// Its line in the log, from 0.
    pub line: u64,
    /// Its registers, a row of [`Oops::blocks`].
    pub block: Option<usize>,
    /// Source lines that the log has of it already: inlined calls innermost first, the function itself last.
    pub places: Vec<PrintedPlace>,
}

/// A source line that a log has already.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrintedPlace {
    /// The function, where the log names it.
    pub function: Option<String>,
    /// The file as it is printed.
    pub file: String,
    /// The line.
    pub line: u32,
}

/// A symbol as the kernel prints it; see [`super::frame::Symbol`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// Bytes from it, unless that was left out.
    pub offset: Option<u64>,
    /// Bytes to the next symbol, unless that was left out.
    pub size: Option<u64>,
    /// The module.
    pub module: Option<String>,
    /// The module's build-id.
    pub build_id: Option<String>,
}

impl LogFrame {
    /// The frame that a line shows.
    pub(crate) fn new(text: &FrameText<'_>, line: u64) -> Self {
        LogFrame {
            vouch: text.vouch,
            symbol: text.symbol.map(|s| Symbol {
                name: s.name.to_owned(),
                offset: s.offset,
                size: s.size,
                module: s.module.map(str::to_owned),
                build_id: s.build_id.map(str::to_owned),
            }),
            address: text.address,
            stack: None,
            line,
            block: None,
            places: printed_places(text),
        }
    }

    /// As the kernel prints it.
    pub fn printed(&self) -> String {
        match (&self.symbol, self.address) {
            (Some(s), _) => {
                let module = s.module.as_ref().map(|m| format!(" [{m}]"));
                let (name, module) = (&s.name, module.unwrap_or_default());
                let offset = s.offset.map(|o| format!("+{o:#x}")).unwrap_or_default();
                let size = s.size.map(|s| format!("/{s:#x}")).unwrap_or_default();
                format!("{name}{offset}{size}{module}")
            }
            (None, address) => format!("{:#x}", address.unwrap_or(0)),
        }
    }
}

/// The source lines that `text` has: of all but the last the functions are not named.
pub(super) fn printed_places(text: &FrameText<'_>) -> Vec<PrintedPlace> {
    let place = |(file, line): (&str, u32)| PrintedPlace {
        function: None,
        file: file.to_owned(),
        line,
    };
    let mut all: Vec<PrintedPlace> = frame::places(text.places).map(place).collect();
    if let (Some(last), Some(symbol)) = (all.last_mut(), &text.symbol) {
        last.function = Some(symbol.name.to_owned());
    }
    all
}

/// A stack beside the main one.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Stack {
    /// The line above it.
    pub title: String,
    /// Its frames, innermost first.
    pub frames: Vec<LogFrame>,
}

/// A module of `Modules linked in:`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Module {
    /// Its name.
    pub name: String,
    /// The flags in parentheses.
    pub flags: Option<String>,
    /// Its build-id, where frames gave it.
    pub build_id: Option<String>,
}

impl Oops {
    /// The kernel's release, where it tells a version: a build may name itself `syzkaller`
    /// or `x`, and such a name can refute no image.
    pub fn version(&self) -> Option<&str> {
        let digits = |r: &&str| r.starts_with(|c: char| c.is_ascii_digit()) && r.contains('.');
        self.release.as_deref().filter(digits)
    }

    /// An empty report that begins on `line`, `bytes` of the log.
    pub(crate) fn new(kind: Kind, line: u64, bytes: Range<u64>) -> Self {
        Oops {
            kind,
            title: String::new(),
            message: None,
            die: None,
            lines: line..line + 1,
            bytes,
            caller: None,
            cpu: None,
            pid: None,
            comm: None,
            state: None,
            taint: None,
            release: None,
            build_id: None,
            arch: None,
            workqueue: None,
            hardware: None,
            blocks: Vec::new(),
            orphan: None,
            frames: Vec::new(),
            stacks: Vec::new(),
            again: Vec::new(),
            modules: Vec::new(),
            panic: None,
            cut: false,
            access: None,
            doubts: Vec::new(),
            proc_stack: false,
            weak: false,
        }
    }

    /// The registers of the report itself: those of the innermost frame.
    pub fn registers(&self) -> Option<&Block> {
        let orphan = || self.blocks.get(self.orphan?);
        let Some(top) = self.frames.iter().position(|f| f.vouch == Vouch::Rip) else {
            return orphan();
        };
        let told = self.frames[..top].iter().any(|f| f.vouch == Vouch::Frame);
        // What printed the report came upon them: they are its own where it is about that.
        let own = self.kind.is_stall() || self.kind.is_fault();
        let own =
            own || matches!(self.kind, Kind::Warning | Kind::KernelBug | Kind::Panic) || self.weak;
        match told && !own {
            true => orphan(),
            false => self.blocks.get(self.frames[top].block?),
        }
    }

    /// Adds a doubt, once.
    pub(super) fn doubt(&mut self, kind: DoubtKind, text: impl Into<String>) {
        if self.doubts.iter().all(|d| d.kind != kind) {
            let text = text.into();
            self.doubts.push(Doubt { kind, text });
        }
    }

    /// All frames, wherever they stand.
    pub(crate) fn all_frames(&self) -> impl Iterator<Item = &LogFrame> {
        let stacks = self.stacks.iter().flat_map(|s| &s.frames);
        self.frames.iter().chain(stacks).chain(&self.again)
    }
}
