//! What the kernel's own unwinder makes of a frame, beside what the walk made of it.

use super::step::apply;
use super::walker::Walker;
use super::witness::Witnesses;
use crate::base::addr::{Addr, Address, Pc};
use crate::base::regs::Regs;
use crate::engine::unwind::{Stop, Trust};
use crate::formats::rule::Row;
use crate::world::dump::{Generated, Generator};
use crate::world::memory::Memory;

/// What the kernel's own unwinder, which goes by ORC rows alone, makes of a frame
/// (`unwind_next_frame()`, arch/x86/kernel/unwind_orc.c, Linux 4.14-7.2).
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum ByOrc {
    /// Its row leads to the next frame, as the walk went.
    Same,
    /// Its row marks the outermost frame.
    End,
    /// There is no row: it goes on by RBP, and gives up that the rest is reliable.
    NoRow,
    /// There is no row for code of the BPF JIT: it goes on by RBP, and gives up that the rest is reliable.
    Bpf,
    /// There is no row, but the kernel knows that this code of the BPF JIT has its frame pointer set up here
    /// (`bpf_has_frame_pointer()`, 7.0 on).
    Framed,
    /// The row says that nothing is known of the code.
    Undefined,
    /// The row leads to another frame than the walk went to.
    Elsewhere,
    /// The row cannot be applied, or leads astray: what the walk would have ended with.
    Failed(Stop),
    /// The PC is no kernel text to it (`__kernel_text_address()`).
    NotText,
    /// The kernel knows what is not at hand here.
    Unknown,
}

/// A frame, with what decides what the kernel makes of it.
pub(super) struct Seen<'a, 'k, 'd> {
    pub pc: Pc<Addr>,
    pub regs: &'a Regs,
    pub witnesses: &'a Witnesses<'k, 'd>,
    /// The code made at run time that it is of.
    pub made: Option<&'a Generated>,
    /// What the kernel's unwinder can do.
    pub walker: Walker,
    /// Whether there may be code that the dump does not tell of.
    pub unlisted: bool,
}

/// What the kernel's own unwinder makes of a frame that the walk left: by which table and to which frame address; or where
/// it ended.
pub(super) fn by_orc(
    seen: &Seen<'_, '_, '_>,
    left: Result<(Trust, Addr), &Stop>,
    memory: &dyn Memory,
) -> ByOrc {
    let witnesses = seen.witnesses;
    let code = witnesses.located.is_some() || witnesses.generated.is_some();
    if matches!(left, Err(Stop::Hijacked(_) | Stop::UnknownCode(_))) {
        return ByOrc::Unknown;
    }
    let text = match seen.pc {
        Pc::Exact(_) => code,
        Pc::Return(_) => witnesses.text_behind,
    };
    match (text, witnesses.orc) {
        (false, _) if seen.unlisted && !code => ByOrc::Unknown,
        (false, _) => ByOrc::NotText,
        (_, Some(Row::End)) => ByOrc::End,
        (_, Some(Row::Unknown)) => ByOrc::Undefined,
        (_, None) => match seen.made.filter(|g| g.kind == Generator::Bpf) {
            Some(made) => by_frame_pointer(seen, made),
            None => ByOrc::NoRow,
        },
        (_, Some(Row::Step(rule))) => match left {
            Ok((Trust::Orc | Trust::OrcCfi, _)) => ByOrc::Same,
            // The same frame by other means counts as much.
            Ok((_, cfa)) => match apply(&rule, seen.regs, memory) {
                Ok(own) if own.cfa == cfa => ByOrc::Same,
                Ok(_) => ByOrc::Elsewhere,
                Err(failed) => ByOrc::Failed(Stop::from(failed).with_page(memory)),
            },
            Err(stop) => ByOrc::Failed(stop.with_page(memory)),
        },
    }
}

/// Whether the kernel vouches for the frame pointer of `made`, the BPF JIT's.
fn by_frame_pointer(seen: &Seen<'_, '_, '_>, made: &Generated) -> ByOrc {
    let offset = seen.pc.lookup().since(made.start).unwrap_or(0);
    match made.framed {
        // 0 stands for a bound that was not set.
        Some((from, to)) if from > 0 && (u64::from(from)..to.into()).contains(&offset) => {
            ByOrc::Framed
        }
        None if seen.walker.bpf => ByOrc::Unknown,
        _ => ByOrc::Bpf,
    }
}
