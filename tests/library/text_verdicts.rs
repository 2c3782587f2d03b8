//! Stacks of texts, held against little kernels whose every row is known: what is reliable, complete, live.

use crate::common::orc::{self, END, REGS, Row, Version, call, function};
use fixtrace::low::base::addr::LinkAddr;
use fixtrace::low::engine::live::live;
use fixtrace::low::engine::stack::{Source, Stack};
use fixtrace::low::engine::verdicts::Verdicts;
use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::livepatch::plan::Plan;
use fixtrace::low::products::livepatch::verdict::judge;
use fixtrace::low::products::livepatch::wanted::Wanted;
use fixtrace::low::products::oops::read::reports::parse;
use fixtrace::low::products::oops::truth::tell::{Options, Settled, tell};
use fixtrace::low::world::kernel::Kernel;

const UNDEFINED: Row = Row {
    sp: ("undefined", 0),
    bp: ("undefined", 0),
    kind: "undefined",
    signal: false,
};

/// Where every frame is: behind `call *%rax`.
fn kernel(storage: &Storage, traced: bool) -> Kernel<'_> {
    let mut functions = vec![
        function("waits", call(8)),
        function("reads", call(8)),
        function("odd", UNDEFINED),
        function("asm_exc_page_fault", REGS),
        function("entry_SYSCALL_64_after_hwframe", REGS),
        function("ret_from_fork", END),
        function("__sched_text_start", call(8)),
        function("schedule", call(8)),
        function("__sched_text_end", call(8)),
        function("proc_pid_stack", call(8)),
        // The trampoline's first byte is behind the byte before it.
        function("kretprobe_trampoline", UNDEFINED),
    ];
    if traced {
        functions.push(function("kretprobe_find_ret_addr", call(8)));
    }
    for function in &mut functions {
        function.code = [&[0x90; 14][..], &[0xff, 0xd0]].concat();
    }
    let version = Version::V3;
    orc::kernel(orc::vmlinux(version, &functions, &[]), storage)
}

/// Calls `ask` with the main stack of the first report of `log`, and the kernel.
fn with_stack<R>(log: &str, traced: bool, ask: impl FnOnce(&Stack<'_>, &Kernel<'_>) -> R) -> R {
    let storage = Storage::new();
    let kernel = kernel(&storage, traced);
    let (reports, _) = parse(log.as_bytes());
    let options = Options {
        lines: false,
        verdicts: true,
        slide: None,
    };
    let told = tell(&reports[0], &kernel, options, &Settled::default());
    ask(&told.main.stack, &kernel)
}

/// Whether the stack of `log` is reliable, for which reason not, and whether it is complete.
fn held(log: &str, traced: bool) -> (Option<bool>, Option<&'static str>, bool) {
    with_stack(log, traced, |stack, _| {
        let verdicts = Verdicts::of(stack);
        let reason = verdicts.reliable.as_ref().err().map(|d| d.reason.name());
        (verdicts.is_reliable(), reason, verdicts.gap.is_none())
    })
}

/// `name+0x10/0x100` of each, one a line.
fn frames(begin: &str, names: &[&str]) -> String {
    let line = |name: &&str| match name.strip_prefix("? ") {
        Some(name) => format!("{begin}? {name}+0x10/0x100\n"),
        None => format!("{begin}{name}+0x10/0x100\n"),
    };
    names.iter().map(line).collect()
}

/// A task of `sysrq-t` in `state`.
fn task(state: &str, names: &[&str]) -> String {
    let frames = frames(" ", names);
    format!(
        "task:t               state:{state} stack:0     pid:9     ppid:1      flags:0x00000000\n\
         Call Trace:\n <TASK>\n{frames} </TASK>\n"
    )
}

const SYSCALL: &str = "entry_SYSCALL_64_after_hwframe";

#[test]
fn a_task_of_the_log_is_reliable_as_far_as_its_rows_are() {
    let reliable = (Some(true), None, true);
    let not = |reason| (Some(false), Some(reason));
    let kind = |names: &[&str]| held(&task("S", names), true);
    assert_eq!(kind(&["schedule", "waits", SYSCALL]), reliable);
    assert_eq!(kind(&["schedule", "waits", "ret_from_fork"]), reliable);
    // What the kernel marks is no part of its walk.
    let guessed = kind(&["schedule", "? odd", "waits", "? odd", SYSCALL]);
    assert_eq!(guessed, reliable);
    let found = |names: &[&str]| {
        let (reliable, reason, _) = kind(names);
        (reliable, reason)
    };
    assert_eq!(found(&["schedule", "odd", SYSCALL]), not("undefined"));
    assert_eq!(found(&["bpf_prog_0123_f", "waits", SYSCALL]), not("bpf"));
    let many = vec!["waits"; 100];
    assert_eq!(found(&[&many[..], &[SYSCALL]].concat()), not("too-many"));
    assert_eq!(found(&[&many[1..], &[SYSCALL]].concat()).0, Some(true));
    // A walk that ended where no task begins.
    assert_eq!(found(&["schedule", "waits"]), (None, Some("unread")));
    assert_eq!(found(&["gone", SYSCALL]), (None, Some("unplaced")));
    // The kernel may have been interrupted there, and no more is shown.
    let within = found(&["schedule", "asm_exc_page_fault"]);
    assert_eq!(within, (None, Some("unread")));
}

#[test]
fn a_task_that_runs_is_not_walked() {
    let runs = held(&task("R  running task    ", &["waits", SYSCALL]), true);
    assert_eq!(runs, (Some(false), Some("running"), true));
    let reads = frames("[<0>] ", &["proc_pid_stack", "reads", SYSCALL]);
    assert_eq!(held(&reads, true).1, Some("running"));
}

#[test]
fn what_a_probe_took_is_lost_to_older_kernels() {
    // As `%pB` prints the first byte of the trampoline.
    let stack = "[<0>] waits+0x10/0x100\n[<0>] proc_pid_stack+0x100/0x100\n\
        [<0>] entry_SYSCALL_64_after_hwframe+0x10/0x100\n";
    assert_eq!(held(stack, false), (Some(false), Some("tracer"), false));
    with_stack(stack, false, |stack, _| {
        assert_eq!(stack.frames[1].to_string(), "kretprobe_trampoline+0x0");
        let names: Vec<_> = live(stack).iter().map(|l| l.name.to_string()).collect();
        assert!(!names.contains(&"proc_pid_stack".to_owned()), "{names:?}");
    });
}

#[test]
fn a_file_of_proc_lacks_the_scheduler() {
    let stack = frames("[<0>] ", &["waits", SYSCALL]);
    assert_eq!(held(&stack, true), (Some(true), None, false));
    with_stack(&stack, true, |stack, kernel| {
        let printed = stack.printed.expect("of a text");
        assert_eq!(printed.source, Source::Proc);
        let at = |n, offset| LinkAddr(orc::at(n, offset));
        assert!(printed.leaves_out("vmlinux", at(7, 0)) && !printed.leaves_out("lab", at(7, 0)));
        assert!(!printed.leaves_out("vmlinux", at(8, 0)));
        let said = |function: &str| judge(stack, &plan(kernel, function)).verdict.name();
        assert_eq!(said("waits"), "blocked");
        assert_eq!(said("reads"), "safe");
        assert_eq!(said("schedule"), "undecided");
    });
    // It holds 64 entries: an exception at the last may have come in the kernel.
    let deep = [&vec!["waits"; 63][..], &["asm_exc_page_fault"]].concat();
    assert_eq!(held(&frames("[<0>] ", &deep), true).1, Some("unread"));
    assert_eq!(held(&frames("[<0>] ", &deep[1..]), true).0, Some(true));
}

#[test]
fn what_an_exception_interrupted_has_an_exact_place() {
    let stack = frames("[<0>] ", &["waits", "asm_exc_page_fault", "reads", SYSCALL]);
    with_stack(&stack, true, |stack, _| {
        let why = live(stack);
        let why: Vec<_> = why.iter().map(|l| (&*l.name, l.why.name())).collect();
        let expected = [
            ("waits", "called"),
            ("asm_exc_page_fault", "called"),
            ("reads", "running"),
            (SYSCALL, "called"),
        ];
        assert_eq!(why, expected);
    });
}

#[test]
fn a_guess_of_the_log_neither_blocks_nor_lives() {
    let log = task("S", &["schedule", "? reads", "waits", SYSCALL]);
    with_stack(&log, true, |stack, kernel| {
        assert_eq!(judge(stack, &plan(kernel, "reads")).verdict.name(), "safe");
        let waits = judge(stack, &plan(kernel, "waits"));
        // Numbers are those of the report's frames.
        assert_eq!(
            (waits.verdict.name(), &waits.frames[..]),
            ("blocked", &[2][..])
        );
        assert!(live(stack).iter().all(|l| l.name != "reads"));
    });
}

/// What replaces `function`.
fn plan(kernel: &Kernel<'_>, function: &str) -> Plan {
    let wanted = Wanted {
        functions: vec![function.parse().expect("a function")],
        ..Wanted::default()
    };
    wanted.plan(None, kernel, None).expect("a plan").plan
}
