//! Reports out of lines: one printer's lines, one after the other.

mod parts;

use std::ops::Range;

use super::frame::{self, Vouch};
use super::kind::{Heading, Kind};
use super::machine;
use super::registers::{Block, Code};
use super::report::{LogFrame, Oops, Stack};
use super::said::{self, Said};
pub(super) use parts::is_rule;
use parts::{
    allocator, cpu_of_nmi, died, is_part, is_stack_title, modules, named, push, short, sleeper,
    who, without_user,
};

/// Lines of others after which nothing more of a report is expected.
const PATIENCE: u32 = 8;

/// The same before its stack has come: some list locks, memory or CPUs first.
const PATIENCE_BEFORE_STACK: u32 = 48;

/// No report of a kernel has more of each.
const MAX_STACKS: usize = 256;
const MAX_BLOCKS: usize = 256;

/// Where a line stands in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its number, from 0.
    pub line: u64,
    /// Its bytes.
    pub bytes: Range<u64>,
}

/// What kind of line came last, where the next one depends on it.
#[derive(Clone, PartialEq, Debug, Default)]
enum Last {
    #[default]
    Any,
    /// `Code:`, or a piece of it.
    Code,
    /// `Modules linked in:`, or a piece of it.
    Modules,
    /// The line of the CPU.
    Cpu,
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
    open: Option<Oops>,
    /// Lines since the last that belonged to it.
    quiet: u32,
    /// Whether only `cut here` was seen so far.
    untitled: bool,
    /// Whether it began with a line of `=`.
    ruled: bool,
    /// Whether its `Call Trace:` was seen.
    traced: bool,
    /// Whether its end was seen; what follows is said once more.
    ended: bool,
    /// Whether a frame now goes to the last of the stacks beside.
    beside: bool,
    /// Frames of it that were seen.
    frames: usize,
    /// The register block that lines belong to.
    block: Option<usize>,
    /// Name of the stack that frames are on.
    stack: Option<String>,
    /// A panic that this report led to, which is a report of its own if a stack follows.
    panic: Option<(String, Place)>,
    last: Last,
}

impl Assembler {
    /// The report that is being read.
    pub(crate) fn open(&self) -> Option<&Oops> {
        self.open.as_ref()
    }

    /// Ends the report that is being read.
    pub(crate) fn finish(&mut self) -> Option<Oops> {
        let done = std::mem::take(self).open;
        done.map(|mut oops| {
            if oops.title.is_empty() {
                oops.title = oops.message.take().unwrap_or_default();
            }
            if oops.kind == Kind::NmiBacktrace {
                oops.cpu = oops.cpu.or(cpu_of_nmi(&oops.title));
            }
            oops
        })
    }

    /// A line of another printer came by.
    pub(crate) fn pass(&mut self, patience: u32) -> Option<Oops> {
        self.quiet += 1;
        (self.quiet > patience).then(|| self.finish()).flatten()
    }

    /// What came right before belongs to the report that begins now: a line of `=`.
    pub(super) fn begin_with(&mut self, rule: &Place) {
        if let Some(oops) = &mut self.open
            && oops.lines.start == rule.line + 1
        {
            oops.lines.start = rule.line;
            oops.bytes.start = rule.bytes.start;
            self.ruled = true;
        }
    }

    /// Takes one line; gives the report that it ended.
    pub(crate) fn line(&mut self, said: &Said<'_>, text: &str, place: &Place) -> Option<Oops> {
        let ended = match self.begins(said) {
            Begin::No => None,
            Begin::Again => {
                let panic = self.panic.take();
                let mut ended = self.finish();
                if let Some((why, at)) = panic {
                    if let Some(oops) = &mut ended {
                        oops.lines.end = at.line;
                        oops.bytes.end = at.bytes.start;
                    }
                    self.start(Kind::Panic, &at);
                    if let Some(oops) = &mut self.open {
                        oops.panic = Some(why.clone());
                    }
                    self.titled(&format!("Kernel panic - not syncing: {why}"));
                }
                ended
            }
            Begin::New(kind) => {
                let ended = self.finish();
                self.start(kind, place);
                if matches!(said, Said::Cpu(_)) {
                    self.titled(text);
                }
                ended
            }
        };
        if self.open.is_none() {
            return ended;
        }
        let own = self.take(said, text, place);
        if own {
            self.quiet = 0;
            if let Some(oops) = &mut self.open {
                oops.lines.end = place.line + 1;
                oops.bytes.end = place.bytes.end;
            }
            return ended;
        }
        let bare = self
            .open
            .as_ref()
            .is_some_and(|o| o.kind == Kind::Backtrace && o.cpu.is_none());
        let patience = match self.traced {
            // Frames without any heading: the next line ends them.
            false if bare => 0,
            true => PATIENCE,
            false => PATIENCE_BEFORE_STACK,
        };
        ended.or_else(|| self.pass(patience))
    }

    fn start(&mut self, kind: Kind, place: &Place) {
        *self = Assembler::default();
        self.open = Some(Oops::new(kind, place.line, place.bytes.clone()));
    }

    fn titled(&mut self, text: &str) {
        if let Some(oops) = &mut self.open
            && oops.title.is_empty()
        {
            oops.title = short(text);
        }
        self.untitled = false;
    }

    /// Whether `said` begins another report than the one being read.
    fn begins(&self, said: &Said<'_>) -> Begin {
        let Some(oops) = &self.open else {
            return match said {
                Said::Heading(Heading::CutHere) => Begin::New(Kind::Warning),
                Said::Heading(Heading::Opens(kind)) => Begin::New(*kind),
                Said::Heading(Heading::Die(die)) => Begin::New(die.kind),
                Said::Heading(Heading::Panic(_)) => Begin::New(Kind::Panic),
                Said::Task(_) => Begin::New(Kind::Task),
                Said::Cpu(_) | Said::Trace | Said::Frame(_) | Said::Rip(_) | Said::RipNamed(_) => {
                    Begin::New(Kind::Backtrace)
                }
                _ => Begin::No,
            };
        };
        // Nothing but headings so far.
        let fresh = !self.traced && oops.cpu.is_none() && oops.frames.is_empty();
        match said {
            Said::Heading(Heading::CutHere) => Begin::New(Kind::Warning),
            Said::Heading(Heading::Opens(_)) if self.untitled && fresh => Begin::No,
            Said::Heading(Heading::Opens(kind)) => {
                let same = |a: Kind, b: Kind| {
                    a == b && matches!(a, Kind::Lockdep)
                        || (a, b) == (Kind::StackOverflow, Kind::DoubleFault)
                        || (a, b) == (Kind::Kasan, Kind::Slab)
                };
                match fresh && oops.die.is_none() && same(oops.kind, *kind) {
                    true => Begin::No,
                    false => Begin::New(*kind),
                }
            }
            Said::Heading(Heading::Die(die)) => match fresh && oops.die.is_none() {
                true => Begin::No,
                false => Begin::New(die.kind),
            },
            Said::Heading(Heading::Panic(_)) => match self.ended || self.traced {
                true => Begin::No,
                false if fresh && self.untitled => Begin::New(Kind::Panic),
                false => Begin::No,
            },
            Said::Task(_) if oops.kind.shows_a_task() && !self.traced => Begin::No,
            Said::Task(_) => Begin::New(Kind::Task),
            Said::Cpu(_) if self.panic.is_some() => Begin::Again,
            Said::Cpu(_) => {
                let late = !self.traced || oops.kind.ends_with_cpu();
                match oops.cpu.is_none() && oops.state.is_none() && late && !self.ended {
                    true => Begin::No,
                    false => Begin::New(Kind::Backtrace),
                }
            }
            Said::Trace if self.panic.is_some() => Begin::Again,
            Said::Trace if self.traced || self.ended => Begin::New(Kind::Backtrace),
            // Registers after the end are said once more; a stack is not.
            Said::Frame(_) if self.ended => Begin::New(Kind::Backtrace),
            _ => Begin::No,
        }
    }

    /// Takes what belongs to the open report; false for a line of others.
    fn take(&mut self, said: &Said<'_>, text: &str, place: &Place) -> bool {
        let last = std::mem::take(&mut self.last);
        let Some(oops) = &mut self.open else {
            return false;
        };
        oops.arch = oops.arch.or_else(|| machine::of_line(said, text));
        match said {
            Said::Heading(heading) => self.heading(heading, text, place),
            Said::Cpu(cpu) | Said::Taint(cpu) => {
                who(oops, cpu);
                self.last = Last::Cpu;
            }
            Said::Task(task) => sleeper(oops, task, text),
            Said::Trace => {
                self.traced = true;
                self.beside = false;
                self.block = None;
            }
            Said::Stack(..) if !self.traced => return false,
            Said::Stack(name, _) if name.starts_with("EO") => self.stack = None,
            Said::Stack(name, begins) => {
                self.stack = begins.then(|| (*name).to_owned());
                self.block = None;
            }
            Said::RipNamed(text) if named(oops, self.block, text, place.line) => {}
            Said::Frame(_) | Said::Rip(_) | Said::RipNamed(_) | Said::RipAgain(_) => {
                self.frame(said, last, place);
            }
            Said::Code(code) => {
                self.last = Last::Code;
                self.code(code, place);
            }
            Said::Registers(registers) => {
                if let Some(block) = self.block.and_then(|b| oops.blocks.get_mut(b)) {
                    block.take(registers);
                    block.last_line = place.line;
                    without_user(oops, self.block);
                } else if let Some(block) = oops.blocks.first_mut() {
                    // `CR2:` stands alone at the end.
                    block.take(registers);
                }
            }
            Said::Modules(list) => {
                self.last = Last::Modules;
                self.block = None;
                modules(oops, list);
            }
            Said::Workqueue(work) => oops.workqueue = Some(short(work)),
            Said::Hardware(name) => oops.hardware = Some(short(name)),
            Said::Detail | Said::Offset(_) => {}
            Said::EndTrace | Said::EndPanic => {
                self.ended = true;
                self.block = None;
                self.stack = None;
            }
            Said::Banner(_) => return false,
            Said::Other => return self.other(last, text, place),
        }
        true
    }

    fn heading(&mut self, heading: &Heading<'_>, text: &str, place: &Place) {
        let Some(oops) = &mut self.open else { return };
        match heading {
            Heading::CutHere => self.untitled = true,
            Heading::Opens(kind) => {
                if self.untitled {
                    oops.kind = *kind;
                }
                self.titled(text);
            }
            Heading::Die(die) => {
                if self.untitled || oops.title.is_empty() {
                    oops.kind = die.kind;
                }
                oops.die = Some(died(die));
                self.titled(text);
            }
            Heading::Panic(why) => {
                if oops.title.is_empty() && !self.traced {
                    oops.kind = Kind::Panic;
                    oops.panic = Some(short(why));
                    self.titled(text);
                } else {
                    oops.panic.get_or_insert_with(|| short(why));
                    self.panic = Some((short(why), place.clone()));
                }
            }
        }
    }

    fn frame(&mut self, said: &Said<'_>, last: Last, place: &Place) {
        let Some(oops) = &mut self.open else { return };
        let (Said::Frame(text) | Said::Rip(text) | Said::RipNamed(text) | Said::RipAgain(text)) =
            said
        else {
            return;
        };
        let mut frame = LogFrame::new(text, place.line);
        if let Said::Rip(text) | Said::RipNamed(text) = said {
            let mut block = Block::default();
            block.last_line = place.line;
            block.regs.ip = text.address.unwrap_or(0);
            block.regs.cs = text.segment;
            self.block = (oops.blocks.len() < MAX_BLOCKS).then(|| {
                oops.blocks.push(block);
                oops.blocks.len() - 1
            });
            oops.cut |= self.block.is_none();
            frame.block = self.block;
            frame.stack.clone_from(&self.stack);
            // User mode is no place in the kernel.
            if text.segment.is_some_and(|cs| cs & 3 == 3) {
                return;
            }
            let list = match self.ended {
                true => &mut oops.again,
                false => &mut oops.frames,
            };
            push(list, frame, &mut self.frames, &mut oops.cut);
            return;
        }
        if matches!(said, Said::RipAgain(_)) {
            frame.vouch = Vouch::Rip;
            push(&mut oops.again, frame, &mut self.frames, &mut oops.cut);
            return;
        }
        for name in text.stacks.split(['<', '>', ' ']).filter(|n| !n.is_empty()) {
            // `<EOI>` and `<EOE>` end a stack, `<EOE>` being doubled.
            self.stack = (!name.starts_with("EO")).then(|| name.to_owned());
        }
        frame.stack.clone_from(&self.stack);
        self.block = None;
        if last == Last::Owner {
            push(&mut oops.again, frame, &mut self.frames, &mut oops.cut);
            return;
        }
        let main = self.traced || (oops.kind == Kind::Backtrace && oops.cpu.is_none());
        let first = oops.kind.begins_with_stack() && oops.frames.is_empty();
        match last {
            Last::Frame => {}
            Last::Title(title) if self.traced || !main => {
                self.beside = !first || self.traced;
                if self.beside && oops.stacks.len() < MAX_STACKS {
                    oops.stacks.push(Stack {
                        title: short(&title),
                        frames: Vec::new(),
                    });
                } else if self.beside {
                    oops.cut = true;
                }
            }
            _ if !main && !first && !self.beside && !oops.kind.begins_with_stack() => {
                self.beside = true;
                oops.stacks.push(Stack {
                    title: String::new(),
                    frames: Vec::new(),
                });
            }
            _ => {}
        }
        self.last = Last::Frame;
        let list = match oops.stacks.last_mut() {
            Some(stack) if self.beside => &mut stack.frames,
            _ => &mut oops.frames,
        };
        push(list, frame, &mut self.frames, &mut oops.cut);
    }

    fn code(&mut self, text: &str, place: &Place) {
        let Some(oops) = &mut self.open else { return };
        let block = match self.block {
            Some(block) => oops.blocks.get_mut(block),
            None => None,
        };
        if let Some(block) = block
            && block.code.is_none()
        {
            block.code = Code::parse(text);
            block.code_line = Some(place.line);
            block.last_line = place.line;
        }
    }

    /// A line that says nothing by itself: the rest of a wrapped one, a message, the title of a stack.
    fn other(&mut self, last: Last, text: &str, place: &Place) -> bool {
        let Some(oops) = &mut self.open else {
            return false;
        };
        let text = text.trim();
        if let Some(block) = self.block.and_then(|b| oops.blocks.get_mut(b))
            && block.resume(text)
        {
            block.last_line = place.line;
            return true;
        }
        // A wrapped title.
        if oops.title.ends_with(" address:") && frame::hex(text).is_some() {
            oops.title = short(&format!("{} {text}", oops.title));
            return true;
        }
        if self.ruled && is_rule(text) {
            return true;
        }
        match last {
            Last::Code => {
                let block = self.block.and_then(|b| oops.blocks.get_mut(b));
                if let Some(block) = block
                    && let Some(code) = &mut block.code
                    && code.append(text)
                {
                    block.last_line = place.line;
                    self.last = Last::Code;
                    return true;
                }
            }
            Last::Cpu if oops.release.is_none() => {
                let cpu = said::taint(text);
                if cpu.release.is_some() {
                    who(oops, &cpu);
                    return true;
                }
            }
            Last::Modules if modules(oops, text) => {
                self.last = Last::Modules;
                return true;
            }
            _ => {}
        }
        if self.untitled && !text.is_empty() && oops.title.is_empty() {
            oops.message.get_or_insert_with(|| short(text));
            return true;
        }
        // Frames of variables, not of stacks.
        let owners = ["in frame:", " created by:", "Preemption disabled at:"];
        if owners.iter().any(|o| text.ends_with(o)) {
            self.last = Last::Owner;
            return true;
        }
        if oops.kind == Kind::MemoryLeak && allocator(oops, text) {
            return true;
        }
        if is_part(oops.kind, text, self.traced) {
            return true;
        }
        if text == "..." {
            self.last = last;
            return false;
        }
        if text.ends_with(':') || is_stack_title(oops.kind, text) {
            self.last = Last::Title(text.to_owned());
        }
        false
    }
}

enum Begin {
    /// It goes on.
    No,
    /// The panic that stood behind the report is one of its own.
    Again,
    New(Kind),
}
