//! Return addresses that tracers took off the stack.
//!
//! Sources: `ftrace_graph_ret_addr()`, kernel/trace/fgraph.c; `rethook_find_ret_addr()`, kernel/trace/rethook.c;
//! `kretprobe_find_ret_addr()`, kernel/kprobes.c (Linux 5.10-7.2).

use crate::base::addr::Addr;
use crate::world::dump::{Hijacked, Tracer};
use crate::world::kernel::Kernel;

/// Where tracers make functions return to, by name.
pub(crate) const TRAMPOLINES: [(&str, Tracer); 4] = [
    ("return_to_handler", Tracer::FunctionGraph),
    // Renamed in 5.16.
    ("kretprobe_trampoline", Tracer::Kretprobe),
    ("__kretprobe_trampoline", Tracer::Kretprobe),
    ("arch_rethook_trampoline", Tracer::Rethook),
];

/// Where tracers make functions return to.
#[derive(Clone, Copy, Default)]
pub(super) struct Trampolines([Option<(Addr, Tracer)>; 4]);

impl Trampolines {
    /// Those of `kernel`.
    pub(super) fn of(kernel: &Kernel<'_>) -> Self {
        Trampolines(TRAMPOLINES.map(|(name, tracer)| {
            let vmlinux = kernel.vmlinux()?;
            let symbols = vmlinux.image.symbols();
            let at = symbols.get(symbols.named(name).next()?).addr;
            Some((vmlinux.slide?.runtime(at), tracer))
        }))
    }

    /// Whose trampoline begins at `ret`.
    pub(super) fn at(&self, ret: Addr) -> Option<Tracer> {
        let known = self.0.iter().flatten();
        known.filter(|(at, _)| *at == ret).map(|(_, t)| *t).next()
    }
}

/// What was found for a return address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Recovered {
    /// It is no trampoline.
    Genuine,
    /// A tracer had replaced this one.
    From(Addr, Tracer),
    /// A tracer replaced it, and does not say with what.
    Lost(Tracer),
}

/// Finds what was at `slot` before tracers put `ret` there. A function that ends in a tail call leaves several
/// entries for one slot, and two tracers may follow one another: the entry that is no trampoline counts. `taken`
/// entries without a slot were used before; they serve in their order.
pub(super) fn recover(
    trampolines: &Trampolines,
    hijacked: &[Hijacked],
    ret: Addr,
    slot: Addr,
    taken: &mut usize,
) -> Recovered {
    let Some(mut by) = trampolines.at(ret) else {
        return Recovered::Genuine;
    };
    let (first, mut from) = (by, *taken);
    // Each entry is looked at once per tracer at most.
    for _ in 0..=hijacked.len() {
        let mine = |(_, h): &(usize, &Hijacked)| h.by == by && h.slot.is_none_or(|s| s == slot);
        let entries = hijacked.iter().enumerate();
        let mut fitting = entries
            .filter(mine)
            .filter(|(i, h)| h.slot.is_some() || *i >= from);
        let real = fitting.find(|(_, h)| trampolines.at(h.ret) != Some(by));
        let Some((index, entry)) = real else {
            return Recovered::Lost(by);
        };
        if entry.slot.is_none() {
            from = index + 1;
        }
        match trampolines.at(entry.ret) {
            Some(next) => by = next,
            None => {
                *taken = from;
                return Recovered::From(entry.ret, first);
            }
        }
    }
    Recovered::Lost(by)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLER: Addr = Addr(0x1000);
    const RETHOOK: Addr = Addr(0x2000);

    fn trampolines() -> Trampolines {
        Trampolines([
            Some((HANDLER, Tracer::FunctionGraph)),
            None,
            None,
            Some((RETHOOK, Tracer::Rethook)),
        ])
    }

    fn entry(slot: Option<u64>, ret: Addr, by: Tracer) -> Hijacked {
        Hijacked {
            slot: slot.map(Addr),
            ret,
            by,
        }
    }

    #[test]
    fn an_address_that_is_no_trampoline_is_left_alone() {
        let found = recover(&trampolines(), &[], Addr(0x1001), Addr(8), &mut 0);
        assert_eq!(found, Recovered::Genuine);
    }

    #[test]
    fn tail_calls_leave_several_entries_for_one_slot() {
        let graph = Tracer::FunctionGraph;
        let notes = [
            entry(Some(0x50), Addr(0x77), graph),
            entry(Some(0x80), HANDLER, graph),
            entry(Some(0x80), Addr(0x99), graph),
        ];
        let found = recover(&trampolines(), &notes, HANDLER, Addr(0x80), &mut 0);
        assert_eq!(found, Recovered::From(Addr(0x99), graph));
        let found = recover(&trampolines(), &notes, HANDLER, Addr(0x88), &mut 0);
        assert_eq!(found, Recovered::Lost(graph));
    }

    #[test]
    fn one_tracer_may_have_replaced_the_others_trampoline() {
        let notes = [
            entry(Some(0x80), RETHOOK, Tracer::FunctionGraph),
            entry(Some(0x80), Addr(0x99), Tracer::Rethook),
        ];
        let found = recover(&trampolines(), &notes, HANDLER, Addr(0x80), &mut 0);
        assert_eq!(found, Recovered::From(Addr(0x99), Tracer::FunctionGraph));
    }

    #[test]
    fn entries_without_a_slot_serve_in_their_order() {
        let graph = Tracer::FunctionGraph;
        let notes = [
            entry(None, Addr(0x71), graph),
            entry(None, Addr(0x72), graph),
        ];
        let mut taken = 0;
        let mut next = |slot| recover(&trampolines(), &notes, HANDLER, Addr(slot), &mut taken);
        assert_eq!(next(8), Recovered::From(Addr(0x71), graph));
        assert_eq!(next(16), Recovered::From(Addr(0x72), graph));
        assert_eq!(next(24), Recovered::Lost(graph));
    }

    #[test]
    fn entries_that_lead_to_each_other_end() {
        let notes = [
            entry(Some(8), RETHOOK, Tracer::FunctionGraph),
            entry(Some(8), HANDLER, Tracer::Rethook),
        ];
        let found = recover(&trampolines(), &notes, HANDLER, Addr(8), &mut 0);
        assert!(matches!(found, Recovered::Lost(_)));
    }
}
