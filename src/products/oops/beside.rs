//! The newest report of a crash beside the stack of the task that crashed: two accounts of one moment.
//!
//! The log's is from when it was printed, the stack from when the dump was made: what printed is gone by then, and what
//! brought the dump about has come. What the report says of the frames between must be on the stack, in its order.

use std::fmt;

use super::read::frame::Vouch;
use super::read::kind::Kind;
use super::read::report::{LogFrame, Oops};
use super::truth::tell::find;
use crate::base::addr::Address;
use crate::engine::stack::{Frame, Stack};
use crate::world::dump::Task;
use crate::world::kernel::{Kernel, Located, same_name};

/// Frames that are compared, at most: a stack that ran over has thousands.
const MAX_FRAMES: usize = 4096;

/// Frames named before "and N more".
const LISTED: usize = 8;

/// Functions that print a stack, and have returned when the dump is made.
const PRINTERS: &[&str] = &[
    "dump_stack",
    "dump_stack_lvl",
    "__dump_stack",
    "show_regs",
    "show_stack",
    "sched_show_task",
    "nmi_cpu_backtrace",
];

/// A report beside a stack.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Beside<'o> {
    /// The report.
    pub report: &'o Oops,
    /// What happened, in the kernel's words.
    pub headline: &'o str,
    /// Why, where the kernel says it in another line: the text of a BUG, the exception, the panic that followed.
    pub causes: Vec<String>,
    /// Where the two accounts differ.
    pub differences: Vec<Difference>,
}

/// Something that a log and a stack tell differently.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Difference {
    /// The report is of another task, or of another CPU; nothing else is compared where the task is another.
    Whose {
        /// In words, what it is of.
        log: String,
        /// The same of the stack.
        stack: String,
    },
    /// Where the report says that it happened is not on the stack.
    Rip(String),
    /// Functions that the kernel vouched for and the stack does not have.
    Lacks(Vec<String>),
    /// Functions that the stack has, but not where the report has them.
    Order(Vec<String>),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[String]| {
            let shown = names.len().min(LISTED);
            let more = match names.len() - shown {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{}{more}", names[..shown].join(", "))
        };
        match self {
            Difference::Whose { log, stack } => {
                write!(f, "the log's report is of {log}, the stack of {stack}")
            }
            Difference::Rip(at) => write!(f, "the log's RIP is not on the stack: {at}"),
            Difference::Lacks(names) => {
                write!(
                    f,
                    "the log's trace has what the stack lacks: {}",
                    list(names)
                )
            }
            Difference::Order(names) => write!(
                f,
                "the log's trace has in another order than the stack: {}",
                list(names)
            ),
        }
    }
}

/// The last of `reports` that is of a crash: an exception, a BUG, a panic.
pub fn newest(reports: &[Oops]) -> Option<&Oops> {
    reports.iter().rev().find(|oops| {
        let crash = matches!(
            oops.kind,
            Kind::NullDereference
                | Kind::PageFault
                | Kind::GeneralProtection
                | Kind::DoubleFault
                | Kind::StackOverflow
                | Kind::StackSegment
                | Kind::DivideError
                | Kind::InvalidOpcode
                | Kind::Trap
                | Kind::KernelBug
                | Kind::Panic
        );
        crash || oops.die.is_some() || oops.panic.is_some()
    })
}

/// Holds the newest report of a crash in `reports` against `stack`, which is that of `task`, walked in `kernel`; `None`
/// where there is no such report.
pub fn beside<'o>(
    reports: &'o [Oops],
    stack: &Stack<'_>,
    task: &Task,
    kernel: &Kernel<'_>,
) -> Option<Beside<'o>> {
    let report = newest(reports)?;
    let mut causes: Vec<String> = report.message.iter().cloned().collect();
    if let Some(die) = &report.die {
        causes.push(format!("{}: {:04x} [#{}]", die.what, die.code, die.number));
    }
    let panic = report.panic.iter();
    causes.extend(panic.map(|why| format!("Kernel panic - not syncing: {why}")));
    causes.retain(|c| *c != report.title && !report.title.starts_with(&**c));
    let mut differences: Vec<Difference> = whose(report, task).into_iter().collect();
    if report.pid.is_none_or(|pid| pid == task.pid) {
        differences.extend(frames(report, stack, kernel));
    }
    Some(Beside {
        report,
        headline: &report.title,
        causes,
        differences,
    })
}

/// Whether they are of different tasks or CPUs.
fn whose(report: &Oops, task: &Task) -> Option<Difference> {
    // What is not printable is written in different ways.
    let plain = |name: &str| !name.contains(['?', '\\']);
    let comm = report
        .comm
        .as_deref()
        .filter(|c| plain(c) && plain(&task.comm));
    let same = report.pid.is_none_or(|pid| pid == task.pid)
        && comm.is_none_or(|comm| comm.trim_end() == task.comm.trim_end())
        && report.cpu.is_none_or(|cpu| cpu == task.cpu);
    let said = |pid: Option<u32>, comm: Option<&str>, cpu: Option<u32>| {
        let words = [
            pid.map(|pid| format!("PID {pid}")),
            comm.map(str::to_owned),
            cpu.map(|cpu| format!("CPU {cpu}")),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    (!same).then(|| Difference::Whose {
        log: said(report.pid, report.comm.as_deref(), report.cpu),
        stack: said(Some(task.pid), Some(&task.comm), Some(task.cpu)),
    })
}

/// How the frames differ.
fn frames(report: &Oops, stack: &Stack<'_>, kernel: &Kernel<'_>) -> Vec<Difference> {
    let vouched = report.frames.iter().filter(|f| f.vouch != Vouch::Guess);
    let printer = |f: &&LogFrame| {
        let symbol = f.symbol.as_ref();
        symbol.is_some_and(|s| s.module.is_none() && PRINTERS.contains(&&*s.name))
    };
    let told: Vec<_> = vouched
        .skip_while(printer)
        .take(MAX_FRAMES)
        .map(|f| (f, find(f, kernel, None).ok()))
        .collect();
    let walked = &stack.frames[..stack.frames.len().min(MAX_FRAMES)];
    let fits = |log: usize, at: usize| {
        let ((frame, located), walked) = (&told[log], &walked[at]);
        same(frame, *located, walked)
    };
    let matched = common(told.len(), walked.len(), fits);
    let (mut rip, mut lacking, mut displaced) = (None, Vec::new(), Vec::new());
    for (log, (frame, _)) in told.iter().enumerate().filter(|(log, _)| !matched[*log]) {
        if (0..walked.len()).any(|at| fits(log, at)) {
            displaced.push(frame.printed());
        } else if log == 0 && frame.vouch == Vouch::Rip {
            rip = Some(Difference::Rip(frame.printed()));
        } else {
            lacking.push(frame.printed());
        }
    }
    let lists = [
        (!lacking.is_empty()).then_some(Difference::Lacks(lacking)),
        (!displaced.is_empty()).then_some(Difference::Order(displaced)),
    ];
    rip.into_iter().chain(lists.into_iter().flatten()).collect()
}

/// Whether a frame of the log and one of the stack are of the same function. Of one that was still running the place has
/// moved on since; and a name has forms: cold parts, clones, one of several for an address, the symbol before a fixup.
fn same(frame: &LogFrame, located: Option<Located<'_, '_>>, walked: &Frame<'_>) -> bool {
    let Some(symbol) = &frame.symbol else {
        let at = frame.address;
        return at.is_some() && walked.pc.map(|pc| pc.raw().0) == at;
    };
    let image = symbol.module.as_deref().unwrap_or("vmlinux");
    let Some(place) = &walked.place else {
        return false;
    };
    if !same_name(&place.image, image) {
        return false;
    }
    let attributed = &walked.attribution;
    if let Some(located) = located {
        let begin = located.link.offset(-symbol.offset.cast_signed());
        let at = place.pc.raw();
        let nearest = attributed.nearest.as_ref();
        let begins = nearest.is_some_and(|n| at.offset(-n.offset.cast_signed()) == begin);
        if located.link == at || begins || attributed.candidates.iter().any(|c| c.addr == begin) {
            return true;
        }
    }
    let nearest = attributed.nearest.iter().map(|n| &*n.name);
    let functions = attributed.candidates.iter().chain(&attributed.function);
    let names = functions.flat_map(|f| [Some(&*f.name), f.parent.as_deref()]);
    let whole = symbol.name.strip_suffix(".cold");
    let whole = whole.unwrap_or(&symbol.name);
    nearest
        .chain(names.flatten())
        .any(|name| name == symbol.name || name == whole)
}

/// Of `rows` things those that a longest common subsequence with `columns` others has, of which `same` says which are
/// the same.
fn common(rows: usize, columns: usize, same: impl Fn(usize, usize) -> bool) -> Vec<bool> {
    let width = columns + 1;
    // The length of the longest one behind each pair.
    let mut longest = vec![0u16; (rows + 1) * width];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            longest[row * width + column] = match same(row, column) {
                true => longest[(row + 1) * width + column + 1] + 1,
                false => longest[(row + 1) * width + column].max(longest[row * width + column + 1]),
            };
        }
    }
    let mut found = vec![false; rows];
    let (mut row, mut column) = (0, 0);
    while row < rows && column < columns {
        if same(row, column) {
            found[row] = true;
            (row, column) = (row + 1, column + 1);
        } else if longest[(row + 1) * width + column] >= longest[row * width + column + 1] {
            row += 1;
        } else {
            column += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_common_subsequence_is_found() {
        let of = |a: &str, b: &str| -> String {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            let found = common(a.len(), b.len(), |i, j| a[i] == b[j]);
            let kept = a.iter().zip(found).filter(|(_, f)| *f);
            kept.map(|(c, _)| char::from(*c)).collect()
        };
        assert_eq!(of("abcd", "xaxbxcxd"), "abcd");
        assert_eq!(of("abc", "cab"), "ab");
        assert_eq!(of("rrrr", "rrr"), "rrr");
        assert_eq!(of("abc", ""), "");
        assert_eq!(of("", "abc"), "");
    }
}
