//! A stack as people read it: the kernel's own form of a trace, with lines, origins and doubts.

use std::fmt::Write;

use super::frame::{Address, Frame, InlineCall};
use super::human::{Style, list};
use super::trace::{Stack, StackFrame};

/// Column at which source lines begin, unless the function's name is longer.
const SOURCE: usize = 52;

/// Faulting instructions listed before "and N more".
const PLACES: usize = 3;

/// Adds the line that says whose stack it is.
pub fn title(s: &Stack<'_>, style: Style, out: &mut String) {
    let Some(pid) = s.pid else { return };
    let comm = s.comm.unwrap_or("?");
    let _ = write!(out, "{}PID {pid}  {comm}{}", style.function, style.reset);
    if let Some(cpu) = s.cpu {
        let running = if s.running == Some(true) {
            " (running)"
        } else {
            ""
        };
        let _ = write!(out, "  CPU {cpu}{running}");
    }
    if let Some(state) = s.state {
        let _ = write!(out, "  state {state}");
    }
    if let Some(task) = s.task {
        let _ = write!(out, "  task {}", task.text(&mut [0; 18]));
    }
    out.push('\n');
}

/// Adds the frames and the reason that there are no more.
pub fn frames(s: &Stack<'_>, style: Style, verbose: bool, out: &mut String) {
    let mut on = None;
    for (number, f) in s.frames.iter().enumerate() {
        if f.stack != on {
            switch(on, f.stack, out);
            on = f.stack;
        }
        frame(number, f, style, verbose, out);
    }
    switch(on, None, out);
    let colour = match s.stop {
        "end" | "user-mode" => style.label,
        _ => style.doubt,
    };
    let _ = writeln!(out, "  {colour}-- {}{}", s.stop_detail, style.reset);
}

fn switch(from: Option<&str>, to: Option<&str>, out: &mut String) {
    if let Some(from) = from {
        let _ = writeln!(out, "  </{from}>");
    }
    if let Some(to) = to {
        let _ = writeln!(out, "  <{to}>");
    }
}

fn frame(number: usize, f: &StackFrame<'_>, style: Style, verbose: bool, out: &mut String) {
    let shown = &f.frame;
    // Inlined calls are frames of their own to the reader: inner ones above outer ones.
    let (physical, inlined) = match shown.inlines.split_last() {
        Some((last, inlined)) => (Some(last), inlined),
        None => (None, &[][..]),
    };
    for i in inlined {
        let begin = out.len();
        let _ = write!(out, "   | {}", i.function.unwrap_or("??"));
        source(i, out.len() - begin, out);
    }
    let begin = out.len();
    let exact = shown.certainty == "exact";
    let colour = if exact { style.function } else { style.doubt };
    let _ = write!(out, " #{number:<2} {colour}");
    name(shown, out);
    out.push_str(style.reset);
    if let Some(image) = shown.image.filter(|i| *i != "vmlinux") {
        let _ = write!(out, " [{image}]");
    }
    if !matches!(shown.basis, "symbol" | "user" | "none") {
        let _ = write!(out, " ({})", shown.basis);
    }
    // What both tables say, or ORC alone, or an exception saved, is what one expects; of user space, what CFI says.
    let told = matches!(shown.trust, "frame-pointer" | "recovered")
        || (shown.trust == "cfi" && shown.basis != "user");
    if verbose || told {
        let _ = write!(out, " <{}>", shown.trust);
    }
    let width = out.len() - begin - colour.len() - style.reset.len();
    match physical {
        Some(i) => source(i, width, out),
        None => out.push('\n'),
    }
    let mut row = |text: &str| {
        let _ = writeln!(out, "      {}{text}{}", style.label, style.reset);
    };
    if let Some(s) = &shown.symbol
        && shown.function.as_deref() != Some(s.name)
    {
        let offset = Address(s.offset);
        let offset = offset.text(&mut [0; 18]).to_owned();
        row(&format!("others print {}+{offset}", s.name));
    }
    if let Some(fixup) = &shown.fixup {
        for o in fixup.origins.iter().take(PLACES) {
            let mut text = format!("fault at {}+{:#x}, {}", o.function, o.offset, o.handler);
            if let Some(effect) = o.effect {
                let _ = write!(text, ": {effect}");
            }
            row(&text);
        }
        if let more @ 1.. = fixup.origins.len().saturating_sub(PLACES) {
            row(&format!("and {more} more places"));
        }
    }
    for note in shown.notes {
        row(&format!("note: {note}"));
    }
}

/// Ends a line that is `width` columns wide with the source line of `i`.
fn source(i: &InlineCall<'_>, width: usize, out: &mut String) {
    let pad = SOURCE.saturating_sub(width);
    let _ = match (i.file, i.line) {
        (Some(file), Some(line)) => writeln!(out, "{:pad$} {file}:{line}", ""),
        (Some(file), None) => writeln!(out, "{:pad$} {file}", ""),
        _ => writeln!(out),
    };
}

fn name(f: &Frame<'_>, out: &mut String) {
    let _ = match (&f.function, &f.candidates[..], &f.symbol) {
        (Some(function), _, Some(s)) if *function == s.name => {
            write!(out, "{function}+{:#x}", s.offset)
        }
        (Some(function), ..) => write!(out, "{function}"),
        (None, [], Some(s)) => write!(out, "{}+{:#x}", s.name, s.offset),
        (None, [], None) => {
            let mut buffer = [0; 18];
            write!(out, "{}", f.pc.unwrap_or(Address(0)).text(&mut buffer))
        }
        (None, all, _) => write!(out, "one of {}", list(all.iter().map(|c| &**c))),
    };
}

/// The stack as one line of functions, outermost first, with semicolons between: what flame graphs are made of.
pub fn folded(s: &Stack<'_>) -> String {
    let mut out = s.comm.unwrap_or("?").replace([';', ' '], "_");
    for f in s.frames.iter().rev() {
        let f = &f.frame;
        let names: Vec<&str> = f.inlines.iter().rev().filter_map(|i| i.function).collect();
        let name = match (&names[..], &f.function, &f.symbol) {
            // The lines of a fixup are the origin's.
            ([_, ..], Some(_), _) => &names.join(";"),
            (_, Some(function), _) => &**function,
            (_, None, Some(symbol)) => symbol.name,
            (_, None, None) => "[unknown]",
        };
        out.push(';');
        out.push_str(name);
    }
    out
}
