use super::*;
use crate::products::oops::read::reports::parse;

/// Process id, name and state of a task, with how many frames its stack has.
type Read = (Option<u32>, Option<String>, Option<char>, usize);

/// Those of each stack in `log`.
fn read(log: &str) -> Vec<Read> {
    let (reports, _) = parse(log.as_bytes());
    let one = |o: &Oops| (o.pid, o.comm.clone(), o.state, o.frames.len());
    reports.iter().map(one).collect()
}

const STACK: &str = "[<0>] pipe_read+0x2fa/0x400\n[<0>] entry_SYSCALL_64_after_hwframe+0x67/0xd1\n";

#[test]
fn lines_above_a_stack_name_its_task() {
    let random = |state| vec![(Some(119), Some("random".to_owned()), state, 2)];
    for above in [
        "== /proc/119 random",
        "=== /proc/119/ random ===",
        "/proc/119: random",
        "119 (random)",
        "== 119 random --",
        "119 random",
        "119: random",
        "--- 119 random",
        "--- 119 random ---",
        "PID: 119 comm: random",
        "pid 119 (random)",
        "PID 119: random",
        "STACK 119 random",
        "Process 119 [random]",
        "comm: random pid: 119",
        "Comm: random, PID: 119",
        "random (119)",
        "random[119]:",
        "random 119",
        "/proc/119/comm:random",
        "==> /proc/119/comm <==\nrandom\n\n==> /proc/119/stack <==",
        "/proc/119/comm:random\n/proc/119/stack",
        "==> /proc/7/task/119/stack <==\nName:\trandom",
    ] {
        assert_eq!(read(&format!("{above}\n{STACK}")), random(None), "{above}");
        let apart = format!("text\n\n{above}\n\n{STACK}\n");
        assert_eq!(read(&apart), random(None), "{above}");
    }
    for above in [
        "Name:\trandom\nState:\tS (sleeping)\nPid:\t119",
        "Name:\trandom\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t7\nNgid:\t0\nPid:\t119\nPPid:\t1\n",
        "== 119\nName:\trandom\nState:\tS (sleeping)",
        "PID: 119 comm: random state: S",
        "119 (random) state S",
    ] {
        assert_eq!(
            read(&format!("{above}\n{STACK}")),
            random(Some('S')),
            "{above}"
        );
    }
    for above in ["# cat /proc/119/stack", "119", "==> /proc/119/stack <=="] {
        let found = read(&format!("{above}\n{STACK}"));
        assert_eq!(found, [(Some(119), None, None, 2)], "{above}");
    }
    let with_blanks = read(&format!("119 (Web Content)\n{STACK}"));
    assert_eq!(with_blanks[0].1.as_deref(), Some("Web Content"));
    let worker = read(&format!("== /proc/9 kworker/0:0H-kblockd\n{STACK}"));
    assert_eq!(worker[0].1.as_deref(), Some("kworker/0:0H-kblockd"));
}

#[test]
fn other_lines_above_a_stack_name_nobody() {
    for above in [
        "Call graph",
        "12 things were found to be odd",
        "stack of cards",
        "PID: none",
        "task:init",
        "119 (random)\nsomething else",
    ] {
        let found = read(&format!("{above}\n{STACK}"));
        assert_eq!(found, [(None, None, None, 2)], "{above}");
    }
}

#[test]
fn each_task_of_a_collection_has_its_stack() {
    let shells = format!("== /proc/1 init\n{STACK}== /proc/2 kthreadd\n{STACK}== /proc/3 idle\n");
    let two = [
        (Some(1), Some("init".to_owned()), None, 2),
        (Some(2), Some("kthreadd".to_owned()), None, 2),
    ];
    assert_eq!(read(&shells), two);
    let statuses = format!("Name:\tinit\nPid:\t1\n{STACK}Name:\tkthreadd\nPid:\t2\n{STACK}");
    assert_eq!(read(&statuses), two);
    let listed = "/proc/1/comm:init\n/proc/2/comm:kthreadd\n\
        /proc/1/stack:[<0>] a+0x1/0x2\n/proc/1/stack:[<0>] b+0x1/0x2\n\
        /proc/2/stack:[<0>] c+0x1/0x2\n/proc/2/stack:[<0>] d+0x1/0x2\n";
    let found = read(listed);
    let pids: Vec<_> = found
        .iter()
        .map(|(pid, .., frames)| (*pid, *frames))
        .collect();
    assert_eq!(pids, [(Some(1), 2), (Some(2), 2)]);
    let names = names(listed.as_bytes());
    assert_eq!(names[&2], "kthreadd");
    let threads = "proc/7/task/1/stack:[<0>] a+0x1/0x2\n7/task/2/stack:[<0>] c+0x1/0x2\n";
    let pids = read(threads).into_iter().map(|(pid, ..)| pid);
    assert_eq!(pids.collect::<Vec<_>>(), [Some(1), Some(2)]);
    // Without any name, a stack ends where tasks begin.
    assert_eq!(read(&STACK.repeat(3)).len(), 3);
}

#[test]
fn a_task_without_frames_is_named_apart() {
    let log = format!(
        "== /proc/1 init\n{STACK}\n== /proc/2 spin\n\n== /proc/3 gone\n\
        cat: /proc/3/stack: Permission denied\n== /proc/4 x\n{STACK}"
    );
    let (reports, _) = parse(log.as_bytes());
    let unseen = unseen(log.as_bytes(), &reports);
    let named: Vec<_> = unseen.iter().map(|o| (o.pid, o.comm.as_deref())).collect();
    assert_eq!(named, [(Some(2), Some("spin")), (Some(3), Some("gone"))]);
    let listed = "/proc/1/comm:init\n/proc/2/comm:spin\n/proc/1/stack:[<0>] a+0x1/0x2\n";
    let (reports, _) = parse(listed.as_bytes());
    let found = super::unseen(listed.as_bytes(), &reports);
    assert_eq!(found[0].pid, Some(2));
    // Text that no stack follows in that form.
    assert_eq!(super::unseen(b"119 (random)\n12 things\n", &[]), []);
}

#[test]
fn lines_of_grep_are_annotated_as_lines() {
    let log = "/proc/119/stack:[<0>] pipe_read+0x2fa/0x400\n";
    let (_, line) = lines(log.as_bytes()).next().expect("a line");
    assert_eq!(line.text(), b"[<0>] pipe_read+0x2fa/0x400");
    assert_eq!((line.prefix, line.owner), (16, Some(119)));
}
