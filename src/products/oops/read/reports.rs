//! All reports of a log, also when lines of several printers are among each other.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::assemble::{Assembler, Place, is_rule};
use super::line::{Line, lines};
use super::prefix::Caller;
use super::report::Oops;
use super::said::{Said, banner_release, may_matter, said};

/// Printers whose reports are open at once at most: CPUs of a large machine.
const MAX_OPEN: usize = 1024;

/// Lines of others before a report counts as ended whose lines name their printer.
const PATIENCE: u32 = 200;

/// Bytes of a line that are read; a longer one says nothing.
const MAX_TEXT: usize = 1 << 14;

/// What holds for all reports behind it, until it is said anew.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// The kernel's release.
    pub release: Option<String>,
    /// The line with which the kernel introduces itself.
    pub banner: Option<String>,
    /// Runtime minus link address of the kernel.
    pub offset: Option<u64>,
}

/// Reads a log line by line.
#[derive(Debug, Default)]
pub struct Reports {
    open: BTreeMap<Option<Caller>, Assembler>,
    /// The line before, if it was a line of `=`.
    rule: Option<Place>,
    /// The last that was said.
    pub facts: Facts,
}

impl Reports {
    /// Takes the next line; adds reports that it ended to `done`. False if the line is of no interest.
    pub(crate) fn line(
        &mut self,
        line: &Line<'_>,
        number: u64,
        bytes: Range<u64>,
        done: &mut Vec<Oops>,
    ) -> bool {
        let text = line.text();
        if self.open.is_empty() && !may_matter(text) {
            if text.starts_with(b"==========") {
                self.rule = Some(Place {
                    line: number,
                    bytes,
                });
            }
            return false;
        }
        let plain = match text.len() <= MAX_TEXT {
            true => line.plain(),
            false => Cow::Borrowed(""),
        };
        // kmemleak says its name on every line.
        let rest = plain
            .strip_prefix("kmemleak:")
            .filter(|r| r.starts_with("  "));
        let text = rest.map_or(&*plain, str::trim_start);
        let indented = line.prefix > 0 && line.bytes[line.prefix - 1].is_ascii_whitespace();
        let said = said(text, indented);
        if matches!(said, Said::Banner(_)) {
            // Another boot: what is open belongs to the one before.
            self.finish(done);
        }
        self.note(&said);
        let others = self.open.iter_mut().filter(|(c, _)| **c != line.caller);
        let passed: Vec<_> = others
            .filter_map(|(caller, a)| a.pass(PATIENCE).map(|oops| (*caller, oops)))
            .collect();
        for (caller, oops) in passed {
            self.open.remove(&caller);
            done.push(oops);
        }
        let place = Place {
            line: number,
            bytes,
        };
        if !self.open.contains_key(&line.caller) && self.open.len() >= MAX_OPEN {
            return false;
        }
        let stream = self.open.entry(line.caller).or_default();
        let ended = stream.line(&said, text, &place);
        if let Some(rule) = self.rule.take() {
            stream.begin_with(&rule);
        }
        if is_rule(text) {
            self.rule = Some(place);
        }
        match stream.open() {
            Some(_) => {}
            None => {
                self.open.remove(&line.caller);
            }
        }
        done.extend(ended.map(|oops| self.complete(oops, line.caller)));
        !self.open.is_empty() || !matches!(said, Said::Other)
    }

    /// Whether a report is being read.
    pub(crate) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The reports as far as they have come.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = Oops> + '_ {
        self.open.iter().filter_map(|(caller, a)| {
            let oops = a.open()?.clone();
            Some(self.complete(oops, *caller))
        })
    }

    /// The log is at its end.
    pub(crate) fn finish(&mut self, done: &mut Vec<Oops>) {
        let open = std::mem::take(&mut self.open);
        for (caller, mut a) in open {
            done.extend(a.finish().map(|oops| self.complete(oops, caller)));
        }
        done.sort_by_key(|o| o.lines.start);
    }

    /// Adds what was said before the report.
    fn complete(&self, mut oops: Oops, caller: Option<Caller>) -> Oops {
        oops.caller = caller;
        if oops.release.is_none() {
            oops.release.clone_from(&self.facts.release);
        }
        let mut ids = BTreeMap::new();
        for symbol in oops.all_frames().filter_map(|f| f.symbol.as_ref()) {
            if let (Some(module), Some(id)) = (&symbol.module, &symbol.build_id) {
                ids.entry(module.clone()).or_insert_with(|| id.clone());
            }
        }
        for module in &mut oops.modules {
            module.build_id = ids.get(&module.name).cloned();
        }
        oops
    }

    fn note(&mut self, said: &Said<'_>) {
        match said {
            Said::Banner(banner) => {
                // Another boot.
                self.facts = Facts {
                    release: banner_release(banner).map(str::to_owned),
                    banner: Some((*banner).to_owned()),
                    offset: None,
                };
            }
            Said::Offset(offset) => self.facts.offset = Some(*offset),
            Said::Cpu(cpu) | Said::Taint(cpu) => {
                if let Some(release) = cpu.release
                    && self.facts.release.as_deref() != Some(release)
                {
                    self.facts = Facts {
                        release: Some(release.to_owned()),
                        ..Facts::default()
                    };
                }
            }
            _ => {}
        }
    }
}

/// All reports of `log`, and what it says in the end.
///
/// ```
/// use fixtrace::parse;
///
/// let log = b"[ 1.0] BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
///     [ 1.0] RIP: 0010:vfs_read+0x10/0x190\n[ 1.0] Call Trace:\n[ 1.0]  ksys_read+0x5f/0xe0\n";
/// let (reports, _) = parse(log);
/// assert_eq!(reports[0].kind.name(), "null-dereference");
/// assert_eq!(reports[0].frames[1].printed(), "ksys_read+0x5f/0xe0");
/// ```
pub fn parse(log: &[u8]) -> (Vec<Oops>, Facts) {
    let mut reports = Reports::default();
    let mut done = Vec::new();
    for (number, (range, line)) in lines(log).enumerate() {
        let bytes = range.start as u64..range.end as u64;
        reports.line(&line, number as u64, bytes, &mut done);
    }
    reports.finish(&mut done);
    (done, reports.facts)
}
