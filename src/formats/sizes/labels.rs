//! Labels: symbols that begin no function.
//!
//! Code that runs on into a symbol makes it a label of the function before it, for a compiler ends each function with
//! a jump, a return, or a call that does not come back, and objtool sees to it that assembly does, too. Of some labels
//! the code does not tell; the entry code's are known by name.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::base::addr::{Address, LinkAddr};
use crate::formats::image::ElfImage;
use crate::formats::image::names::{cold_base, padded};
use crate::formats::insn::{self, ENDBR64, Flow};

/// Labels in arch/x86 (`SYM_INNER_LABEL`) that stand behind a call or a jump, or beside their function's name, and in
/// which versions of Linux they were met.
const KNOWN: &[(&str, &str)] = &[
    ("asm_call_irq_on_stack", "5.10"),
    ("asm_call_sysvec_on_stack", "5.10"),
    ("asm_fred_exit_user", "7.2"),
    ("bad_get_user", "5.10, 6.1"),
    ("entry_SYSRETL_compat_end", "6.1-7.2"),
    ("entry_SYSRETQ_end", "6.1-7.2"),
    ("first_nmi", "5.10-7.2"),
    ("native_iret", "5.10"),
    ("native_irq_return_iret", "5.10-7.2"),
    ("nmi_no_fsgsbase", "5.10-7.2"),
    ("restore_regs_and_return_to_kernel", "5.10-7.2"),
    ("secondary_startup_64_no_verify", "5.10-7.2"),
    ("swapgs_restore_regs_and_return_to_usermode", "5.10-7.2"),
    ("sysret32_from_system_call", "5.10-7.2"),
];

/// Whether `name` is known to begin no function.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|(known, _)| *known == name)
}

/// Finds the labels of an image.
pub(super) struct Labels<'i, 'd> {
    image: &'i ElfImage<'d>,
    /// `__fentry__`, which functions call first and labels do not.
    tracers: BTreeSet<LinkAddr>,
}

impl<'i, 'd> Labels<'i, 'd> {
    pub(super) fn new(image: &'i ElfImage<'d>) -> Self {
        let symbols = image.symbols();
        let tracers = symbols.named("__fentry__").map(|id| symbols.range(id).0);
        Labels {
            image,
            tracers: tracers.collect(),
        }
    }

    /// Whether the symbols in `rows`, all at `at`, are labels, `before` being where the last one before them stands.
    pub(super) fn is_label(&self, before: LinkAddr, at: LinkAddr, rows: Range<usize>) -> bool {
        let symbols = self.image.symbols();
        let mut names = rows.map(|row| symbols.name_in(row));
        // Most begin functions, which is told without reading what is before them.
        let told = names.any(|n| cold_base(n).is_some() || padded(n).is_some());
        !told && !self.is_traced(at) && self.runs_on(before, at)
    }

    /// Whether a call of `__fentry__`, or the NOP that objtool makes of it, is first at `at`.
    fn is_traced(&self, at: LinkAddr) -> bool {
        const NOP: &[u8] = &[0x0f, 0x1f, 0x44, 0, 0];
        let code = self.image.code(at);
        let (code, at) = match code.strip_prefix(&ENDBR64) {
            Some(rest) => (rest, at.offset(ENDBR64.len() as i64)),
            None => (code, at),
        };
        code.starts_with(NOP)
            || code.first() == Some(&0xe8)
                && insn::decode(code, at, self.image.bits())
                    .is_some_and(|i| matches!(i.flow, Flow::Call(to) if self.tracers.contains(&to)))
    }

    /// Whether execution goes from code between `from` and `to` on to `to` without a jump.
    fn runs_on(&self, from: LinkAddr, to: LinkAddr) -> bool {
        let code = self.image.code(from);
        let len = to.since(from).and_then(|len| usize::try_from(len).ok());
        // INT3 pads text.
        let Some(code) = len
            .and_then(|len| code.get(..len))
            .filter(|c| c.last() != Some(&0xcc))
        else {
            return false;
        };
        let (mut open, mut end) = (false, 0);
        for (at, insn) in insn::run(code, LinkAddr(0), self.image.bits()) {
            let start = at.0 as usize;
            end = start + usize::from(insn.len);
            let bytes = code.get(start..end).unwrap_or_default();
            open = match insn.flow {
                // What a call or a return is padded with does not run.
                Flow::Next if insn::may_pad(bytes) => open,
                Flow::Next | Flow::Branch(_) => true,
                // A call may not come back.
                _ => false,
            };
        }
        open && end == code.len()
    }
}
