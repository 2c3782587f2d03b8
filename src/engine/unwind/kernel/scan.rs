//! Where no table leads on: the first return address further up the stack whose call is of the function itself.
//!
//! A call that names the function is no proof that this very call is the one: the frame is marked, and what follows is
//! walked by the tables again.

use super::step::Stepped;
use crate::base::addr::{Addr, RetAddr};
use crate::base::bytes::u64_at;
use crate::base::regs::{Reg, Regs};
use crate::world::code::CodeSource;
use crate::world::kernel::{Kernel, Located};
use crate::world::memory::Memory;
use crate::world::reach::{Call, call_before};

/// Bytes of a stack that are looked at, where nobody knows its end.
const MAX_BYTES: u64 = 16384;

/// Bytes that are read at once, at most.
const CHUNK: u64 = 512;

/// The caller of the function that holds `pc`: the first word of the stack between `regs` and `end` that is a return
/// address of a call of it.
pub(super) fn caller<'k, 'd>(
    kernel: &'k Kernel<'d>,
    memory: &dyn Memory,
    pc: Located<'k, 'd>,
    regs: &Regs,
    end: Option<Addr>,
) -> Option<Stepped> {
    let code = CodeSource::in_memory(kernel, memory);
    let wanted = entries(pc);
    if wanted.is_empty() {
        return None;
    }
    let sp = regs.sp()?.0.checked_next_multiple_of(8)?;
    let end = end.map_or(u64::MAX, |e| e.0);
    let end = end.min(sp.saturating_add(MAX_BYTES));
    let found = words(memory, sp, end).find(|(_, word)| calls(code, kernel, Addr(*word), &wanted));
    let (slot, ret) = found?;
    let mut regs = Regs::default();
    regs.ip = ret;
    regs.set(Reg::SP, slot.wrapping_add(8));
    Some(Stepped {
        cfa: Addr(slot.wrapping_add(8)),
        slot: Addr(slot),
        regs,
    })
}

/// The words from `at` up to `end`, each with its address, as far as they can be read.
fn words(memory: &dyn Memory, at: u64, end: u64) -> impl Iterator<Item = (u64, u64)> {
    let mut chunk = ([0; CHUNK as usize], 0..0);
    (at..end).step_by(8).map_while(move |at| {
        let (bytes, held) = &mut chunk;
        if !held.contains(&at) {
            let len = CHUNK.min(4096 - at % 4096);
            let whole = memory.read(Addr(at), bytes.get_mut(..len as usize)?);
            // Of memory in pieces not all may be there.
            *held = match whole {
                Ok(()) => at..at.saturating_add(len),
                Err(_) => return Some((at, memory.u64(Addr(at)).ok()?)),
            };
        }
        let offset = usize::try_from(at - held.start).ok()?;
        Some((at, u64_at(bytes, offset)?))
    })
}

/// Where the function that holds `pc` is called: a cold part never is, its parent is.
fn entries<'k, 'd>(pc: Located<'k, 'd>) -> Vec<Located<'k, 'd>> {
    let symbols = pc.image.symbols();
    let Some(own) = symbols.function(pc.link) else {
        return Vec::new();
    };
    let parents = symbols.cold_parent(own).all();
    let all = parents.into_iter().chain([own]);
    all.map(|id| pc.at(symbols.range(id).0)).collect()
}

/// Whether `ret` is the return address of a call of one of `wanted`.
fn calls<'k, 'd>(
    code: CodeSource<'_, 'k, 'd>,
    kernel: &'k Kernel<'d>,
    ret: Addr,
    wanted: &[Located<'k, 'd>],
) -> bool {
    // The call may be the last instruction of its image: its last byte is what must be there.
    let Some(last) = kernel.locate(RetAddr(ret).call()) else {
        return false;
    };
    let ret = last.at(RetAddr::behind(last.link).0);
    match call_before(code, ret) {
        Call::To(places) => places.iter().any(|p| wanted.contains(p)),
        _ => false,
    }
}
