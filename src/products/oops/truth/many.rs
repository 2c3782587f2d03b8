//! Many logs at once: each is held against the images by itself, and all their reports are looked up together.

use std::sync::LazyLock;

use super::desk::Desk;
use super::tell::{Options, Settled, unknown};
use crate::base::parallel;
use crate::products::oops::read::report::Oops;
use crate::products::oops::read::reports::Facts;
use crate::world::kernel::Kernel;
use crate::world::session::Noticed;

/// A log with its reports, or as much of it as is looked up at once.
#[derive(Clone, Copy)]
pub struct Log<'a> {
    /// What was found in it.
    pub reports: &'a [Oops],
    /// What its lines say of the kernel.
    pub facts: &'a Facts,
    /// Whether this is its beginning, and whether its end.
    pub whole: (bool, bool),
}

/// Asks `each` of all reports of `logs`, with the number of the log, and what the images that are for it say: none where
/// nothing is known, or without a desk. The answers come log after log; `notice` takes what was noticed on the way.
pub fn ask_all<R: Send + Sync>(
    mut desk: Option<&mut Desk>,
    logs: &[Log<'_>],
    mut notice: impl FnMut(Vec<Noticed>),
    each: impl Fn(usize, &Oops, &Kernel<'_>, Options, &Settled) -> R + Sync,
) -> Vec<R> {
    static NOTHING: LazyLock<Kernel<'static>> = LazyLock::new(Kernel::new);
    let mut judged = Vec::with_capacity(logs.len());
    for log in logs {
        let Some(desk) = &mut desk else {
            judged.push(Vec::new());
            continue;
        };
        if log.whole.0 {
            desk.begin();
        }
        let reports: Vec<_> = log.reports.iter().map(|o| (o, log.facts)).collect();
        desk.prepare(&reports);
        desk.judge();
        if log.whole.1 {
            desk.doubt();
        }
        notice(desk.noticed());
        judged.push(desk.judged());
    }
    let desk = desk.as_deref();
    let all = logs.iter().zip(&judged).enumerate();
    let all: Vec<_> = all
        .flat_map(|(number, (log, judged))| {
            let reports = log.reports.iter();
            reports.map(move |oops| (number, log.facts, judged, oops))
        })
        .collect();
    parallel::map(&all, |(number, facts, judged, oops)| {
        let asked = desk.and_then(|desk| {
            desk.ask_judged(judged, oops, facts, |kernel, options, settled| {
                each(*number, oops, kernel, options, settled)
            })
        });
        asked.unwrap_or_else(|| {
            let options = unknown(oops, facts);
            each(*number, oops, &NOTHING, options, &Settled::default())
        })
    })
}
