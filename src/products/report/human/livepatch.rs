//! What a livepatch means for the tasks of a dump, as people read it.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Style, list};
use crate::base::text::{Escaped, escaped};
use crate::engine::stack::{Frame, Stack};
use crate::products::livepatch::moves::Kind;
use crate::products::livepatch::plan::{Code, Direction, Plan};
use crate::products::livepatch::tell::{place, why};
use crate::products::livepatch::told::Told;
use crate::products::livepatch::verdict::Verdict;
use crate::products::livepatch::wanted::{Planned, Why};
use crate::world::dump::Task;

/// Column at which what is said of a function or a frame begins.
const COLUMN: usize = 52;

/// Adds what is patched in a dump.
pub fn header(plan: &Plan, style: Style, out: &mut String) {
    let state = match (plan.loaded, plan.open, plan.forced) {
        (false, ..) => "not loaded in the dump",
        (_, true, _) => "its transition is open in the dump",
        (_, _, true) => "loaded in the dump, its transition was forced",
        (..) => "loaded in the dump, no transition is open",
    };
    header_so(plan, state, style, out);
}

/// Adds what is patched; `state` is what is known of its transition.
pub fn header_so(plan: &Plan, state: &str, style: Style, out: &mut String) {
    let name = escaped(plan.patch.as_deref().unwrap_or("functions named"));
    let state = escaped(state);
    let what = match plan.direction {
        Direction::Patching => "patching",
        Direction::Unpatching => "unpatching",
    };
    let _ = writeln!(
        out,
        "{}{name}{}: {what}, {state}",
        style.function, style.reset
    );
    for f in &plan.functions {
        let title = f.title();
        let title = escaped(&title);
        let pad = COLUMN.saturating_sub(title.chars().count() + 2).max(1);
        let Some(code) = f.code.first() else { continue };
        let of = code.patch.as_deref().map(|p| format!(", the code of {p}"));
        let of = of.unwrap_or_default();
        let (at, of) = (at(code), escaped(&of));
        let at = escaped(&at);
        let size = code.size;
        let _ = writeln!(out, "  {title}{:pad$}{size} bytes at {at}{of}", "");
    }
    out.push('\n');
}

/// Adds why the kernel refuses the patch.
pub fn refused(planned: &Planned, style: Style, out: &mut String) {
    let name = escaped(planned.plan.patch.as_deref().unwrap_or("functions named"));
    let _ = writeln!(
        out,
        "{}{name}{}: {}the kernel refuses it{}",
        style.function, style.reset, style.doubt, style.reset
    );
    for one in &planned.refused {
        let _ = writeln!(out, "  {}: {}", Escaped(&one.function), Escaped(&one.why));
        if let Some(kernel) = one.kernel.as_deref().map(escaped) {
            let _ = writeln!(
                out,
                "      {}livepatch: {kernel}{}",
                style.label, style.reset
            );
        }
        if let Why::Unresolved(why) = &one.why {
            for choice in why.choices() {
                let at = choice
                    .addr
                    .map_or_else(|| choice.link.to_string(), |a| a.to_string());
                let file = escaped(choice.file.as_deref().unwrap_or("?"));
                let (function, sympos) = (Escaped(&one.function), choice.sympos);
                let _ = writeln!(out, "      {function},{sympos}  {at}  {file}");
            }
        }
    }
}

/// Where `code` is, in words.
fn at(code: &Code) -> String {
    match (code.start, &code.place) {
        (Some(start), _) => start.to_string(),
        (None, Some((image, link))) => format!("{link} of {image}"),
        (None, None) => "?".to_owned(),
    }
}

/// Adds what is said of one task.
pub fn task(told: &Told<'_>, plan: &Plan, style: Style, out: &mut String) {
    let judged = told.judged;
    let verdict = judged.verdict;
    let colour = match verdict {
        Verdict::Safe | Verdict::Running => style.label,
        _ => style.doubt,
    };
    let via = judged
        .via
        .map(|v| format!(" ({})", v.name()))
        .unwrap_or_default();
    let _ = write!(
        out,
        "{}  {colour}{}{via}{}",
        whose(told.task, style),
        verdict.name(),
        style.reset
    );
    let mut said = Vec::new();
    if let Some(kind) = told.kind() {
        said.push(kind.name().to_owned());
    }
    if let Some(task) = told.task.filter(|t| t.state != '?') {
        said.push(format!("state {}", Escaped(task.state)));
    }
    if let Some(state) = told.state.patch_state {
        let switched = match plan.switched(told.state) {
            Some(true) => ", switched",
            Some(false) => ", not switched",
            None => "",
        };
        said.push(format!("patch_state {state}{switched}"));
    }
    let _ = writeln!(out, "  {}", said.join(", "));
    for number in &judged.frames {
        frame(told.stack, *number, style, out);
    }
    if let Some(why) = why(told.stack, plan, judged) {
        let why = escaped(&why);
        let _ = writeln!(out, "      {}{why}{}", style.label, style.reset);
    }
    if let Some(word) = told.said {
        let _ = writeln!(
            out,
            "      {}the kernel said last that it {word}{}",
            style.label, style.reset
        );
    }
    if told.kind() == Some(Kind::Idle) && judged.blocks() {
        let _ = writeln!(
            out,
            "      {}note: the kernel switches idle tasks in their loop, without this check{}",
            style.label, style.reset
        );
    }
    for (n, number) in &judged.inlined {
        let name = escaped(plan.functions.get(*n).map_or("?", |f| &f.name));
        let at = Escaped(place(told.stack, *number));
        let _ = writeln!(
            out,
            "      {}note: {name} is inlined at {at}: the patch does not change that copy{}",
            style.label, style.reset
        );
    }
    if let (Some((verdict, state)), Some(moved)) = (told.again, told.moved()) {
        let how = if moved { "moved" } else { "did not move" };
        let state = state
            .patch_state
            .map(|s| format!(", patch_state {s}"))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "      {}{how}: in the second dump {}{state}{}",
            style.label,
            verdict.name(),
            style.reset
        );
    }
}

fn whose(task: Option<&Task>, style: Style) -> String {
    let (pid, comm) = match task {
        Some(task) => (task.pid, task.comm.as_str()),
        None => (Task::NO_PID, "?"),
    };
    let comm = escaped(if comm.is_empty() { "?" } else { comm });
    match pid {
        Task::NO_PID => format!("{}PID ?  {comm}{}", style.function, style.reset),
        pid => format!("{}PID {pid}  {comm}{}", style.function, style.reset),
    }
}

/// A frame as others print it, with its lines: inlined calls above what they are inlined into.
fn frame(stack: &Stack<'_>, number: usize, style: Style, out: &mut String) {
    let Some(f) = stack.frames.get(number) else {
        return;
    };
    let at = place(stack, number);
    let at = escaped(&at);
    let module = module(f).map(|m| format!(" [{}]", escaped(m)));
    let module = module.unwrap_or_default();
    let pad = COLUMN
        .saturating_sub(at.chars().count() + module.len() + 4)
        .max(1);
    let lines = f.inlines.iter().filter_map(|i| {
        let (file, line) = (i.file.as_deref()?, i.line?);
        Some(format!("{}:{line}", escaped(file)))
    });
    let lines = lines.collect::<Vec<_>>().join(", in ");
    let _ = match lines.is_empty() {
        true => writeln!(out, "    {}{at}{}{module}", style.function, style.reset),
        false => writeln!(
            out,
            "    {}{at}{}{module}{:pad$}{lines}",
            style.function, style.reset, ""
        ),
    };
}

fn module<'a>(frame: &'a Frame<'_>) -> Option<&'a str> {
    let image = frame.place.as_ref().map(|p| &*p.image);
    image.filter(|i| *i != "vmlinux")
}

/// Verdicts in the order in which they are counted.
const ORDER: [Verdict; 7] = [
    Verdict::Safe,
    Verdict::Hidden,
    Verdict::Blocked,
    Verdict::BlockedFalsely,
    Verdict::Unreliable,
    Verdict::Undecided,
    Verdict::Running,
];

/// `77 tasks: 69 safe, 1 hidden, 6 blocked, 1 running`
pub fn counts(all: &[Told<'_>]) -> String {
    let count = |v: &Verdict| all.iter().filter(|t| t.judged.verdict == *v).count();
    let some = ORDER
        .iter()
        .map(|v| (count(v), v.name()))
        .filter(|(n, _)| *n > 0);
    let some = some.map(|(n, name)| format!("{n} {name}"));
    let some = some.collect::<Vec<_>>().join(", ");
    match all.len() {
        1 => format!("1 task: {some}"),
        n => format!("{n} tasks: {some}"),
    }
}

/// Adds counts, where tasks block or hide, and what usually moves them.
pub fn summary(all: &[Told<'_>], style: Style, out: &mut String) {
    let _ = writeln!(out, "{}", counts(all));
    for (verdict, title) in [
        (Verdict::Blocked, "blocked at"),
        (Verdict::BlockedFalsely, "blocked falsely at"),
        (Verdict::Hidden, "hidden at"),
    ] {
        sites(
            all.iter().filter(|t| t.judged.verdict == verdict),
            title,
            style,
            out,
        );
    }
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    for told in all.iter().filter(|t| t.judged.blocks()) {
        if let Some(kind) = told.kind() {
            *kinds.entry(kind).or_default() += 1;
        }
    }
    if !kinds.is_empty() {
        let _ = writeln!(out, "what usually moves those that block (no promise):");
    }
    for (kind, count) in kinds {
        let text = format!("{} ({count}): {}", kind.title(), kind.advice());
        wrapped(&text, "  ", out);
    }
    if all.iter().any(|t| t.judged.verdict == Verdict::Hidden) {
        let _ = writeln!(
            out,
            "{}the kernel lets hidden tasks go on: the transition completes, and old code runs on beside new{}",
            style.doubt, style.reset
        );
    }
    if let moved @ 1.. = all.iter().filter(|t| t.moved() == Some(true)).count() {
        let _ = writeln!(out, "{moved} tasks moved up to the second dump");
    } else if all.iter().any(|t| t.again.is_some()) {
        let _ = writeln!(out, "no task moved up to the second dump");
    }
}

/// Columns of running text.
const WIDTH: usize = 100;

/// Adds `text` in lines that begin with `indent`, all but the first further in.
fn wrapped(text: &str, indent: &str, out: &mut String) {
    let mut width = 0;
    for word in text.split(' ') {
        let len = word.chars().count();
        if width > 0 && width + 1 + len > WIDTH {
            out.push('\n');
            width = 0;
            let _ = write!(out, "{indent}    {word}");
        } else if width == 0 {
            let _ = write!(out, "{indent}{word}");
        } else {
            let _ = write!(out, " {word}");
        }
        width += len + 1;
    }
    out.push('\n');
}

/// Call sites, with the tasks that are there; the most frequent first.
fn sites<'a>(all: impl Iterator<Item = &'a Told<'a>>, title: &str, style: Style, out: &mut String) {
    let mut sites: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for told in all {
        for number in &told.judged.frames {
            let Some(f) = told.stack.frames.get(*number) else {
                continue;
            };
            let at = place(told.stack, *number);
            let at = at.split_once(' ').map_or(&*at, |(_, name)| name).to_owned();
            let module = module(f).map(|m| format!(" [{m}]")).unwrap_or_default();
            let line = f
                .inlines
                .first()
                .and_then(|i| Some((i.file.as_deref()?, i.line?)));
            let line = line
                .map(|(file, line)| format!("  {file}:{line}"))
                .unwrap_or_default();
            let task = told.task.map(|t| format!("{} {}", t.comm, t.pid));
            let tasks = sites.entry(format!("{at}{module}{line}")).or_default();
            let task = task.unwrap_or_else(|| "?".to_owned());
            if tasks.last() != Some(&task) {
                tasks.push(task);
            }
        }
    }
    if sites.is_empty() {
        return;
    }
    let mut sites: Vec<_> = sites.into_iter().collect();
    sites.sort_by_key(|(_, tasks)| std::cmp::Reverse(tasks.len()));
    let _ = writeln!(out, "{title}:");
    for (site, tasks) in sites {
        let count = tasks.len();
        let site = escaped(&site);
        let _ = writeln!(
            out,
            "  {count:>4}  {}{site}{}  ({})",
            style.function,
            style.reset,
            list(tasks.iter())
        );
    }
}
