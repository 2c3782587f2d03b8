//! A stack as one line of functions, outermost first, with semicolons between: what flame graphs are made of.

use super::human::named;
use crate::base::text::escape_from;
use crate::engine::stack::Stack;

/// The line of `stack`, which belongs to the task called `comm`. A semicolon in a name would divide it, and so would a blank
/// in the task's, by which readers find it: they become `_`.
pub fn folded(stack: &Stack<'_>, comm: Option<&str>) -> String {
    let mut out = comm.unwrap_or("?").replace([';', ' '], "_");
    let frames: Vec<_> = stack.all_frames().collect();
    for f in frames.iter().rev() {
        let a = &f.attribution;
        let inlines = f.inlines.iter().rev();
        let names: Vec<&str> = inlines.filter_map(|i| i.function.as_deref()).collect();
        match (&names[..], &a.function, &a.nearest) {
            // The lines of a fixup are the origin's.
            ([_, ..], Some(_), _) => names.iter().for_each(|name| add(name, &mut out)),
            (_, Some(function), _) => add(&named(function), &mut out),
            (_, None, Some(symbol)) => add(&symbol.name, &mut out),
            (_, None, None) => add("[unknown]", &mut out),
        }
    }
    escape_from(&mut out, 0);
    out
}

fn add(name: &str, out: &mut String) {
    out.push(';');
    match name.contains(';') {
        true => out.push_str(&name.replace(';', "_")),
        false => out.push_str(name),
    }
}
