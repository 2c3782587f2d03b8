//! A report of a log, as data.

use std::ops::Range;

use super::frame::{FrameText, Vouch};
use super::kind::Kind;
use super::prefix::Caller;
use super::registers::Block;
use crate::base::arch::Arch;

/// One report, as the log has it.
#[derive(Clone, PartialEq, Debug)]
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
}

/// What `__die()` printed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Died {
    /// The exception in the kernel's words.
    pub what: String,
    /// Its kind.
    pub kind: Kind,
    /// The error code.
    pub code: u16,
    /// How many this kernel had by then.
    pub number: u32,
}

/// A frame of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
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
}

/// A symbol as the kernel prints it; see [`super::frame::Symbol`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// Bytes from it.
    pub offset: u64,
    /// Bytes to the next symbol.
    pub size: u64,
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
        }
    }

    /// As the kernel prints it.
    pub fn printed(&self) -> String {
        match (&self.symbol, self.address) {
            (Some(s), _) => {
                let module = s.module.as_ref().map(|m| format!(" [{m}]"));
                let (name, module) = (&s.name, module.unwrap_or_default());
                format!("{name}+{:#x}/{:#x}{module}", s.offset, s.size)
            }
            (None, address) => format!("{:#x}", address.unwrap_or(0)),
        }
    }
}

/// A stack beside the main one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stack {
    /// The line above it.
    pub title: String,
    /// Its frames, innermost first.
    pub frames: Vec<LogFrame>,
}

/// A module of `Modules linked in:`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// The flags in parentheses.
    pub flags: Option<String>,
    /// Its build-id, where frames gave it.
    pub build_id: Option<String>,
}

impl Oops {
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
            frames: Vec::new(),
            stacks: Vec::new(),
            again: Vec::new(),
            modules: Vec::new(),
            panic: None,
            cut: false,
        }
    }

    /// The registers of the report itself: those of the innermost frame.
    pub fn registers(&self) -> Option<&Block> {
        let top = self.frames.iter().position(|f| f.vouch == Vouch::Rip)?;
        let told = self.frames[..top].iter().any(|f| f.vouch == Vouch::Frame);
        self.blocks.get(self.frames[top].block?).filter(|_| !told)
    }

    /// All frames, wherever they stand.
    pub(crate) fn all_frames(&self) -> impl Iterator<Item = &LogFrame> {
        let stacks = self.stacks.iter().flat_map(|s| &s.frames);
        self.frames.iter().chain(stacks).chain(&self.again)
    }
}
