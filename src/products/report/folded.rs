//! A stack as one line of functions, outermost first, with semicolons between: what flame graphs are made of.

use super::human::named;
use crate::engine::stack::Stack;

/// The line of `stack`, which belongs to the task called `comm`.
pub fn folded(stack: &Stack<'_>, comm: Option<&str>) -> String {
    let mut out = comm.unwrap_or("?").replace([';', ' '], "_");
    let frames: Vec<_> = stack.all_frames().collect();
    for f in frames.iter().rev() {
        let a = &f.attribution;
        let inlines = f.inlines.iter().rev();
        let names: Vec<&str> = inlines.filter_map(|i| i.function.as_deref()).collect();
        out.push(';');
        match (&names[..], &a.function, &a.nearest) {
            // The lines of a fixup are the origin's.
            ([_, ..], Some(_), _) => out.push_str(&names.join(";")),
            (_, Some(function), _) => out.push_str(&named(function)),
            (_, None, Some(symbol)) => out.push_str(&symbol.name),
            (_, None, None) => out.push_str("[unknown]"),
        }
    }
    out
}
