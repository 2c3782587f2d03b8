//! What the tables say of a PC: ORC and CFI, each read once per address.

use crate::base::addr::{Addr, Address, LinkAddr, RetAddr};
use crate::formats::cfi::Scratch;
use crate::formats::orc::OrcTable;
use crate::formats::rule::{Cfa, Row, Rule, Shape};
use crate::world::dump::{Generated, Generator};
use crate::world::image::Image;
use crate::world::kernel::{Kernel, Located};

/// The rows for one address.
#[derive(Clone, Copy)]
pub(super) struct Witnesses<'k, 'd> {
    /// The image that holds the address.
    pub located: Option<Located<'k, 'd>>,
    /// The code made at run time that holds it.
    pub generated: Option<usize>,
    /// Whether the byte behind the address is code, too: a return address there is one to the kernel.
    pub text_behind: bool,
    /// What ORC says.
    pub orc: Option<Row>,
    /// What CFI says.
    pub cfi: Option<Row>,
    /// One rule with what both know, where both say the same of the CFA and of RBP.
    pub agreed: Option<Rule>,
}

/// Which tables a walk may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Witness {
    /// ORC rows.
    pub orc: bool,
    /// DWARF call-frame information.
    pub cfi: bool,
}

impl Witness {
    /// Both.
    pub(crate) const BOTH: Witness = Witness {
        orc: true,
        cfi: true,
    };
}

/// Rows that were asked for before, and room for reading others. One serves any number of walks of one
/// [`super::Unwinder`]; each thread has its own.
pub struct Cache<'k, 'd> {
    rows: Vec<Option<(Addr, Witnesses<'k, 'd>)>>,
    scratch: Scratch,
}

/// Rows kept, by the low bits of the address: a power of two.
const ROWS: usize = 1024;

impl Default for Cache<'_, '_> {
    fn default() -> Self {
        Cache {
            rows: vec![None; ROWS],
            scratch: Scratch::default(),
        }
    }
}

impl<'k, 'd> Cache<'k, 'd> {
    /// What is said of `at`, a lookup address.
    pub(super) fn get(
        &mut self,
        kernel: &'k Kernel<'d>,
        generated: &[Generated],
        which: Witness,
        at: Addr,
    ) -> Witnesses<'k, 'd> {
        // Functions are aligned: the low bits alone would leave most of the rows unused.
        let slot = ((at.0 ^ at.0 >> 10) as usize) % ROWS;
        if let Some((_, known)) = self.rows[slot].filter(|(known, _)| *known == at) {
            return known;
        }
        let found = ask(kernel, generated, which, at, &mut self.scratch);
        self.rows[slot] = Some((at, found));
        found
    }
}

fn ask<'k, 'd>(
    kernel: &'k Kernel<'d>,
    generated: &[Generated],
    which: Witness,
    at: Addr,
    scratch: &mut Scratch,
) -> Witnesses<'k, 'd> {
    let located = kernel.locate(at);
    let made = match located {
        Some(_) => None,
        None => generated.iter().position(|g| at >= g.start && at < g.end),
    };
    // ftrace copies its callers: the copy's rows are the original's (`orc_ftrace_find()`).
    let original = made.and_then(|index| {
        let made = generated.get(index)?;
        let name = match made.kind {
            Generator::FtraceCaller => "ftrace_caller",
            Generator::FtraceRegsCaller => "ftrace_regs_caller",
            _ => return None,
        };
        let image = &kernel.vmlinux()?.image;
        let symbols = image.symbols();
        let start = symbols.get(symbols.named(name).next()?).addr;
        let offset = at.since(made.start).filter(|o| *o > 0)?;
        Some((&**image, start.offset(offset.cast_signed())))
    });
    let place = located.map(|l| (l.image, l.link)).or(original);
    let behind = RetAddr::behind(at).0;
    let text_behind = match (located, made.and_then(|m| generated.get(m))) {
        (Some(l), _) => {
            let link = RetAddr::behind(l.link).0;
            l.image.text_section(link).is_some() || kernel.locate(behind).is_some()
        }
        (None, Some(made)) => behind < made.end || kernel.locate(behind).is_some(),
        (None, None) => false,
    };
    let mut found = Witnesses {
        located,
        generated: made,
        text_behind,
        orc: None,
        cfi: None,
        agreed: None,
    };
    if let Some((image, link)) = place {
        if which.orc {
            found.orc = orc_row(image, link);
        }
        if which.cfi {
            found.cfi = image.cfi().ok().and_then(|cfi| cfi.row(link, scratch));
        }
    }
    if let (Some(Row::Step(orc)), Some(Row::Step(cfi))) = (found.orc, found.cfi) {
        found.agreed = agreed(&orc, &cfi);
    }
    found
}

/// ORC's rule for a plain call, with the registers that CFI knows besides, if they are of one opinion.
fn agreed(orc: &Rule, cfi: &Rule) -> Option<Rule> {
    let plain = orc.shape == Shape::Call && matches!(orc.cfa, Cfa::Register(..));
    let same = (orc.cfa, orc.bp, orc.shape) == (cfi.cfa, cfi.bp, cfi.shape);
    (plain && same).then_some(Rule {
        saved: cfi.saved,
        ..*orc
    })
}

/// What ORC says of `link`, a lookup address.
pub(crate) fn orc_row(image: &Image<'_>, link: LinkAddr) -> Option<Row> {
    let table: &OrcTable<'_> = image.orc().ok()??;
    let (_, entry) = table.find(link)?;
    Some(Row::from_orc(&entry, table.sp_indirect()))
}
