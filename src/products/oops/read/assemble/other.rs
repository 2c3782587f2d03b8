//! Lines that say nothing by themselves: rests of broken ones, messages, titles of stacks, rows of lists.

use super::parts::{
    allocator, is_part, is_row, is_rule, is_stack_title, modules, push, short, versioned, who,
};
use super::state::{Assembler, Last, Place};
use super::torn::is_torn;
use crate::products::oops::read::frame::{self, FrameText};
use crate::products::oops::read::kind::Kind;
use crate::products::oops::read::report::LogFrame;
use crate::products::oops::read::said::{self, Said};

impl Assembler {
    /// A line that says nothing by itself: the rest of a wrapped one, a message, the title of a stack.
    pub(super) fn other(&mut self, last: Last, text: &str, place: &Place) -> bool {
        let Some(oops) = &mut self.open else {
            return false;
        };
        let text = text.trim();
        // What was added to the log before.
        if text.starts_with("=> ") {
            self.last = last;
            return true;
        }
        if let Some(block) = self.block.and_then(|b| oops.blocks.get_mut(b))
            && block.resume(text)
        {
            block.last_line = place.line;
            return true;
        }
        if self.ruled && is_rule(text) {
            return true;
        }
        if self.wrapped(&last, text, place) {
            return true;
        }
        let Some(oops) = &mut self.open else {
            return false;
        };
        if self.untitled && !text.is_empty() && oops.title.is_empty() {
            oops.message.get_or_insert_with(|| short(text));
            return true;
        }
        // Frames of variables, not of stacks.
        let owners = [
            "in frame:",
            " created by:",
            "Preemption disabled at:",
            "belongs to the variable:",
        ];
        let released = text.ends_with(" at:") && text.contains(" release lock ");
        if released || owners.iter().any(|o| text.ends_with(o)) {
            self.last = Last::Owner;
            return true;
        }
        if oops.kind == Kind::Lockdep
            && oops.release.is_none()
            && let Some(cpu) = versioned(text)
        {
            who(oops, &cpu);
            return true;
        }
        if let Some(named) = allocator(oops.kind, text) {
            oops.access = oops.access.or(named.access);
            self.named.get_or_insert((named.comm, named.pid));
            return true;
        }
        // What warns first of all says why.
        let told = oops.kind == Kind::Warning && oops.message.is_none() && !self.traced;
        if told && last == Last::Heading && !text.is_empty() && (place.stamped || !self.stamped) {
            oops.message = Some(short(text));
            return true;
        }
        if let Some(at) = place_of(text) {
            push(
                &mut oops.again,
                LogFrame::new(&at, place.line),
                &mut self.frames,
                &mut oops.cut,
            );
            return true;
        }
        if oops.kind == Kind::RcuStall {
            self.stalled.extend(is_row(text));
        }
        if oops.kind == Kind::HungTask && text.contains(" likely owned by task ") {
            self.holder = true;
            return true;
        }
        let titled = matches!(last, Last::Title(_)) && text.starts_with("PID = ");
        if titled || text == "..." {
            self.last = last;
            return titled;
        }
        if text.ends_with(':') || is_stack_title(oops.kind, text) {
            self.last = Last::Title(text.to_owned());
        }
        if is_part(oops.kind, text, self.traced) {
            return true;
        }
        if self.traced && self.torn.is_none() && is_torn(text) {
            self.torn = Some(text.to_owned());
            self.last = last;
            return true;
        }
        false
    }

    /// The rest of a line that the log broke.
    fn wrapped(&mut self, last: &Last, text: &str, place: &Place) -> bool {
        let Some(oops) = &mut self.open else {
            return false;
        };
        match last {
            Last::Heading if !text.is_empty() => {
                let title = &oops.title;
                let ends = [" address:", " in", " at", " for", " of", " by", " CPU#"];
                let own = text.starts_with(['#', '=', '-', '(']) || said::begins_a_part(text);
                // What did not fit.
                let first = text.split(' ').next().unwrap_or_default().len();
                let narrow = (40..=81).contains(&self.width) && self.width + 1 + first > 70;
                let goes_on = text.starts_with(|c: char| {
                    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '['
                }) || text.contains("+0x");
                let wrapped = self.stamped && !place.stamped && narrow && goes_on;
                if (wrapped || ends.iter().any(|o| title.ends_with(o))) && !own {
                    oops.title = short(&format!("{title} {text}"));
                    let title = oops.title.clone();
                    self.last = Last::Heading;
                    self.of_title(true, &title, place);
                    return true;
                }
            }
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
            Last::Cpu(before) if !before.contains(" #") && !before.starts_with("PID: ") => {
                // A terminal of 80 columns breaks anywhere.
                let blank = if self.width == 80 { "" } else { " " };
                let whole = format!("{before}{blank}{text}");
                if let Said::Cpu(cpu) | Said::Taint(cpu) = said::said(&whole, false)
                    && (cpu.release.is_some() || text.len() < 24)
                {
                    (oops.taint, oops.comm, oops.release) = (None, None, None);
                    who(oops, &cpu);
                    self.last = Last::Cpu(whole);
                    return true;
                }
            }
            Last::Modules if modules(oops, text) => {
                self.last = Last::Modules;
                return true;
            }
            // `[module]` of the frame on the line before.
            Last::Frame => {
                let module = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
                let list = match oops.stacks.last_mut() {
                    Some(stack) if self.beside => &mut stack.frames,
                    _ => &mut oops.frames,
                };
                let symbol = list.last_mut().and_then(|f| f.symbol.as_mut());
                if let (Some(module), Some(symbol)) = (module, symbol)
                    && symbol.module.is_none()
                    && !module.contains(' ')
                {
                    symbol.module = Some(module.to_owned());
                    self.last = Last::Frame;
                    return true;
                }
            }
            _ => {}
        }
        false
    }
}

/// The place of a lock in `text`: `ffff88803c86db70 (&lab->k){+.+.}-{2:2}, at: lab_lock+0x9d/0x110`.
fn place_of(text: &str) -> Option<FrameText<'_>> {
    let (_, rest) = text.split_once(", at: ")?;
    frame::frame(rest.trim(), false).filter(|f| f.symbol.is_some())
}
