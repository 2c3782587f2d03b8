//! What a line adds to the report being read.

use super::finish::is_weak;
use super::parts::{died, modules, named, push, short, sleeper, stalled, who, without_user};
use super::state::{Assembler, Last, MAX_BLOCKS, MAX_STACKS, Place};
use crate::base::arch::Arch;
use crate::products::oops::read::frame::{Form, Vouch};
use crate::products::oops::read::kind::{Heading, Kind};
use crate::products::oops::read::registers::{Block, Code};
use crate::products::oops::read::report::{LogFrame, Oops, Stack, printed_places};
use crate::products::oops::read::said::Said;
use crate::products::oops::read::{machine, title};

impl Assembler {
    /// Takes what belongs to the open report; false for a line of others.
    pub(super) fn take(&mut self, said: &Said<'_>, text: &str, place: &Place) -> bool {
        let last = std::mem::take(&mut self.last);
        let Some(oops) = &mut self.open else {
            return false;
        };
        oops.arch = oops.arch.or_else(|| machine::of_line(said, text));
        match said {
            Said::Heading(heading) => self.heading(heading, text, place),
            // Of a CPU or task whose stack stands beside.
            Said::Cpu(_) | Said::Taint(_) | Said::Task(_) if self.beside && self.announced => {}
            Said::Cpu(cpu) | Said::Taint(cpu) => {
                who(oops, cpu);
                // `bt` of crash has frames right behind it.
                self.traced |= text.starts_with("PID: ");
                self.last = Last::Cpu(text.to_owned());
            }
            Said::Task(task) => sleeper(oops, task, text),
            Said::Trace => {
                (self.traced, self.announced) = (true, false);
                let last = oops.stacks.last();
                self.beside &= last.is_some_and(|s| s.frames.iter().all(|f| f.vouch == Vouch::Rip));
                self.block = None;
            }
            Said::Stack(..) if !self.traced => return false,
            Said::Stack(name, _) if name.starts_with("EO") => self.stack = None,
            Said::Stack(name, begins) => {
                self.stack = begins.then(|| (*name).to_owned());
                self.block_open = *begins;
                self.block = None;
            }
            Said::RipNamed(text) if named(oops, self.block, text, place.line) => {}
            Said::Frame(_) | Said::Rip(_) | Said::RipNamed(_) | Said::RipAgain(_) => {
                // i386 up to 4.x names the CPU at the end of `EIP: …`.
                let cpu = text
                    .strip_prefix("EIP: ")
                    .and_then(|t| t.split_once(" CPU: "));
                oops.cpu = oops.cpu.or_else(|| cpu?.1.trim().parse().ok());
                return self.frame(said, last, place);
            }
            Said::At(text) => {
                push(
                    &mut oops.again,
                    LogFrame::new(text, place.line),
                    &mut self.frames,
                    &mut oops.cut,
                );
            }
            Said::Code(code) => {
                self.last = Last::Code;
                self.orphan();
                // Up to 4.9 it stands behind the stack.
                if self.block.is_none() && !self.beside {
                    self.block = oops_block(self.open.as_ref());
                }
                self.code(code, place);
            }
            Said::Registers(registers) => {
                self.orphan();
                self.registers(registers, place);
            }
            Said::Modules(list) => {
                self.last = Last::Modules;
                self.block = None;
                modules(oops, list);
            }
            Said::Workqueue(work) => oops.workqueue = Some(short(work)),
            Said::Hardware(name) => {
                oops.hardware = Some(short(name));
                // Up to 3.x it stands between a warning and its message.
                self.last = if last == Last::Heading {
                    last
                } else {
                    Last::Any
                };
            }
            // Of the next one.
            Said::Detail if text.starts_with("Sending NMI ") && !oops.kind.asks_for_cpus() => {
                return false;
            }
            Said::Detail | Said::Offset(_) => {
                if let Some(cpu) = text.strip_prefix("CPU ") {
                    oops.cpu = oops.cpu.or(cpu.trim().parse().ok());
                }
                if let Some(pid) = text.strip_prefix("Showing stack for process ") {
                    oops.pid = oops.pid.or(pid.trim().parse().ok());
                }
            }
            Said::EndTrace | Said::EndPanic => {
                (self.ended, self.block_open) = (true, false);
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
            // `VERIFY…` stands before `PANIC at`.
            Heading::Opens(Kind::SplPanic)
                if text.starts_with("PANIC at ") && !oops.title.is_empty() =>
            {
                let verified = std::mem::replace(&mut oops.title, short(text));
                oops.message.get_or_insert(verified);
            }
            // The stack of a CPU, announced.
            Heading::Opens(Kind::NmiBacktrace) if oops.kind != Kind::NmiBacktrace => {}
            Heading::Opens(_) if oops.title.ends_with("[inline]") => {
                oops.title.clear();
                self.titled(text);
                self.of_title(true, text, place);
            }
            // As a warning the watchdog said so up to 4.3.
            Heading::Opens(Kind::HardLockup) if oops.kind == Kind::Warning => {
                oops.message.get_or_insert_with(|| short(text));
            }
            Heading::Opens(kind) => {
                if self.untitled {
                    oops.kind = *kind;
                }
                let first = oops.title.is_empty();
                self.titled(text);
                self.last = Last::Heading;
                self.of_title(first, text, place);
            }
            Heading::Die(die) => {
                if self.untitled || oops.title.is_empty() {
                    oops.kind = die.kind;
                }
                oops.die = Some(died(die));
                let from = text
                    .find(die.what)
                    .filter(|_| text.contains("access"))
                    .unwrap_or(0);
                self.titled(&text[from..]);
                self.last = Last::Heading;
            }
            Heading::Panic(why) => {
                if oops.title.is_empty() && !self.traced {
                    oops.kind = Kind::Panic;
                    oops.panic = Some(short(why));
                    self.titled(text);
                } else {
                    oops.panic.get_or_insert_with(|| short(why));
                    // The stack of a report that has none so far comes behind it.
                    if self.traced || self.ended {
                        self.panic = Some((short(why), place.clone()));
                    }
                    self.ended = false;
                }
            }
        }
    }

    /// Takes what a title tells beside the kind.
    pub(super) fn of_title(&mut self, first: bool, text: &str, place: &Place) {
        let Some(oops) = &mut self.open else { return };
        if first && let Some(found) = title::place(text) {
            let mut frame = LogFrame::new(&found, place.line);
            if !matches!(
                oops.kind,
                Kind::Warning | Kind::UncheckedMsr | Kind::KernelBug
            ) {
                // Who called the checker.
                frame.vouch = Vouch::Frame;
            }
            push(&mut oops.again, frame, &mut self.frames, &mut oops.cut);
        }
        match oops.kind {
            Kind::RcuStall => self.stalled.extend(stalled(text)),
            Kind::HardLockup => self.stalled.extend(title::told(oops).cpu),
            _ => {}
        }
    }

    /// Registers whose RIP was lost.
    fn orphan(&mut self) {
        let Some(oops) = &mut self.open else { return };
        let fresh = !self.traced && oops.frames.is_empty() && !self.beside;
        if self.block.is_none() && oops.blocks.is_empty() && fresh {
            oops.blocks.push(Block::default());
            oops.orphan = Some(0);
            self.block = Some(0);
        }
    }

    fn registers(&mut self, text: &str, place: &Place) {
        let Some(oops) = &mut self.open else { return };
        if let Some(block) = self.block.and_then(|b| oops.blocks.get_mut(b)) {
            block.take(text);
            block.last_line = place.line;
            without_user(oops, self.block);
        } else if let Some(block) = oops.blocks.first_mut() {
            // `CR2:` stands alone at the end.
            block.take(text);
        }
    }

    /// Takes a frame; false if it is none here.
    fn frame(&mut self, said: &Said<'_>, last: Last, place: &Place) -> bool {
        let Some(oops) = &mut self.open else {
            return false;
        };
        let (Said::Frame(text) | Said::Rip(text) | Said::RipNamed(text) | Said::RipAgain(text)) =
            said
        else {
            return false;
        };
        match text.form {
            // Only among frames.
            Form::Placed | Form::Inlined if !self.traced && !oops.kind.begins_with_stack() => {
                self.last = last;
                return false;
            }
            Form::Inlined => {
                self.inlined.extend(printed_places(text));
                self.last = last;
                return true;
            }
            Form::Tool if oops.kind != Kind::Backtrace => {
                self.last = last;
                return false;
            }
            _ => {}
        }
        oops.weak |= is_weak(text.form);
        let mut frame = LogFrame::new(text, place.line);
        let inlined = std::mem::take(&mut self.inlined);
        frame.places.splice(0..0, inlined);
        if text.vouch == Vouch::Rip && !matches!(said, Said::RipAgain(_)) {
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
            let i386 = oops.arch == Some(Arch::I386) && self.traced && text.symbol.is_none();
            let below = i386 && text.address.is_some_and(|at| at < KERNEL_32);
            if text.segment.is_some_and(|cs| cs & 3 == 3) || below {
                return true;
            }
            self.last = Last::Frame;
            let list = match (self.ended, oops.stacks.last_mut()) {
                (true, _) => &mut oops.again,
                (false, Some(stack)) if self.beside => &mut stack.frames,
                _ => &mut oops.frames,
            };
            push(list, frame, &mut self.frames, &mut oops.cut);
            return true;
        }
        if matches!(said, Said::RipAgain(_)) {
            frame.vouch = Vouch::Rip;
            push(&mut oops.again, frame, &mut self.frames, &mut oops.cut);
            return true;
        }
        for name in text.stacks.split(['<', '>', ' ']).filter(|n| !n.is_empty()) {
            // `<EOI>` and `<EOE>` end a stack, `<EOE>` being doubled.
            self.stack = (!name.starts_with("EO")).then(|| name.to_owned());
        }
        frame.stack.clone_from(&self.stack);
        self.block = None;
        if last == Last::Owner {
            push(&mut oops.again, frame, &mut self.frames, &mut oops.cut);
            return true;
        }
        self.choose(last);
        self.last = Last::Frame;
        let Some(oops) = &mut self.open else {
            return false;
        };
        let list = match oops.stacks.last_mut() {
            Some(stack) if self.beside => &mut stack.frames,
            _ => &mut oops.frames,
        };
        push(list, frame, &mut self.frames, &mut oops.cut);
        true
    }

    /// Decides which stack a frame is of, by what came before it.
    fn choose(&mut self, last: Last) {
        let Some(oops) = &mut self.open else { return };
        // Some architectures print no line above the stack of what died.
        let bare = oops.kind == Kind::Backtrace && oops.cpu.is_none() || oops.die.is_some();
        let main = self.traced || bare;
        let first = oops.kind.begins_with_stack() && oops.frames.is_empty();
        match last {
            Last::Frame => {}
            _ if self.announced && self.beside => {}
            Last::Title(title) if self.traced || !main => {
                self.beside = !first || self.traced;
                if self.beside && oops.stacks.len() < MAX_STACKS {
                    let frames = Vec::new();
                    let title = short(&title);
                    oops.stacks.push(Stack { title, frames });
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
}

/// Where the kernel begins on i386, unless it was built otherwise.
const KERNEL_32: u64 = 0xc000_0000;

/// The registers of the innermost frame, as long as their code is not known.
fn oops_block(oops: Option<&Oops>) -> Option<usize> {
    let oops = oops?;
    let block = oops.frames.iter().find_map(|f| f.block)?;
    oops.blocks.get(block)?.code.is_none().then_some(block)
}
