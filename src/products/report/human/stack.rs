//! A stack as people read it: the kernel's own form of a trace, with lines, origins and doubts.

use std::fmt::Write;

use super::{Style, list, named};
use crate::engine::attribute::{Basis, Certainty};
use crate::engine::remark::Remark;
use crate::engine::stack::{Frame, Stack, Stop, Trust};
use crate::formats::lines::Inline;
use crate::world::dump::{Source, Stopped, Task};

/// Column at which source lines begin, unless the function's name is longer.
const SOURCE: usize = 52;

/// Faulting instructions listed before "and N more".
const PLACES: usize = 3;

/// Adds the line that says whose stack it is: a task's.
pub fn title(task: &Task, style: Style, out: &mut String) {
    named_title(task.pid, &task.comm, style, out);
    let _ = write!(out, "  CPU {}", task.cpu);
    if task.running {
        let _ = write!(out, " ({})", running(task, style));
    }
    let _ = writeln!(out, "  state {}  task {}", task.state, task.address);
}

/// How it came that `task`, which ran, stands still.
fn running(task: &Task, style: Style) -> String {
    let user = task.start.is_some_and(|s| s.regs.user_mode());
    let place = match (user, task.pid) {
        (true, _) => "in user mode",
        (false, 0) => "in the idle task",
        (false, _) => "in the kernel",
    };
    match (task.stopped, task.source) {
        (Some(Stopped::Crash), _) => format!("{}crashed{}", style.doubt, style.reset),
        (Some(Stopped::Nmi), _) => format!("running, stopped by NMI {place}"),
        (Some(Stopped::NoAnswer), Some(Source::Nmi)) => {
            format!("running, did not answer: in an NMI, which came {place}")
        }
        (Some(Stopped::NoAnswer), Some(Source::DoubleFault)) => {
            "running, did not answer: in a double fault".to_owned()
        }
        (Some(Stopped::NoAnswer), _) => "running, did not answer".to_owned(),
        _ => "running".to_owned(),
    }
}

/// The same for a thread of a process.
pub fn thread_title(tid: u32, comm: &str, style: Style, out: &mut String) {
    named_title(tid, comm, style, out);
    out.push('\n');
}

fn named_title(pid: u32, comm: &str, style: Style, out: &mut String) {
    let _ = write!(out, "{}PID {pid}  {comm}{}", style.function, style.reset);
}

/// Adds the frames and the reason that there are no more.
pub fn frames(s: &Stack<'_>, style: Style, verbose: bool, out: &mut String) {
    let mut on = None;
    let mut said: Option<&Remark<'_>> = None;
    for (number, f) in s.all_frames().enumerate() {
        let stack = f.stack.as_deref();
        if stack != on {
            switch(on, stack, out);
            on = stack;
        }
        frame(number, f, (style, verbose), said, out);
        // What is true of a whole module is said once.
        let module = |r: &&Remark<'_>| matches!(r, Remark::OutOfMemory(_));
        said = f.all_remarks().find(module).or(said);
    }
    switch(on, None, out);
    let colour = match s.last_stop() {
        Stop::End | Stop::UserMode => style.label,
        _ => style.doubt,
    };
    let _ = writeln!(out, "  {colour}-- {}{}", s.end(), style.reset);
}

fn switch(from: Option<&str>, to: Option<&str>, out: &mut String) {
    if let Some(from) = from {
        let _ = writeln!(out, "  </{from}>");
    }
    if let Some(to) = to {
        let _ = writeln!(out, "  <{to}>");
    }
}

fn frame(
    number: usize,
    f: &Frame<'_>,
    (style, verbose): (Style, bool),
    said: Option<&Remark<'_>>,
    out: &mut String,
) {
    let a = &f.attribution;
    // Inlined calls are frames of their own to the reader: inner ones above outer ones.
    let (physical, inlined) = match f.inlines.split_last() {
        Some((last, inlined)) => (Some(last), inlined),
        None => (None, &[][..]),
    };
    for i in inlined {
        let begin = out.len();
        let _ = write!(out, "   | {}", i.function.as_deref().unwrap_or("??"));
        source(i, out.len() - begin, out);
    }
    let begin = out.len();
    let exact = a.certainty == Certainty::Exact;
    let colour = if exact { style.function } else { style.doubt };
    let _ = write!(out, " #{number:<2} {colour}");
    name(f, out);
    out.push_str(style.reset);
    if let Some(place) = f.place.as_ref().filter(|p| p.image != "vmlinux") {
        let _ = write!(out, " [{}]", place.image);
    }
    if !matches!(a.basis, Basis::Symbol | Basis::User | Basis::None) {
        let _ = write!(out, " ({})", a.basis.name());
    }
    // What both tables say, or ORC alone, or an exception saved, is what one expects; of user space, what CFI says.
    let told = matches!(
        f.trust,
        Trust::Scanned | Trust::FramePointer | Trust::Recovered
    ) || (f.trust == Trust::Cfi && a.basis != Basis::User);
    if verbose || told {
        let _ = write!(out, " <{}>", f.trust.name());
    }
    let width = out.len() - begin - colour.len() - style.reset.len();
    match physical {
        Some(i) => source(i, width, out),
        None => out.push('\n'),
    }
    let mut row = |text: &str| {
        let _ = writeln!(out, "      {}{text}{}", style.label, style.reset);
    };
    let function = a.function.as_ref().map(named);
    if let Some(s) = &a.nearest
        && function.as_deref() != Some(&s.name)
    {
        row(&format!("others print {}+{:#x}", s.name, s.offset));
    }
    if let Some(fixup) = &a.fixup {
        for o in fixup.origins.iter().take(PLACES) {
            let owner = named(&o.function);
            let mut text = format!("fault at {owner}+{:#x}, {}", o.offset, o.handler);
            if let Some(effect) = &o.effect {
                let _ = write!(text, ": {effect}");
            }
            row(&text);
        }
        if let more @ 1.. = fixup.origins.len().saturating_sub(PLACES) {
            row(&format!("and {more} more places"));
        }
    }
    for remark in f.all_remarks().filter(|r| Some(*r) != said) {
        row(&format!("note: {remark}"));
    }
}

/// Ends a line that is `width` columns wide with the source line of `i`.
fn source(i: &Inline<'_>, width: usize, out: &mut String) {
    let pad = SOURCE.saturating_sub(width);
    let _ = match (&i.file, i.line) {
        (Some(file), Some(line)) => writeln!(out, "{:pad$} {file}:{line}", ""),
        (Some(file), None) => writeln!(out, "{:pad$} {file}", ""),
        _ => writeln!(out),
    };
}

fn name(f: &Frame<'_>, out: &mut String) {
    let a = &f.attribution;
    let function = a.function.as_ref().map(named);
    let _ = match (&function, &a.candidates[..], &a.nearest) {
        (Some(function), _, Some(s)) if *function == s.name => {
            write!(out, "{function}+{:#x}", s.offset)
        }
        (Some(function), ..) => write!(out, "{function}"),
        (None, [], Some(s)) => write!(out, "{}+{:#x}", s.name, s.offset),
        (None, [], None) => {
            let at = f.pc.map(|pc| pc.raw()).unwrap_or_default();
            write!(out, "{at}")
        }
        (None, all, _) => write!(out, "one of {}", list(all.iter().map(named))),
    };
}
