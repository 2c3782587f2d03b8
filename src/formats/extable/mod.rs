//! The exception table: which instructions may fault, and where execution goes on then.

pub mod entry;
mod ex_type;
pub mod fixup;
pub mod walk;

use std::sync::OnceLock;

use entry::{Entry, ExType, Handler, Layout};

use crate::base::addr::{Address, LinkAddr};
use crate::base::bytes::i32_at;
use crate::base::error::Finding;
use crate::formats::image::{ElfImage, ImageKind, Section};

/// From so many percent on a second layout fits nearly as well as the first. Of sound tables none comes to 80.
const NEARLY: u32 = 90;
/// Bytes of a table that tell anything: a few rows fit any layout.
const ENOUGH: usize = 96;
/// What `_ASM_EXTABLE_EX` of Linux 3.5-4.5 adds to the fixup word.
const UACCESS_ERR_BIAS: i64 = 0x7fff_fff0;

/// The exception table of one image.
#[derive(Debug, Default)]
pub struct ExTable {
    layout: Option<Layout>,
    /// Another layout that fits nearly as well, and how well, in percent of this one.
    rival: Option<(Layout, u32)>,
    /// Sorted by faulting instruction.
    entries: Vec<Entry>,
    /// Rows by fixup address.
    by_landing: OnceLock<Vec<u32>>,
    findings: Vec<Finding>,
}

impl ExTable {
    pub(crate) fn of(image: &ElfImage<'_>) -> Self {
        let Some(section) = image.section("__ex_table").filter(|s| !s.data.is_empty()) else {
            return Self::default();
        };
        let Some((layout, rival)) = detect(image, section) else {
            let what = format!("{} bytes fit no known layout of rows", section.data.len());
            return ExTable {
                findings: vec![Finding::new(section.name, 0, what)],
                ..Self::default()
            };
        };
        let mut findings = Vec::new();
        let rest = section.data.len() % layout.size();
        if rest != 0 {
            let at = (section.data.len() - rest) as u64;
            findings.push(Finding::new(
                section.name,
                at,
                format!("{rest} bytes behind the last whole row"),
            ));
        }
        let mut entries: Vec<Entry> = rows(section, layout).collect();
        if !entries.is_sorted_by_key(|e| e.insn) {
            // Modules are sorted when loaded, a vmlinux when built.
            if image.kind() == ImageKind::Vmlinux && layout != Layout::Vdso8 {
                findings.push(Finding::new(
                    section.name,
                    0,
                    "rows are not sorted; sorted them",
                ));
            }
            entries.sort_by_key(|e| e.insn);
        }
        let table = ExTable {
            layout: Some(layout),
            rival,
            entries,
            by_landing: OnceLock::new(),
            findings,
        };
        let findings = table.judge(image, section.name);
        ExTable {
            findings: [table.findings, findings].concat(),
            ..table
        }
    }

    /// Rows that point outside text or have a handler nobody knows.
    fn judge(&self, image: &ElfImage<'_>, section: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (i, e) in self.entries.iter().enumerate() {
            let at = (i * self.layout.map_or(1, Layout::size)) as u64;
            for (what, addr) in [("instruction", e.insn), ("fixup", e.fixup)] {
                if image.text_section(addr).is_none() && !self.handler(image, e).is_bpf() {
                    findings.push(Finding::new(
                        section,
                        at,
                        format!("{what} {addr} lies outside text"),
                    ));
                }
            }
            let handler = self.handler(image, e);
            if !handler.is_known() {
                findings.push(Finding::new(
                    section,
                    at,
                    format!("{} of instruction {}", handler.name(), e.insn),
                ));
            }
        }
        findings
    }

    /// How rows are laid out; `None` for an empty table.
    pub fn layout(&self) -> Option<Layout> {
        self.layout
    }

    /// Another layout that fits nearly as well, and how well, in percent of this one.
    pub fn rival(&self) -> Option<(Layout, u32)> {
        self.rival
    }

    /// All rows, sorted by faulting instruction.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Oddities met.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The rows whose faulting instruction begins at `at`.
    pub(crate) fn at(&self, at: LinkAddr) -> &[Entry] {
        let from = self.entries.partition_point(|e| e.insn < at);
        let len = self.entries[from..].partition_point(|e| e.insn == at);
        &self.entries[from..from + len]
    }

    /// The rows whose fixup address is `at`: number and row, in order.
    pub(crate) fn landing_at(&self, at: LinkAddr) -> impl Iterator<Item = (usize, &Entry)> {
        let by_landing = self.by_landing.get_or_init(|| {
            let mut rows: Vec<u32> = (0..self.entries.len() as u32).collect();
            rows.sort_by_key(|r| self.entries[*r as usize].fixup);
            rows
        });
        let entry = |row: &u32| &self.entries[*row as usize];
        let from = by_landing.partition_point(|r| entry(r).fixup < at);
        let here = by_landing[from..]
            .iter()
            .take_while(move |r| entry(r).fixup == at);
        here.map(move |r| (*r as usize, entry(r)))
    }

    /// The handler of `entry`, a row of this table.
    pub fn handler<'a>(&self, image: &'a ElfImage<'_>, entry: &Entry) -> Handler<'a> {
        match self.layout {
            Some(Layout::Handler12) => {
                Handler::Function(handler_name(image, entry.handler).unwrap_or_default())
            }
            Some(Layout::TypedA12) => Handler::Typed {
                kind: ExType::of_5_16(entry.word),
                data: entry.word,
            },
            Some(Layout::TypedB12) => Handler::Typed {
                kind: ExType::of(entry.word),
                data: entry.word,
            },
            Some(Layout::Vdso8) => Handler::Vdso,
            Some(Layout::Plain8) if entry.word != 0 => Handler::UaccessErr,
            Some(Layout::Plain8) | None => Handler::Plain,
        }
    }
}

impl ExTable {
    /// A table that could not be read.
    pub(crate) fn damaged(finding: Finding) -> Self {
        ExTable {
            findings: vec![finding],
            ..Self::default()
        }
    }

    /// A table of `entries`, sorted by faulting instruction, as an index has them.
    pub(crate) fn from_entries(layout: Layout, entries: Vec<Entry>) -> Self {
        ExTable {
            layout: Some(layout),
            entries,
            ..Self::default()
        }
    }
}

fn handler_name<'a>(image: &'a ElfImage<'_>, at: LinkAddr) -> Option<&'a str> {
    if let Some(name) = image.import(at) {
        return Some(name);
    }
    let id = image.symbols().nearest(at)?;
    let symbol = image.symbols().get(id);
    (symbol.addr == at).then_some(symbol.name)
}

/// The rows of `section`, read as `layout`.
fn rows<'s>(section: &'s Section<'_>, layout: Layout) -> impl Iterator<Item = Entry> + 's {
    let base = section.addr.unwrap_or_default();
    section
        .data
        .chunks_exact(layout.size())
        .enumerate()
        .filter_map(move |(i, row)| {
            let at = base.offset((i * layout.size()) as i64);
            let word = |n: usize| i32_at(row, n * 4).map(i64::from);
            let (insn, fixup) = (word(0)?, word(1)?);
            Some(match layout {
                Layout::Vdso8 => Entry {
                    insn: base.offset(insn),
                    fixup: base.offset(fixup),
                    word: 0,
                    handler: LinkAddr(0),
                },
                Layout::Plain8 => {
                    // A fixup far out of any text is `_ASM_EXTABLE_EX`'s.
                    let biased = fixup > UACCESS_ERR_BIAS / 2;
                    let fixup = if biased {
                        fixup - UACCESS_ERR_BIAS
                    } else {
                        fixup
                    };
                    Entry {
                        insn: at.offset(insn),
                        fixup: at.offset(4 + fixup),
                        word: biased.into(),
                        handler: LinkAddr(0),
                    }
                }
                Layout::Handler12 | Layout::TypedA12 | Layout::TypedB12 => {
                    let third = word(2)?;
                    Entry {
                        insn: at.offset(insn),
                        fixup: at.offset(4 + fixup),
                        word: third as u32,
                        handler: at.offset(8 + third),
                    }
                }
            })
        })
}

/// Finds the layout: the one in which most instructions lie in text, and most follow the one before. The size of the
/// section decides nothing, for many sizes divide by both 8 and 12; nor does text alone, for handlers lie in it, too.
fn detect(image: &ElfImage<'_>, section: &Section<'_>) -> Option<(Layout, Option<(Layout, u32)>)> {
    let in_text = |a: LinkAddr| image.text_section(a).is_some();
    let score = |layout: Layout| {
        let (mut all, mut good, mut ascending) = (0usize, 0usize, 0usize);
        let mut last = LinkAddr(0);
        for e in rows(section, layout) {
            all += 2;
            good += usize::from(in_text(e.insn)) + usize::from(in_text(e.fixup));
            ascending += 2 * usize::from(e.insn >= last);
            last = e.insn;
        }
        // Half of the addresses in text: a table of few sane rows is still read, with findings.
        (all > 0 && good * 2 >= all).then(|| (good + ascending) * 1000 / all)
    };
    let candidates: &[Layout] = match image.kind() {
        ImageKind::Vdso => &[Layout::Vdso8],
        _ => &[Layout::Plain8, Layout::TypedB12],
    };
    let scored = candidates.iter().filter_map(|l| Some((score(*l)?, *l)));
    let mut scored: Vec<(usize, Layout)> = scored.collect();
    // Of equals the last one listed.
    scored.sort_by_key(|(score, _)| *score);
    let (most, best) = scored.pop()?;
    let rival = scored.pop().and_then(|(score, layout)| {
        let percent = u32::try_from((score * 100).checked_div(most)?).ok()?;
        let size = section.data.len();
        let whole = size >= ENOUGH && size.is_multiple_of(layout.size());
        (whole && percent >= NEARLY).then_some((layout, percent))
    });
    if best != Layout::TypedB12 {
        return Some((best, rival));
    }
    let (mut all, mut pointers, mut wide) = (0usize, 0usize, 0usize);
    for e in rows(section, Layout::TypedB12) {
        all += 1;
        pointers += usize::from(in_text(e.handler) || image.import(e.handler).is_some());
        wide += usize::from(e.word > 0xff);
    }
    if pointers * 2 > all {
        return Some((Layout::Handler12, rival));
    }
    let numbering_a = wide == 0 && image.release().is_some_and(|r| r.starts_with("5.16."));
    let typed = match numbering_a {
        true => Layout::TypedA12,
        false => Layout::TypedB12,
    };
    Some((typed, rival))
}
