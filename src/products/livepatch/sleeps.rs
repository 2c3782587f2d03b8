//! Whether tasks may stay in the function for long. By names only: what is called through pointers is not followed, nor
//! what the functions called call themselves.

use super::callers::{callers, threads};
use super::hazard::{Hazard, Kind, Spot};
use super::subject::Subject;
use crate::base::addr::LinkAddr;
use crate::formats::insn::{self, Flow};

/// Functions of the loop of a kernel thread (kernel/kthread.c, 5.10-7.2).
const LOOP: [&str; 5] = [
    "kthread_should_stop",
    "kthread_should_park",
    "kthread_should_stop_or_park",
    "kthread_freezable_should_stop",
    "kthread_parkme",
];

/// Functions that take the main function of a thread first (kernel/kthread.c, kernel/fork.c, 5.10-7.2).
const MAKERS: [&str; 5] = [
    "kthread_create_on_node",
    "kthread_create_on_cpu",
    "kernel_thread",
    "user_mode_thread",
    "kthread_run_on_cpu",
];

/// Functions that sleep, by how their names begin.
const SLEEPERS: [&str; 39] = [
    "schedule",
    "io_schedule",
    "__schedule",
    "__cond_resched",
    "_cond_resched",
    "wait_for_completion",
    "wait_woken",
    "prepare_to_wait",
    "do_wait_intr",
    "out_of_line_wait",
    "__wait_on_",
    "wait_on_",
    "folio_wait_",
    "bit_wait",
    "mutex_lock",
    "__mutex_lock",
    "ww_mutex_lock",
    "rt_mutex_lock",
    "rt_mutex_slowlock",
    "down_read",
    "down_write",
    "down_interruptible",
    "down_killable",
    "down_timeout",
    "rwsem_down_",
    "percpu_down_",
    "__percpu_down_",
    "msleep",
    "usleep_range",
    "synchronize_rcu",
    "synchronize_srcu",
    "__wait_rcu_gp",
    "flush_work",
    "__flush_work",
    "flush_delayed_work",
    "kthread_stop",
    "do_nanosleep",
    "freezing_slow_path",
    "__refrigerator",
];

/// Those that are a whole name only.
const SLEEPERS_WHOLE: [&str; 2] = ["down", "__down"];

/// Sleeping calls, kernel threads.
pub(super) fn hazards(subject: &Subject<'_, '_>) -> Vec<Hazard> {
    let sleeps = sleeps(subject);
    let kthread = kthread(subject, sleeps.is_some());
    [kthread, sleeps].into_iter().flatten().collect()
}

/// The calls by name from `start` up to `end`.
fn calls<'d>(
    subject: &Subject<'_, 'd>,
    start: LinkAddr,
    end: LinkAddr,
) -> impl Iterator<Item = (LinkAddr, &'d str)> {
    let image = subject.image;
    insn::sweep(image, start, end).filter_map(|(at, i)| match i.flow {
        Flow::Call(to) | Flow::Jump(to) => Some((at, image.name_at(to)?)),
        _ => None,
    })
}

fn sleeps(subject: &Subject<'_, '_>) -> Option<Hazard> {
    let sleeper =
        |name: &str| SLEEPERS.iter().any(|s| name.starts_with(s)) || SLEEPERS_WHOLE.contains(&name);
    let code = subject.code().into_iter();
    let all = code.flat_map(|(from, to)| calls(subject, from, to));
    let own = |at: &LinkAddr| subject.spot(*at, "").function != subject.name();
    let sleeping = all.filter(|(_, name)| sleeper(name) && *name != subject.name());
    let spots: Vec<Spot> = sleeping.map(|(at, name)| subject.spot(at, name)).collect();
    let cold = spots.iter().filter(|s| own(&s.link)).count();
    let fact = match (spots.len(), cold) {
        (0, _) => return None,
        (1, 0) => format!("calls {}", spots[0].what),
        (1, _) => format!("calls {} in its cold part", spots[0].what),
        (n, 0) => format!("calls what sleeps at {n} places"),
        (n, cold) => format!("calls what sleeps at {n} places, {cold} of them in its cold part"),
    };
    Some(Hazard::new(Kind::MaySleep, fact, spots))
}

/// A thread stays in what it calls only where that `sleeps`.
fn kthread(subject: &Subject<'_, '_>, sleeps: bool) -> Option<Hazard> {
    let target = subject.target.link;
    let made = threads(subject, target, &MAKERS);
    let made = made.into_iter().map(|at| (at, "makes a thread of it"));
    let code = subject.code().into_iter();
    let own = code.flat_map(|(from, to)| loops(subject, from, to));
    let symbols = subject.image.symbols();
    let callers = sleeps
        .then(|| callers(subject, target))
        .into_iter()
        .flatten();
    let called = callers.filter(|at| {
        let range = symbols.function(*at).map(|id| symbols.range(id));
        let other = range.filter(|(from, _)| *from != target);
        other.is_some_and(|(from, to)| loops(subject, from, to).next().is_some())
    });
    let called = called.map(|at| (at, "calls it, and is a thread's loop"));
    let found = made.chain(own).chain(called);
    let spots: Vec<Spot> = found.map(|(at, what)| subject.spot(at, what)).collect();
    let main = |s: &&Spot| s.what.starts_with("makes");
    let fact = match spots.iter().find(main) {
        Some(_) => "is the main function of a kernel thread".to_owned(),
        None => match spots.first()? {
            s if LOOP.contains(&s.what.as_str()) => {
                format!("calls {}, as loops of kernel threads do", s.what)
            }
            s => format!(
                "is called from {}, which has the loop of a kernel thread",
                s.function
            ),
        },
    };
    Some(Hazard::new(Kind::KthreadLoop, fact, spots))
}

/// The calls from `start` up to `end` that only a kernel thread makes.
fn loops<'d>(
    subject: &Subject<'_, 'd>,
    start: LinkAddr,
    end: LinkAddr,
) -> impl Iterator<Item = (LinkAddr, &'d str)> {
    calls(subject, start, end).filter(|(_, name)| LOOP.contains(name))
}
