//! The newest report of a crash beside the stack of the task that crashed: two accounts of one moment.
//!
//! The log's is from when it was printed, the stack from when the dump was made: what printed is gone by then, and what
//! brought the dump about has come. What the report says of the frames between must be on the stack, in its order.

use std::fmt::{self, Write};

use super::read::frame::Vouch;
use super::read::kind::Kind;
use super::read::report::{LogFrame, Oops};
use super::truth::placed::find;
use crate::base::addr::Address;
use crate::base::text::Escaping;
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
        let f = &mut Escaping(f);
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
        let code = die.code.map(|c| format!(": {c:04x}")).unwrap_or_default();
        causes.push(format!("{}{code} [#{}]", die.what, die.number));
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
    if let (Some(located), Some(offset)) = (located, symbol.offset) {
        let begin = located.link.offset(-offset.cast_signed());
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
    use crate::base::addr::{LinkAddr, Pc};
    use crate::engine::attribute::Nearest;
    use crate::engine::stack::{Mode, Place};
    use crate::engine::unwind::{Stop, Trust};
    use crate::products::oops::read::reports::parse;

    const PANIC: &str = "\
[    8.1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000000
[    8.1] CPU: 0 PID: 1 Comm: init Kdump: loaded Not tainted 6.1.0-50-cloud-amd64 #1
[    8.1] Call Trace:
[    8.1]  <TASK>
[    8.1]  dump_stack_lvl+0x44/0x5c
[    8.1]  panic+0x118/0x2f4
[    8.1]  do_exit.cold+0x15/0x15
[    8.1]  do_group_exit+0x2d/0x80
[    8.1]  ? file_tty_write.constprop.0+0x22c/0x300
[    8.1]  do_syscall_64+0x5d/0x90
[    8.1]  </TASK>
";

    const OOPS: &str = "\
[    8.4] BUG: kernel NULL pointer dereference, address: 0000000000000008
[    8.4] Oops: 0002 [#1] PREEMPT SMP PTI
[    8.4] CPU: 3 PID: 128 Comm: init Tainted: G           OE      6.1.0-50-cloud-amd64 #1
[    8.4] RIP: 0010:lab_leaf+0x27/0xf0 [lab]
[    8.4] Call Trace:
[    8.4]  <TASK>
[    8.4]  lab_rec+0x2b/0x40 [lab]
[    8.4]  lab_rec+0x11/0x40 [lab]
[    8.4]  lab_rec+0x11/0x40 [lab]
[    8.4]  vfs_write+0x235/0x3f0
[    8.4]  </TASK>
";

    fn task(pid: u32, cpu: u32) -> Task {
        Task {
            pid,
            tgid: pid,
            comm: "init".to_owned(),
            state: 'R',
            cpu,
            running: true,
            ..Task::default()
        }
    }

    /// A frame in `image:function`, or in `function` of the vmlinux.
    fn frame(name: &'static str) -> Frame<'static> {
        let (image, name) = name.split_once(':').unwrap_or(("vmlinux", name));
        let mut frame = Frame::nowhere(None, Trust::Orc);
        frame.place = Some(Place {
            image: image.into(),
            pc: Pc::Return(LinkAddr(0x1234)),
            slide: None,
        });
        frame.attribution.nearest = Some(Nearest {
            name: name.into(),
            offset: 4,
            size: None,
            extent: 8,
        });
        frame
    }

    /// What is said of `log` beside a stack of `functions`, by headline and differences.
    fn said(log: &str, task: &Task, functions: &[&'static str]) -> Vec<String> {
        let (reports, _) = parse(log.as_bytes());
        let frames = functions.iter().map(|f| frame(f)).collect();
        let stack = Stack::new(Mode::Kernel, frames, Stop::Printed);
        let found = beside(&reports, &stack, task, &Kernel::new()).expect("a report");
        let head = std::iter::once(found.headline.to_owned()).chain(found.causes);
        let differences = found.differences.iter().map(Difference::to_string);
        head.chain(differences).collect()
    }

    #[test]
    fn what_printed_is_gone_and_what_made_the_dump_has_come() {
        let stack = [
            "__crash_kexec",
            "panic",
            "do_exit.cold",
            "do_group_exit",
            "do_syscall_64",
        ];
        let title = "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000000";
        assert_eq!(said(PANIC, &task(1, 0), &stack), [title]);
        // A cold part is its function.
        let whole = ["panic", "do_exit", "do_group_exit", "do_syscall_64"];
        assert_eq!(said(PANIC, &task(1, 0), &whole), [title]);
    }

    #[test]
    fn a_function_that_the_stack_lacks_is_said() {
        let found = said(
            PANIC,
            &task(1, 0),
            &["panic", "do_exit.cold", "do_syscall_64"],
        );
        let lacks = "the log's trace has what the stack lacks: do_group_exit+0x2d/0x80";
        assert_eq!(found[1..], [lacks]);
        let stack = ["panic", "do_group_exit", "do_exit", "do_syscall_64"];
        let found = said(PANIC, &task(1, 0), &stack);
        assert_eq!(found.len(), 2);
        assert!(found[1].contains("in another order"), "{found:?}");
    }

    #[test]
    fn a_stack_that_does_not_come_by_the_faulting_place_is_another() {
        let whole = [
            "__crash_kexec",
            "lab:lab_leaf",
            "lab:lab_rec",
            "lab:lab_rec",
            "lab:lab_rec",
            "vfs_write",
        ];
        let title = "BUG: kernel NULL pointer dereference, address: 0000000000000008";
        assert_eq!(
            said(OOPS, &task(128, 3), &whole),
            [title, "Oops: 0002 [#1]"]
        );
        let found = said(
            OOPS,
            &task(128, 3),
            &["crash_kexec", "lab:lab_rec", "lab:lab_rec", "vfs_write"],
        );
        let rip = "the log's RIP is not on the stack: lab_leaf+0x27/0xf0 [lab]";
        assert_eq!(found[2], rip);
        // One of three calls of itself is missing.
        assert!(found[3].contains("in another order"), "{found:?}");
        // The module's function is no other's of its name.
        let found = said(
            OOPS,
            &task(128, 3),
            &[
                "lab_leaf",
                "lab:lab_rec",
                "lab:lab_rec",
                "lab:lab_rec",
                "vfs_write",
            ],
        );
        assert_eq!(found[2..], [rip]);
    }

    #[test]
    fn a_report_of_another_task_is_not_compared() {
        let found = said(PANIC, &task(7, 2), &[]);
        let whose = "the log's report is of PID 1, init, CPU 0, the stack of PID 7, init, CPU 2";
        assert_eq!(found[1..], [whose]);
    }

    #[test]
    fn the_newest_report_of_a_crash_counts() {
        let log =
            format!("{PANIC}{OOPS}[    9.0] INFO: task a:1 blocked for more than 120 seconds.\n");
        let (reports, _) = parse(log.as_bytes());
        assert_eq!(newest(&reports).map(|o| o.pid), Some(Some(128)));
        assert_eq!(newest(&[]), None);
    }

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
