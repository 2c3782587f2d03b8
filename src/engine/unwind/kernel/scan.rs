//! Where no table leads on: the first return address further up the stack whose call is of the function itself.
//!
//! A call that names the function is no proof that this very call is the one: the frame is marked, and what follows is
//! walked by the tables again.

use super::step::Stepped;
use crate::base::addr::{Addr, RetAddr};
use crate::base::regs::{Reg, Regs};
use crate::world::code::CodeSource;
use crate::world::kernel::{Kernel, Located};
use crate::world::memory::Memory;
use crate::world::reach::{Call, call_before};

/// Bytes of a stack that are looked at, where nobody knows its end.
const MAX_BYTES: u64 = 16384;

/// Bytes that are read at once.
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
    let mut at = sp;
    while at.checked_add(8)? <= end {
        // Up to the next page at most: the one behind it may be missing.
        let len = CHUNK.min(end - at).min(4096 - at % 4096) & !7;
        let mut bytes = [0; CHUNK as usize];
        let bytes = bytes.get_mut(..usize::try_from(len).ok()?)?;
        memory.read(Addr(at), bytes).ok()?;
        for (word, slot) in bytes.as_chunks::<8>().0.iter().zip((at..).step_by(8)) {
            let ret = Addr(u64::from_le_bytes(*word));
            if calls(code, kernel, ret, &wanted) {
                let mut regs = Regs::default();
                regs.ip = ret.0;
                regs.set(Reg::SP, slot.wrapping_add(8));
                return Some(Stepped {
                    cfa: Addr(slot.wrapping_add(8)),
                    slot: Addr(slot),
                    regs,
                });
            }
        }
        at = at.checked_add(len.max(8))?;
    }
    None
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
