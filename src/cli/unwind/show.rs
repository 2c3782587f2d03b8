//! Printing stacks.

use std::collections::BTreeMap;

use fixtrace::low::products::report::stack;
use fixtrace::low::products::report::trace::Stack;

use crate::cli::args::{Form, Unwind};
use crate::cli::exit::Failure;
use crate::cli::out;

/// Prints stacks, each with its task.
pub(super) fn show(args: &Unwind, mut twins: Vec<Stack<'_>>) -> Result<(), Failure> {
    let mut out = out::writer(&args.out)?;
    let style = out::style(&args.out);
    let form = if args.json { Form::Json } else { args.format };
    for f in twins.iter_mut().flat_map(|t| &mut t.frames) {
        f.frame.strip_prefixes(&args.out.strip_prefix);
    }
    let mut text = String::new();
    match form {
        Form::Json => {
            for twin in twins {
                serde_json::to_writer(&mut out, &twin).map_err(std::io::Error::from)?;
                out.write_all(b"\n")?;
            }
        }
        Form::Folded => {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for twin in twins {
                *counts.entry(stack::folded(&twin)).or_default() += 1;
            }
            for (line, count) in counts {
                writeln!(out, "{line} {count}")?;
            }
        }
        Form::Text => {
            for (number, group) in groups(twins, args.group).iter().enumerate() {
                if number > 0 {
                    text.push('\n');
                }
                group
                    .iter()
                    .for_each(|twin| stack::title(twin, style, &mut text));
                if let Some(twin) = group.first() {
                    stack::frames(twin, style, args.images.verbose, &mut text);
                }
                out.write_all(text.as_bytes())?;
                text.clear();
            }
        }
    }
    out.flush()?;
    Ok(())
}

/// Stacks that are alike together, in the order of the first of each; each alone unless `together`.
fn groups(twins: Vec<Stack<'_>>, together: bool) -> Vec<Vec<Stack<'_>>> {
    let mut groups: Vec<Vec<Stack<'_>>> = Vec::new();
    let mut known: BTreeMap<_, usize> = BTreeMap::new();
    for twin in twins {
        let pcs: Vec<Option<u64>> = twin
            .frames
            .iter()
            .map(|f| f.frame.pc.map(|a| a.0))
            .collect();
        let new = groups.len();
        let group = *known.entry((pcs, twin.stop)).or_insert(new);
        match groups.get_mut(group).filter(|_| together) {
            Some(group) => group.push(twin),
            None => groups.push(vec![twin]),
        }
    }
    groups
}
