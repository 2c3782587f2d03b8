//! Printing stacks.

use std::collections::BTreeMap;

use fixtrace::low::engine::stack::Stack;
use fixtrace::low::products::report::folded::folded;
use fixtrace::low::products::report::human::{Style, stack, system};
use fixtrace::low::products::report::json;
use fixtrace::low::products::stacks::{Owner, Stacks};
use fixtrace::low::world::dump::Task;

use crate::cli::args::{Form, Unwind};
use crate::cli::exit::Failure;
use crate::cli::{inputs, out};

/// A stack and whose it is.
type Owned<'a> = (Stack<'a>, Owner<'a>);

/// Prints stacks, each with its task; above them the kernel, and what its log tells of a crash.
pub(super) fn show(args: &Unwind, mut asked: Stacks<'_>) -> Result<(), Failure> {
    let crashed = |owner: &Owner<'_>| owner.task.is_some_and(Task::crashed);
    let mut out = out::writer(&args.out, &inputs::of_unwind(args))?;
    let style = out::style(&args.out);
    let form = if args.json { Form::Json } else { args.format };
    for (stack, _) in &mut asked.all {
        stack.strip_prefixes(&args.out.strip_prefix);
    }
    let shown = stack::Show {
        verbose: args.images.verbose,
        registers: args.show_regs,
        raw: args.raw,
        verdicts: args.require.is_some() || args.functions || args.images.verbose,
        functions: args.functions,
    };
    let mut text = String::new();
    match form {
        Form::Json => {
            for twin in json::stack::all(&asked) {
                writeln!(out, "{}", json::line(&twin))?;
            }
        }
        Form::Folded => {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for (stack, owner) in &asked.all {
                *counts.entry(folded(stack, owner.comm())).or_default() += 1;
            }
            for (line, count) in counts {
                writeln!(out, "{line} {count}")?;
            }
        }
        Form::Text => {
            let report = asked.report.as_ref();
            if let Some(world) = asked.system {
                system::header(world, report, style, &mut text);
            }
            for (number, group) in groups(asked.all, args.group).iter().enumerate() {
                if number > 0 {
                    text.push('\n');
                }
                for (_, owner) in group {
                    title(owner, style, &mut text);
                    if let Some(report) = report.filter(|_| crashed(owner)) {
                        system::report(report, style, &mut text);
                    }
                }
                if let Some((stack, _)) = group.first() {
                    stack::frames(stack, style, shown, &mut text);
                }
                out.write_all(text.as_bytes())?;
                text.clear();
            }
        }
    }
    out.flush()?;
    Ok(())
}

fn title(owner: &Owner<'_>, style: Style, out: &mut String) {
    if let Some(task) = owner.task {
        stack::title(task, style, out);
    }
    if let Some((tid, _, comm)) = owner.thread {
        stack::thread_title(tid, comm, style, out);
    }
}

/// Stacks that are alike together, in the order of the first of each; each alone unless `together`.
fn groups(stacks: Vec<Owned<'_>>, together: bool) -> Vec<Vec<Owned<'_>>> {
    let mut groups: Vec<Vec<Owned<'_>>> = Vec::new();
    let mut known: BTreeMap<_, usize> = BTreeMap::new();
    for (stack, owner) in stacks {
        let frames = stack.all_frames();
        let pcs: Vec<Option<u64>> = frames.map(|f| Some(f.pc?.raw().0)).collect();
        let new = groups.len();
        let group = *known.entry((pcs, stack.last_stop().name())).or_insert(new);
        match groups.get_mut(group).filter(|_| together) {
            Some(group) => group.push((stack, owner)),
            None => groups.push(vec![(stack, owner)]),
        }
    }
    groups
}
