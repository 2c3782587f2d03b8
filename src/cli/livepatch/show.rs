//! How tasks are shown, of whatever they were read.

use std::cmp::Reverse;
use std::io::Write;

use fixtrace::low::products::livepatch::told::Told;
use fixtrace::low::products::livepatch::verdict::Verdict;
use fixtrace::low::products::livepatch::wanted::Planned;
use fixtrace::low::products::report::human::{Style, livepatch};
use fixtrace::low::products::report::json;

use crate::cli::args::Livepatch;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out as product;

/// Shows what is told of `all`; `header` adds what comes before them as text. Of a patch that the kernel refuses that comes
/// first, then what it would meet if it were taken. Negative if it is refused or a task stalls, done in part if what one
/// does cannot be told.
pub fn show(
    args: &Livepatch,
    out: &mut dyn Write,
    planned: &Planned,
    all: &[Told<'_>],
    header: impl FnOnce(Style, &mut String),
) -> Result<Exit, Failure> {
    let style = product::style(&args.out);
    let plan = &planned.plan;
    let refused = !planned.refused.is_empty();
    // Without any of its functions there is nothing to look for.
    let all = if refused && plan.functions.is_empty() {
        &[]
    } else {
        all
    };
    if args.json {
        if refused {
            let line = json::livepatch::Line::refused(planned);
            writeln!(out, "{}", json::line(&line))?;
        }
        let mut patch = Some(json::livepatch::Patch::new(plan));
        for told in all {
            let mut line = json::livepatch::Line::new(plan, told);
            line.patch = patch.take();
            writeln!(out, "{}", json::line(&line))?;
        }
    } else {
        let mut text = String::new();
        if refused {
            livepatch::refused(planned, style, &mut text);
        }
        if refused && !all.is_empty() {
            text.push_str("\nif it were not refused:\n");
        }
        if !refused || !all.is_empty() {
            header(style, &mut text);
        }
        let mut shown: Vec<&Told<'_>> = all.iter().collect();
        let settled = |t: &Told<'_>| matches!(t.judged.verdict, Verdict::Safe | Verdict::Running);
        shown.retain(|t| args.all || !settled(t) || t.moved() == Some(true));
        shown.sort_by_key(|t| Reverse(t.judged.verdict));
        for told in &shown {
            livepatch::task(told, plan, style, &mut text);
        }
        if !shown.is_empty() {
            text.push('\n');
        }
        if !all.is_empty() {
            livepatch::summary(all, style, &mut text);
        }
        out.write_all(text.as_bytes())?;
    }
    out.flush()?;
    let undecided = |t: &Told<'_>| t.judged.verdict == Verdict::Undecided;
    Ok(match refused || all.iter().any(|t| t.judged.stalls()) {
        true => Exit::Negative,
        false if all.iter().any(undecided) => Exit::Partial,
        false => Exit::Done,
    })
}
