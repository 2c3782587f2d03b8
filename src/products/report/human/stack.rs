//! A stack as people read it: the kernel's own form of a trace, with lines, origins and doubts.

use std::fmt::Write;

use super::{Style, list, named};
use crate::base::addr::Addr;
use crate::engine::attribute::{Basis, Certainty};
use crate::engine::stack::{Frame, Stack, Stop, Trust};
use crate::formats::lines::Inline;
use crate::world::dump::Task;

/// Column at which source lines begin, unless the function's name is longer.
const SOURCE: usize = 52;

/// Faulting instructions listed before "and N more".
const PLACES: usize = 3;

/// Adds the line that says whose stack it is: a task's.
pub fn title(task: &Task, style: Style, out: &mut String) {
    match task.pid {
        Task::NO_PID => named_title("?", &task.comm, style, out),
        pid => named_title(pid, &task.comm, style, out),
    }
    let running = if task.running { " (running)" } else { "" };
    let _ = write!(out, "  CPU {}{running}  state {}", task.cpu, task.state);
    match task.address {
        Addr(0) => out.push_str("  task unknown"),
        at => {
            let part = if task.partial { " (read in part)" } else { "" };
            let _ = write!(out, "  task {at}{part}");
        }
    }
    out.push('\n');
}

/// The same for a thread of a process.
pub fn thread_title(tid: u32, comm: &str, style: Style, out: &mut String) {
    named_title(tid, comm, style, out);
    out.push('\n');
}

fn named_title(pid: impl std::fmt::Display, comm: &str, style: Style, out: &mut String) {
    let comm = if comm.is_empty() { "?" } else { comm };
    let _ = write!(out, "{}PID {pid}  {comm}{}", style.function, style.reset);
}

/// Adds the frames and the reason that there are no more.
pub fn frames(s: &Stack<'_>, style: Style, verbose: bool, out: &mut String) {
    let mut on = None;
    for (number, f) in s.all_frames().enumerate() {
        let stack = f.stack.as_deref();
        if stack != on {
            switch(on, stack, out);
            on = stack;
        }
        frame(number, f, style, verbose, out);
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

fn frame(number: usize, f: &Frame<'_>, style: Style, verbose: bool, out: &mut String) {
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
    for remark in f.all_remarks() {
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
