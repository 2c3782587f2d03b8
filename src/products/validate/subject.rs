//! The image that is looked at, and what several families need to know of it.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::check::{FAMILIES, Family};
use super::shape;
use crate::base::addr::{Address, LinkAddr, RetAddr};
use crate::base::overlap::apart;
use crate::base::parallel;
use crate::formats::dwarf::survey::Survey;
use crate::formats::image::symtab::SymbolId;
use crate::formats::insn::track::Ground;
use crate::formats::insn::{self, Flow};
use crate::formats::orc::{Hints, OrcTable, OrcVersion};
use crate::world::image::Image;

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The families to run; empty for all.
    pub families: Vec<Family>,
    /// Entries and lines of debug information are read of one of so many units, by their numbers; 1 for all.
    pub sample: u32,
    /// Whether what every kernel has is not only counted: the notes about livepatches.
    pub list: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            families: Vec::new(),
            sample: 64,
            list: false,
        }
    }
}

impl Options {
    /// The families to run, in their order.
    pub fn families(&self) -> impl Iterator<Item = Family> + '_ {
        let asked = |f: &Family| self.families.is_empty() || self.families.contains(f);
        FAMILIES.into_iter().filter(asked)
    }
}

/// A function: symbols that cover the same code count once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Function {
    /// The symbol.
    pub id: SymbolId,
    /// Its first byte.
    pub start: LinkAddr,
    /// The first byte behind it.
    pub end: LinkAddr,
}

/// A call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallSite {
    /// The instruction behind it.
    pub ret: RetAddr<LinkAddr>,
    /// What is called; `None` through a register or memory.
    pub target: Option<LinkAddr>,
}

/// Where the code of a function goes besides on.
#[derive(Clone, Default, Debug)]
pub struct Ways {
    /// Its calls.
    pub calls: Vec<CallSite>,
    /// Where it jumps outside of itself, directly.
    pub jumps: Vec<LinkAddr>,
    /// Whether its last instruction is a call.
    pub ends_in_call: bool,
}

/// What a module is held to of the kernel that loads it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Loader {
    /// Its release.
    pub release: Option<String>,
    /// The format of its ORC rows.
    pub orc: Option<OrcVersion>,
    /// Its `.orc_header`.
    pub orc_header: Option<Vec<u8>>,
    /// The names of its functions that do not return.
    pub ends: BTreeSet<String>,
}

impl Loader {
    /// What `vmlinux` is.
    pub fn of(vmlinux: &Image<'_>) -> Self {
        let orc = vmlinux.orc().ok().flatten();
        let header = vmlinux.section(".orc_header");
        Loader {
            release: vmlinux.release().map(str::to_owned),
            orc: orc.map(OrcTable::version),
            orc_header: header.map(|s| s.data.to_vec()),
            ends: Ground::new(vmlinux, None, vmlinux.extable(), &|_| false)
                .end_names()
                .map(str::to_owned)
                .collect(),
        }
    }
}

/// Which ORC table is checked.
enum Seen<'d> {
    /// The image's.
    Own,
    /// The image's, read as its rows are instead of as a header says.
    ByRows(Box<OrcTable<'d>>),
    /// None: its parts disagree, or there is none.
    Nothing,
}

/// An image, and what is asked of it.
pub struct Subject<'s, 'd> {
    /// The image.
    pub image: &'s Image<'d>,
    /// Of a module, its kernel, if it is at hand.
    pub loader: Option<&'s Loader>,
    /// What is asked.
    pub options: &'s Options,
    orc: OnceLock<Seen<'d>>,
    functions: OnceLock<Vec<Function>>,
    ways: OnceLock<Vec<Ways>>,
    calls: OnceLock<Vec<CallSite>>,
    survey: OnceLock<Option<Survey>>,
}

/// How often all bytes of text may be read as those of overlapping functions, together.
const MOST_OVERLAP: u64 = 2;

impl<'s, 'd> Subject<'s, 'd> {
    /// Of `image`.
    pub fn new(image: &'s Image<'d>, loader: Option<&'s Loader>, options: &'s Options) -> Self {
        Subject {
            image,
            loader,
            options,
            orc: OnceLock::new(),
            functions: OnceLock::new(),
            ways: OnceLock::new(),
            calls: OnceLock::new(),
            survey: OnceLock::new(),
        }
    }

    /// The ORC table that every family holds code to: as its rows say, whatever a header says of them. `None` without a
    /// table, and where its parts disagree in size: that is one fault, and nothing else can be said then.
    pub fn orc(&self) -> Option<&OrcTable<'d>> {
        let image = self.image;
        let own = || image.orc().ok().flatten();
        let seen = self.orc.get_or_init(|| {
            let table = match shape::orc_disagreement(image) {
                None => own(),
                Some(_) => None,
            };
            let Some(table) = table else {
                return Seen::Nothing;
            };
            let other = table.contradiction().map(|c| c.rows);
            match other.filter(|rows| rows.class() != table.version().class()) {
                None => Seen::Own,
                Some(rows) => self
                    .orc_of_version(rows)
                    .map_or(Seen::Own, |t| Seen::ByRows(Box::new(t))),
            }
        });
        match seen {
            Seen::Own => own(),
            Seen::ByRows(table) => Some(table),
            Seen::Nothing => None,
        }
    }

    /// Its table, read as of this version.
    fn orc_of_version(&self, version: OrcVersion) -> Option<OrcTable<'d>> {
        let ips = self.image.section(".orc_unwind_ip")?;
        let rows = self.image.section(".orc_unwind")?;
        let hints = Hints {
            version: Some(version),
            release: self.image.release(),
            ..Hints::default()
        };
        OrcTable::parse(ips.addr?, ips.data, rows.data, hints, true).ok()
    }

    /// All functions with code, by address; of those that begin at one place the longest.
    pub fn functions(&self) -> &[Function] {
        let read = || {
            let symbols = self.image.symbols();
            let sized = symbols.iter().filter(|(_, s)| s.function);
            let all = sized.map(|(id, _)| {
                let (start, end) = symbols.range(id);
                Function { id, start, end }
            });
            let mut all: Vec<Function> = all.filter(|f| f.start < f.end).collect();
            all.sort_by_key(|f| (f.start, std::cmp::Reverse(f.end)));
            all.dedup_by_key(|f| f.start);
            all
        };
        self.functions.get_or_init(read)
    }

    /// Where the code of each function goes besides on, in the order of [`Subject::functions`].
    pub fn ways(&self) -> &[Ways] {
        self.ways.get_or_init(|| {
            let of = |f: &Function| {
                let mut ways = Ways::default();
                for (at, insn) in insn::sweep(self.image, f.start, f.end) {
                    let ret = RetAddr(at.offset(insn.len.into()));
                    ways.ends_in_call = false;
                    let target = match insn.flow {
                        Flow::Jump(to) | Flow::Branch(to) if to < f.start || to >= f.end => {
                            ways.jumps.push(to);
                            continue;
                        }
                        Flow::Call(target) => Some(target),
                        Flow::IndirectCall => None,
                        _ => continue,
                    };
                    ways.calls.push(CallSite { ret, target });
                    ways.ends_in_call = ret.0 == f.end;
                }
                ways
            };
            // Of functions that lie in each other no more is read than of others.
            let functions = self.functions();
            let text = self.image.text_sections().map(|s| s.data.len() as u64);
            let ranges = functions.iter().map(|f| (f.start.0, f.end.0));
            let fits = apart(ranges, text.sum::<u64>().saturating_mul(MOST_OVERLAP));
            let left_out = fits.iter().filter(|fits| !**fits).count();
            if left_out > 0 {
                let what = format!("{left_out} functions overlap others that were read; left out");
                let finding = crate::base::error::Finding::new(".symtab", 0, what);
                self.image.storage().leave_out(finding);
            }
            let all: Vec<(&Function, bool)> = functions.iter().zip(fits).collect();
            parallel::map(
                &all,
                |(f, fits)| if *fits { of(f) } else { Ways::default() },
            )
        })
    }

    /// All calls of all functions, by return address. Those that only an alternative puts there are left out.
    pub fn calls(&self) -> &[CallSite] {
        self.calls.get_or_init(|| {
            let all = self.ways().iter().flat_map(|w| &w.calls);
            let mut calls: Vec<CallSite> = all.copied().collect();
            // Functions may lie within each other: each call counts once.
            calls.sort_by_key(|c| c.ret.0);
            calls.dedup_by_key(|c| c.ret.0);
            calls
        })
    }

    /// All units of debug information, looked over; `None` without any.
    pub fn survey(&self) -> Option<&Survey> {
        let lines = self.image.lines().ok().flatten();
        let read = || Some(lines?.audit()?.survey());
        self.survey.get_or_init(read).as_ref()
    }
}
