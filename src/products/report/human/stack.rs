//! A stack as people read it: the kernel's own form of a trace, with lines, origins and doubts.

use std::fmt::Write;

use super::{INLINED, Style, list, named};
use crate::base::addr::Addr;
use crate::base::demangle::demangle;
use crate::base::regs::{Reg, Regs};
use crate::base::text::{Escaped, escape_from, escaped};
use crate::engine::attribute::{Basis, Certainty};
use crate::engine::live::{Live, Why, live};
use crate::engine::remark::Remark;
use crate::engine::stack::{Frame, Mode, Stack, Stop, Trust, Word};
use crate::engine::verdicts::Verdicts;
use crate::formats::lines::Inline;
use crate::world::dump::{Source, Stopped, Task};

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
    let _ = write!(out, "  CPU {}", task.cpu);
    if task.running {
        let _ = write!(out, " ({})", running(task, style));
    }
    let _ = write!(out, "  state {}", Escaped(task.state));
    match task.address {
        Addr(0) => out.push_str("  task unknown"),
        at => {
            let part = if task.partial { " (read in part)" } else { "" };
            let _ = write!(out, "  task {at}{part}");
        }
    }
    out.push('\n');
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

fn named_title(pid: impl std::fmt::Display, comm: &str, style: Style, out: &mut String) {
    let comm = if comm.is_empty() { "?" } else { comm };
    let comm = escaped(comm);
    let _ = write!(out, "{}PID {pid}  {comm}{}", style.function, style.reset);
}

/// How much is shown.
#[derive(Clone, Copy, Default, Debug)]
pub struct Show {
    /// Trust in every frame, and the registers that exceptions saved.
    pub verbose: bool,
    /// The registers of every frame.
    pub registers: bool,
    /// The words of the stack, and every frame of those that repeat.
    pub raw: bool,
    /// Whether the stack is reliable and complete.
    pub verdicts: bool,
    /// The functions that are live on it.
    pub functions: bool,
}

/// Adds the frames and the reason that there are no more.
pub fn frames(s: &Stack<'_>, style: Style, show: Show, out: &mut String) {
    let mut on = None;
    let mut said: Option<&Remark<'_>> = None;
    let all: Vec<&Frame<'_>> = s.all_frames().collect();
    let mut number = 0;
    while let Some(f) = all.get(number) {
        let stack = f.stack.as_deref();
        if stack != on {
            switch(on, stack, out);
            on = stack;
        }
        frame(number, f, (style, show), said, out);
        // What is true of a whole module is said once.
        let module = |r: &&Remark<'_>| matches!(r, Remark::OutOfMemory(_));
        said = f.all_remarks().find(module).or(said);
        number += 1;
        if !show.raw {
            number = repeated(&all, number, style, out);
        }
    }
    switch(on, None, out);
    let colour = match s.last_stop() {
        Stop::End | Stop::UserMode => style.label,
        _ => style.doubt,
    };
    let _ = writeln!(out, "  {colour}-- {}{}", s.end(), style.reset);
    if show.verdicts && s.mode == Mode::Kernel {
        let verdicts = Verdicts::of(s);
        let sound = verdicts.is_reliable() == Some(true) && verdicts.gap.is_none();
        let colour = if sound { style.label } else { style.doubt };
        let _ = writeln!(out, "  {colour}-- {verdicts}{}", style.reset);
    }
    if show.functions {
        functions(s, style, out);
    }
}

/// A function by name and image, and where it is live.
struct Known<'a> {
    name: &'a str,
    image: Option<&'a str>,
    places: Vec<&'a Live<'a>>,
}

/// The functions that are live on `s`, each with the frames that it is live in and why; inlined ones behind the others.
fn functions(s: &Stack<'_>, style: Style, out: &mut String) {
    let all = live(s);
    for (inlined, title) in [(false, "live functions"), (true, "inlined, live in others")] {
        let mut known: Vec<Known<'_>> = Vec::new();
        let is_inlined = |l: &&Live<'_>| matches!(l.why, Why::Inlined(_)) == inlined;
        for one in all.iter().filter(is_inlined) {
            let same = |k: &&mut Known<'_>| (k.name, k.image) == (&*one.name, one.image);
            match known.iter_mut().find(same) {
                Some(known) => known.places.push(one),
                None => known.push(Known {
                    name: &one.name,
                    image: one.image,
                    places: vec![one],
                }),
            }
        }
        if !known.is_empty() {
            let _ = writeln!(out, "  {title}:");
        }
        known.iter().for_each(|k| function(k, style, out));
    }
}

fn function(known: &Known<'_>, style: Style, out: &mut String) {
    let sure = known.places.iter().any(|p| p.certain);
    let colour = if sure { style.function } else { style.doubt };
    let name = demangle(known.name);
    let name = escaped(&name);
    let module = known.image.filter(|i| *i != "vmlinux").map(escaped);
    let module = module.map(|i| format!(" [{i}]")).unwrap_or_default();
    let width = name.chars().count() + module.len() + 4;
    let pad = SOURCE.saturating_sub(width).max(1);
    let reasons: Vec<String> = known.places.iter().map(|p| reason(p)).collect();
    let reset = style.reset;
    let _ = writeln!(
        out,
        "    {colour}{name}{reset}{module}{:pad$}{}",
        "",
        list(reasons.iter())
    );
}

/// Why a function is live, and where.
fn reason(l: &Live<'_>) -> String {
    let at = l.frame;
    let may = if l.certain { "" } else { "perhaps " };
    match &l.why {
        Why::Running => format!("{may}running, #{at}"),
        Why::Called => format!("{may}called, #{at}"),
        Why::Inlined(into) => format!("{may}in {}, #{at}", demangle(into)),
        Why::Fixup => format!("{may}by its fixup code, #{at}"),
        Why::Cold(part) => format!("{may}by its part {part}, #{at}"),
        Why::Tracer(by) => format!(
            "{may}called, its return address taken by {}, #{at}",
            by.name()
        ),
    }
}

/// Frames of one circle of calls, at most, and how often one comes again before it is counted instead of shown.
const CIRCLE: usize = 4;
const TIMES: usize = 2;

/// Whether two frames would be shown alike.
fn alike(a: &Frame<'_>, b: &Frame<'_>) -> bool {
    a.pc == b.pc && a.stack == b.stack && a.trust == b.trust
}

/// Counts how often the frames before `next` come again, and says so in place of them; gives the number of the next frame
/// that is to be shown.
fn repeated(all: &[&Frame<'_>], next: usize, style: Style, out: &mut String) -> usize {
    let same = |a: usize, b: usize| match (all.get(a), all.get(b)) {
        (Some(a), Some(b)) => a.exception.is_none() && alike(a, b),
        _ => false,
    };
    for circle in 1..=CIRCLE.min(next) {
        let again =
            |times: usize| (0..circle).all(|n| same(next - circle + n, next + times * circle + n));
        let times = (0..).take_while(|times| again(*times)).count();
        if times < TIMES {
            continue;
        }
        let last = next + times * circle;
        let frames = match circle {
            1 => "the frame".to_owned(),
            n => format!("the {n} frames"),
        };
        let _ = writeln!(
            out,
            "      {}{frames} before {times} times more, #{next} to #{}{}",
            style.label,
            last - 1,
            style.reset
        );
        return last;
    }
    next
}

fn switch(from: Option<&str>, to: Option<&str>, out: &mut String) {
    if let Some(from) = from {
        let _ = writeln!(out, "  </{}>", escaped(from));
    }
    if let Some(to) = to {
        let _ = writeln!(out, "  <{}>", escaped(to));
    }
}

fn frame(
    number: usize,
    f: &Frame<'_>,
    (style, show): (Style, Show),
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
        let _ = write!(out, "   | {}{INLINED}", escaped(i.name()));
        source(i, out.len() - begin, out);
    }
    let begin = out.len();
    let exact = a.certainty == Certainty::Exact;
    let colour = if exact { style.function } else { style.doubt };
    let _ = write!(out, " #{number:<2} {colour}");
    let named_from = out.len();
    name(f, out);
    escape_from(out, named_from);
    out.push_str(style.reset);
    if let Some(place) = f.place.as_ref().filter(|p| p.image != "vmlinux") {
        let _ = write!(out, " [{}]", escaped(&place.image));
    }
    if !matches!(a.basis, Basis::Symbol | Basis::User | Basis::None) {
        let _ = write!(out, " ({})", a.basis.name());
    }
    // What both tables say, or ORC alone, or an exception saved, is what one expects; of user space, what CFI says.
    let told = matches!(
        f.trust,
        Trust::Scanned | Trust::FramePointer | Trust::Recovered
    ) || (f.trust == Trust::Cfi && a.basis != Basis::User);
    if show.verbose || told {
        let _ = write!(out, " <{}>", f.trust.name());
    }
    let width = out.len() - begin - colour.len() - style.reset.len();
    match physical {
        Some(i) => source(i, width, out),
        None => out.push('\n'),
    }
    let mut row = |text: &str| {
        let text = escaped(text);
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
    if let Some(exception) = &f.exception {
        row(&format!("interrupted by {exception}"));
    }
    for remark in f.all_remarks().filter(|r| Some(*r) != said) {
        row(&format!("note: {remark}"));
    }
    let saved = show.verbose && f.exception.is_some();
    if let Some(regs) = f.registers.as_ref().filter(|_| show.registers || saved) {
        registers(regs, &mut row);
    }
    for pair in f.words.chunks(2).filter(|_| show.raw) {
        let words = pair.iter().map(word).collect::<Vec<_>>();
        let at = pair.first().map(|w| w.at).unwrap_or_default();
        row(&format!("{:016x}: {}", at.0, words.join("  ")));
    }
}

/// The registers that are known, as the kernel prints them.
fn registers(regs: &Regs, row: &mut dyn FnMut(&str)) {
    let name = |reg: Reg| format!("{:>3}", reg.name64().to_uppercase());
    let known = Reg::all().filter_map(|reg| Some((name(reg), regs.get(reg)?)));
    let all: Vec<(String, u64)> = [("RIP".to_owned(), regs.ip)]
        .into_iter()
        .chain(known)
        .collect();
    for part in all.chunks(3) {
        let part = part
            .iter()
            .map(|(name, value)| format!("{name}: {value:016x}"));
        row(&part.collect::<Vec<_>>().join("  "));
    }
}

/// A word of the stack, and the code that it points to.
fn word(word: &Word<'_>) -> String {
    let mut text = format!("{:016x}", word.value);
    if let Some((name, offset, module)) = &word.symbol {
        let _ = write!(text, " ({name}+{offset:#x}");
        if let Some(module) = module {
            let _ = write!(text, " [{module}]");
        }
        text.push(')');
    }
    text
}

/// Ends a line that is `width` columns wide with the source line of `i`.
fn source(i: &Inline<'_>, width: usize, out: &mut String) {
    let pad = SOURCE.saturating_sub(width);
    let file = i.file.as_deref().map(escaped);
    let _ = match (file, i.line) {
        (Some(file), Some(line)) => writeln!(out, "{:pad$} {file}:{line}", ""),
        (Some(file), None) => writeln!(out, "{:pad$} {file}", ""),
        _ => writeln!(out),
    };
}

fn name(f: &Frame<'_>, out: &mut String) {
    let a = &f.attribution;
    let function = a.function.as_ref().map(named);
    let _ = match (&function, &a.candidates[..], &a.nearest) {
        (Some(function), _, Some(s)) if s.name == **function => {
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
