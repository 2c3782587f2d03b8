//! How tasks are shown, of whatever they were read.

use std::cmp::Reverse;

use fixtrace::low::products::livepatch::plan::Plan;
use fixtrace::low::products::livepatch::told::Told;
use fixtrace::low::products::livepatch::verdict::Verdict;
use fixtrace::low::products::report::human::{Style, livepatch};
use fixtrace::low::products::report::json;

use crate::cli::args::Livepatch;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out;

/// Shows what is told of `all`; `header` adds what comes before them as text. Negative if a task stalls, done in part if that of one cannot be told.
pub fn show(
    args: &Livepatch,
    plan: &Plan,
    all: &[Told<'_>],
    header: impl FnOnce(Style, &mut String),
) -> Result<Exit, Failure> {
    let mut out = out::writer(&args.out)?;
    let style = out::style(&args.out);
    if args.json {
        let mut patch = Some(json::livepatch::Patch::new(plan));
        for told in all {
            let mut line = json::livepatch::Line::new(plan, told);
            line.patch = patch.take();
            writeln!(out, "{}", json::line(&line))?;
        }
    } else {
        let mut text = String::new();
        header(style, &mut text);
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
        livepatch::summary(all, style, &mut text);
        out.write_all(text.as_bytes())?;
    }
    out.flush()?;
    let undecided = |t: &Told<'_>| t.judged.verdict == Verdict::Undecided;
    Ok(match all.iter().any(|t| t.judged.stalls()) {
        true => Exit::Negative,
        false if all.iter().any(undecided) => Exit::Partial,
        false => Exit::Done,
    })
}
