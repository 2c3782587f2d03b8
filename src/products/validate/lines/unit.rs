//! One unit, read whole by both readers.

use super::checks;
use crate::base::addr::{LinkAddr, RetAddr};
use crate::base::text::shortened;
use crate::formats::dwarf::second::{Level, Second, SecondUnit};
use crate::formats::dwarf::survey::Fault;
use crate::formats::image::names::stands_for;
use crate::formats::image::symtab::SymbolSource;
use crate::formats::lines::audit::{Audit, AuditUnit, Written};
use crate::products::validate::finding::{Finding, Spot, What};
use crate::products::validate::subject::{CallSite, Subject};

/// What is needed to look at any unit.
pub(super) struct Whole<'w, 's, 'd> {
    subject: &'w Subject<'s, 'd>,
    audit: &'w Audit<'w, 'd>,
    second: &'w Second<'w, 'd>,
    calls: &'w [CallSite],
    /// Whether each function has its symbol.
    named: bool,
}

/// What was found in some units.
#[derive(Default)]
pub(super) struct Tally {
    pub findings: Vec<Finding>,
    pub unreadable: Vec<Fault>,
    /// Units that the other reader was not asked about.
    pub alone: u64,
    functions: u64,
    places: u64,
    disputed: u64,
    assembler: u64,
    overridden: u64,
}

impl Tally {
    /// Adds what was found in others.
    pub(super) fn add(&mut self, other: Tally) {
        self.findings.extend(other.findings);
        self.unreadable.extend(other.unreadable);
        self.alone += other.alone;
        self.functions += other.functions;
        self.places += other.places;
        self.disputed += other.disputed;
        self.assembler += other.assembler;
        self.overridden += other.overridden;
    }

    /// Its numbers.
    pub(super) fn counts(&self) -> [(&'static str, u64); 5] {
        [
            ("functions_read", self.functions),
            ("places_asked", self.places),
            ("places_disputed", self.disputed),
            ("assembler_without_lines", self.assembler),
            ("functions_overridden", self.overridden),
        ]
    }
}

/// Symbols of one place, or of one name, that are looked at; kernels have some ten.
const MOST_NAMES: usize = 1 << 8;

impl<'w, 's, 'd> Whole<'w, 's, 'd> {
    pub(super) fn new(
        subject: &'w Subject<'s, 'd>,
        audit: &'w Audit<'w, 'd>,
        second: &'w Second<'w, 'd>,
    ) -> Self {
        let symbols = subject.image.symbols();
        Whole {
            subject,
            audit,
            second,
            calls: subject.calls(),
            named: symbols.source() == SymbolSource::Symtab,
        }
    }

    /// Looks at the unit at `offset`.
    pub(super) fn unit(&self, offset: usize) -> Tally {
        let mut tally = Tally::default();
        let damaged = |what: String| Fault { offset, what };
        let own = match self.audit.unit(offset) {
            Ok(own) => own,
            Err(e) => {
                tally.unreadable.push(damaged(e.to_string()));
                return tally;
            }
        };
        let functions = own.functions();
        tally.functions = functions.len() as u64;
        if self.named {
            for function in functions {
                self.named_like_symbol(function, offset, &mut tally);
            }
        }
        let Some(first) = functions.first().and_then(|f| f.pieces.first()) else {
            return tally;
        };
        // The other reader would read each name to its end, and calls itself for each call.
        let second = match own.is_too_much() {
            true => Ok(None),
            false => self.second.unit(offset),
        };
        let second = match second {
            Ok(Some(second)) => Some(second),
            Ok(None) => None,
            Err(e) => {
                tally.unreadable.push(damaged(format!("addr2line: {e}")));
                return tally;
            }
        };
        match second.as_ref().map(|s| s.lines(first.0)) {
            Some(Err(e)) => {
                let what = format!(
                    "the line program of the unit at .debug_info+{offset:#x} cannot be run: {e}"
                );
                let spot = self.spot(first.0);
                let (from, to) = reach(functions);
                let found = Finding::at(&checks::PROGRAM, spot, what);
                tally
                    .findings
                    .push(found.about(LinkAddr(from), LinkAddr(to)));
                return tally;
            }
            Some(Ok(())) => {}
            None => tally.alone += 1,
        }
        self.rows(&own, functions, offset, &mut tally);
        if let Some(second) = second {
            self.compare(&own, &second, functions, offset, &mut tally);
        }
        tally
    }

    fn spot(&self, at: u64) -> Spot {
        Spot::at(self.subject.image, LinkAddr(at), What::Function)
    }

    /// Whether symbols know the function by the same name, at the same place.
    fn named_like_symbol(&self, function: &Written<'_>, offset: usize, tally: &mut Tally) {
        let symbols = self.subject.image.symbols();
        let known = |at: u64, name: &str| {
            symbols
                .names_at(LinkAddr(at))
                .take(MOST_NAMES)
                .any(|s| stands_for(s, name))
        };
        let begins = |at: u64| symbols.names_at(LinkAddr(at)).next();
        let Some(name) = function.name else {
            let Some((at, other)) = function
                .pieces
                .iter()
                .find_map(|p| Some((p.0, begins(p.0)?)))
            else {
                return;
            };
            let what = format!(
                "debug information has a function without a name here, symbols have {other}"
            );
            tally.findings.push(self.wrong(at, what));
            return;
        };
        let own = function.pieces.iter().any(|p| known(p.0, name));
        let written = shortened(name);
        for (start, end) in &function.pieces {
            match begins(*start) {
                Some(_) if known(*start, name) => self.extent(*start, *end, tally),
                Some(other) if own => {
                    let other = shortened(other);
                    let what = format!(
                        "debug information has a part of {written} here, symbols have {other}"
                    );
                    tally.findings.push(self.wrong(*start, what));
                }
                Some(other) => {
                    let other = shortened(other);
                    let what =
                        format!("debug information has {written} here, symbols have {other}");
                    tally.findings.push(self.wrong(*start, what));
                    return;
                }
                None if self.is_overridden(name, offset) => tally.overridden += 1,
                None => {
                    let what = format!(
                        "debug information (unit at .debug_info+{offset:#x}) has {written} begin here, where no symbol begins"
                    );
                    tally.findings.push(self.wrong(*start, what));
                    return;
                }
            }
        }
    }

    /// Whether the function called `name` is another unit's: the linker then drops the symbol of a weak function that the
    /// unit at `offset` has, and leaves its code.
    fn is_overridden(&self, name: &str, offset: usize) -> bool {
        let symbols = self.subject.image.symbols();
        let all = symbols.named(name).take(MOST_NAMES);
        let mut all = all.map(|id| symbols.range(id).0).peekable();
        all.peek().is_some() && all.all(|at| self.audit.unit_of(at.0) != Some(offset))
    }

    fn wrong(&self, at: u64, what: String) -> Finding {
        let symbols = self.subject.image.symbols();
        let around = symbols.function(LinkAddr(at)).map(|id| symbols.range(id));
        let (from, to) = around.unwrap_or((LinkAddr(at), LinkAddr(at.saturating_add(1))));
        Finding::at(&checks::FUNCTION, self.spot(at), what).about(from, to)
    }

    /// Whether the symbol ends where the piece of a function does, as far as call-frame information leaves that open.
    fn extent(&self, start: u64, end: u64, tally: &mut Tally) {
        let symbols = self.subject.image.symbols();
        let own = symbols
            .function(LinkAddr(start))
            .map(|id| symbols.range(id));
        let Some((from, to)) = own.filter(|(from, to)| from.0 == start && to.0 != end) else {
            return;
        };
        // Whose end is wrong by call-frame information, too, is looked at by the family `agree`.
        let others = match to.0 < end {
            true => self.described(start, to.0),
            false => self.described(start, start) && !self.described(start, end),
        };
        if others {
            return;
        }
        let what = format!(
            "debug information ends it at +{:#x}, the symbol at +{:#x}",
            end - start,
            to.0 - from.0
        );
        let found = Finding::at(&checks::EXTENT, self.spot(start), what);
        tally.findings.push(found.about(from, to));
    }

    /// Whether call-frame information has the function that begins at `start`, and goes on at `at`.
    fn described(&self, start: u64, at: u64) -> bool {
        let Ok(cfi) = self.subject.image.cfi() else {
            return false;
        };
        let mut scratch = Default::default();
        let row = |at: u64, scratch: &mut _| cfi.row(LinkAddr(at), scratch).is_some();
        row(start, &mut scratch) && row(at, &mut scratch)
    }

    /// Functions without lines, and those that begin within a row.
    fn rows(
        &self,
        own: &AuditUnit<'_>,
        functions: &[Written<'_>],
        offset: usize,
        tally: &mut Tally,
    ) {
        let mut within: Vec<u64> = Vec::new();
        let mut without: Vec<u64> = Vec::new();
        let starts = functions.iter().filter_map(|f| f.pieces.first());
        for (start, _) in starts.copied() {
            if own.begins(start) {
                continue;
            }
            match own.has_line(start) {
                true => within.push(start),
                false => without.push(start),
            }
        }
        let others = |n: usize, what: &str| match n {
            1 => String::new(),
            n => format!(", {what} {} more functions", n - 1),
        };
        let (from, to) = reach(functions);
        // What macros of assembler put before the first instruction (`.byte`, alternatives) has no line.
        if self.audit.is_assembler(offset) {
            tally.assembler += (within.len() + without.len()) as u64;
            return;
        }
        if let Some(first) = within.first() {
            let what = format!(
                "no row of source lines begins here{}, unit at .debug_info+{offset:#x}",
                others(within.len(), "nor at")
            );
            let found = Finding::at(&checks::ROW, self.spot(*first), what);
            tally
                .findings
                .push(found.about(LinkAddr(from), LinkAddr(to)));
        }
        if let Some(first) = without.first() {
            let what = format!(
                "the unit at .debug_info+{offset:#x} has the function, but no line for it{}",
                others(without.len(), "nor for")
            );
            let found = Finding::at(&checks::NONE, self.spot(*first), what);
            tally
                .findings
                .push(found.about(LinkAddr(from), LinkAddr(to)));
        }
    }

    /// Asks both readers at the beginning of every function and at every call.
    fn compare(
        &self,
        own: &AuditUnit<'_>,
        second: &SecondUnit<'_>,
        functions: &[Written<'_>],
        offset: usize,
        tally: &mut Tally,
    ) {
        let mut differ: Vec<(u64, String)> = Vec::new();
        let mut ask = |at: u64| {
            tally.places += 1;
            if own.is_disputed(at) {
                tally.disputed += 1;
                return;
            }
            let mine = own.chain(at);
            match second.chain(at) {
                Ok(other) if same(&mine, &other) => {}
                Ok(other) => {
                    let what = format!(
                        "fixtrace has {}, addr2line has {}",
                        told(&mine),
                        told(&other)
                    );
                    differ.push((at, what));
                }
                Err(e) => differ.push((at, format!("addr2line cannot read it: {e}"))),
            }
        };
        for (start, end) in functions.iter().flat_map(|f| &f.pieces) {
            ask(*start);
            let from = self.calls.partition_point(|c| c.ret.0.0 <= *start);
            let calls = self.calls[from..].iter();
            for call in calls.take_while(|c| c.ret.0.0 <= *end) {
                ask(RetAddr(call.ret.0).call().0);
            }
        }
        let Some((first, what)) = differ.first() else {
            return;
        };
        let others = match differ.len() {
            1 => String::new(),
            n => format!(
                "; {} more places of the unit at .debug_info+{offset:#x} differ",
                n - 1
            ),
        };
        let spot = Spot::at(self.subject.image, LinkAddr(*first), What::Instruction);
        let (from, to) = reach(functions);
        let found = Finding::at(&checks::READER, spot, format!("{what}{others}"));
        tally
            .findings
            .push(found.about(LinkAddr(from), LinkAddr(to)));
    }
}

/// From the first to the last of the code of `functions`.
fn reach(functions: &[Written<'_>]) -> (u64, u64) {
    let pieces = || functions.iter().flat_map(|f| &f.pieces);
    let from = pieces().map(|p| p.0).min().unwrap_or(0);
    let to = pieces().map(|p| p.1).max().unwrap_or(0);
    (from, to)
}

/// Whether both say the same. Paths are joined in different ways: their last parts are compared. A reader that finds no
/// function leaves it out.
fn same(mine: &[Level], other: &[Level]) -> bool {
    let base = |file: &Option<String>| {
        file.as_deref()
            .map(|f| f.rsplit('/').next().unwrap_or(f).to_owned())
    };
    mine.len() == other.len()
        && mine.iter().zip(other).all(|(a, b)| {
            let line =
                a.line == b.line || (a.file.is_none() && a.line.is_none()) || b.file.is_none();
            a.function == b.function && line && (base(&a.file) == base(&b.file) || b.line.is_none())
        })
}

fn told(chain: &[Level]) -> String {
    let level = |l: &Level| {
        let file = l
            .file
            .as_deref()
            .map_or("?", |f| f.rsplit('/').next().unwrap_or(f));
        let line = l.line.map_or("?".to_owned(), |n| n.to_string());
        let function = shortened(l.function.as_deref().unwrap_or("?"));
        format!("{function} {file}:{line}")
    };
    match chain {
        [] => "nothing".to_owned(),
        all => all.iter().map(level).collect::<Vec<_>>().join(" < "),
    }
}
