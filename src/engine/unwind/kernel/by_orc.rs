//! What the kernel's own unwinder makes of a frame, beside what the walk made of it.

use super::step::apply;
use super::witness::Witnesses;
use super::{Decided, Pending, Walk};
use crate::base::addr::{Address, Pc};
use crate::engine::unwind::{Stop, Trust};
use crate::formats::rule::Row;
use crate::world::dump::Generator;

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

impl<'k, 'd> Walk<'_, 'k, 'd> {
    /// What the kernel's own unwinder makes of `here`, which the walk `left`.
    pub(super) fn by_orc(
        &self,
        here: &Pending,
        witnesses: &Witnesses<'k, 'd>,
        left: Result<&Decided, &Stop>,
    ) -> ByOrc {
        let code = witnesses.located.is_some() || witnesses.generated.is_some();
        if !self.unwinder.witness.orc
            || matches!(left, Err(Stop::Hijacked(_) | Stop::UnknownCode(_)))
        {
            return ByOrc::Unknown;
        }
        let text = match here.pc {
            Pc::Exact(_) => code,
            Pc::Return(_) => witnesses.text_behind,
        };
        let made = witnesses
            .generated
            .and_then(|g| self.unwinder.generated.get(g));
        match (text, witnesses.orc) {
            (false, _) if self.context.unlisted && !code => ByOrc::Unknown,
            (false, _) => ByOrc::NotText,
            (_, Some(Row::End)) => ByOrc::End,
            (_, Some(Row::Unknown)) => ByOrc::Undefined,
            (_, None) if made.is_some_and(|g| g.kind == Generator::Bpf) => {
                let offset = made.and_then(|g| here.pc.lookup().since(g.start));
                match made.and_then(|g| g.framed).zip(offset) {
                    // 0 stands for a bound that was not set.
                    Some(((from, to), at)) if from > 0 && at >= from.into() && at < to.into() => {
                        ByOrc::Framed
                    }
                    None if self.unwinder.walker.bpf => ByOrc::Unknown,
                    _ => ByOrc::Bpf,
                }
            }
            (_, None) => ByOrc::NoRow,
            (_, Some(Row::Step(rule))) => match left {
                Ok(Decided {
                    trust: Trust::Orc | Trust::OrcCfi,
                    ..
                }) => ByOrc::Same,
                // The same frame by other means counts as much.
                Ok(decided) => match apply(&rule, &here.regs, self.memory) {
                    Ok(own) if own.cfa == decided.stepped.cfa => ByOrc::Same,
                    Ok(_) => ByOrc::Elsewhere,
                    Err(failed) => ByOrc::Failed(Stop::from(failed).with_page(self.memory)),
                },
                Err(stop) => ByOrc::Failed(stop.with_page(self.memory)),
            },
        }
    }
}
