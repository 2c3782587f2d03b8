//! A stack as people read it: the kernel's own form of a trace, with lines, origins and doubts.

use std::fmt::Write;

use super::frame::{Address, Frame};
use super::human::{Style, list};
use super::trace::{Stack, StackFrame};

/// Column at which source lines begin, unless the function's name is longer.
const SOURCE: usize = 52;

/// Adds the line that says whose stack it is.
pub fn title(s: &Stack<'_>, style: Style, out: &mut String) {
    let Some(pid) = s.pid else { return };
    let _ = writeln!(
        out,
        "{}PID {pid}  {}{}  CPU {}{}  state {}  task {}",
        style.function,
        s.comm.unwrap_or("?"),
        style.reset,
        s.cpu.unwrap_or_default(),
        if s.running == Some(true) {
            " (running)"
        } else {
            ""
        },
        s.state.unwrap_or('?'),
        s.task.unwrap_or(Address(0)).text(&mut [0; 18]),
    );
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
    let begin = out.len();
    let _ = write!(out, " #{number:<2} ");
    let invisible = out.len();
    let exact = shown.certainty == "exact";
    out.push_str(if exact { style.function } else { style.doubt });
    let coloured = out.len() - invisible;
    name(shown, out);
    out.push_str(style.reset);
    let mut marks = Vec::new();
    if let Some(image) = shown.image.filter(|i| *i != "vmlinux") {
        marks.push(format!("[{image}]"));
    }
    if !matches!(shown.basis, "symbol" | "none") {
        marks.push(format!("({})", shown.basis));
    }
    // Both witnesses agreeing, or saved registers, is what one expects.
    if !matches!(
        shown.trust,
        "orc+cfi" | "registers" | "saved-registers" | "orc"
    ) || verbose
    {
        marks.push(format!("<{}>", shown.trust));
    }
    for mark in marks {
        out.push(' ');
        out.push_str(&mark);
    }
    let width = out.len() - begin - coloured - style.reset.len();
    let mut inlines = shown.inlines.iter();
    if let Some(last) = inlines.next_back()
        && let (Some(file), Some(line)) = (last.file, last.line)
    {
        let _ = write!(
            out,
            "{:pad$} {file}:{line}",
            "",
            pad = SOURCE.saturating_sub(width)
        );
    }
    out.push('\n');
    for i in inlines.rev() {
        let function = i.function.unwrap_or("??");
        let _ = match (i.file, i.line) {
            (Some(file), Some(line)) => {
                let pad = SOURCE.saturating_sub(9 + function.len());
                writeln!(out, "      | {function}{:pad$}  {file}:{line}", "")
            }
            _ => writeln!(out, "      | {function}"),
        };
    }
    let mut row = |text: &str| {
        let _ = writeln!(out, "      {}{text}{}", style.label, style.reset);
    };
    if let (Some(s), true) = (&shown.symbol, shown.basis != "symbol") {
        let offset = Address(s.offset);
        row(&format!(
            "others print {}+{}",
            s.name,
            offset.text(&mut [0; 18])
        ));
    }
    if let Some(fixup) = &shown.fixup {
        for o in fixup.origins.iter().take(3) {
            let mut text = format!("fault at {}+{:#x}, {}", o.function, o.offset, o.handler);
            if let Some(effect) = o.effect {
                let _ = write!(text, ": {effect}");
            }
            row(&text);
        }
        if let more @ 1.. = fixup.origins.len().saturating_sub(3) {
            row(&format!("and {more} more places"));
        }
    }
    for note in shown.notes {
        row(&format!("note: {note}"));
    }
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

/// Adds the stack as one line of functions, outermost first, with semicolons between: what flame graphs are made of.
pub fn folded(s: &Stack<'_>, count: usize, out: &mut String) {
    out.push_str(s.comm.unwrap_or("?"));
    for f in s.frames.iter().rev() {
        out.push(';');
        let f = &f.frame;
        let names: Vec<&str> = f.inlines.iter().rev().filter_map(|i| i.function).collect();
        if names.is_empty() || f.fixup.is_some() {
            match (&f.function, &f.symbol) {
                (Some(function), _) => out.push_str(function),
                (None, Some(symbol)) => out.push_str(symbol.name),
                (None, None) => out.push_str("[unknown]"),
            }
        } else {
            out.push_str(&names.join(";"));
        }
    }
    let _ = writeln!(out, " {count}");
}
