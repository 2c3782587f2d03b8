//! What the instruction at RIP did that the CPU refused, in words: its operand, the address, and what the registers
//! that it is made of hold. Nothing is said that registers and code do not show.

mod causes;
mod fault;
#[cfg(test)]
mod tests;

use crate::base::regs::{Reg, Regs};
use crate::formats::insn::effect::{self, Memory};

use super::pointer;
pub use crate::formats::insn::effect::Access;
pub use fault::{Agreement, Context, Fault, Operand, Trap};

/// Most bytes of an area whose size depends on the CPU (XSAVE).
const AREA: u64 = 0x3000;

/// What the instruction at the start of `code_from_rip`, which is at `rip`, did; `None` if there is nothing to say.
pub fn fault(code_from_rip: &[u8], rip: u64, context: &Context<'_>) -> Option<Fault> {
    let effect = effect::effect(code_from_rip, rip);
    let memory = effect.as_ref().map_or(&[][..], |e| &e.memory);
    let found: Vec<(&Memory, Operand)> = memory.iter().map(|m| (m, operand(m, context))).collect();
    let page_fault = context.cr2.filter(|_| context.trap == Trap::PageFault);
    let agreement = |(memory, operand): &(&Memory, Operand)| {
        agreement(memory, operand, page_fault?, context.regs)
    };
    let matching = found.iter().position(|f| agreement(f).is_some());
    let len = effect.as_ref().map_or(1, |e| e.len as u64);
    if matching.is_none()
        && let Some(words) = causes::fetch(rip, len, code_from_rip.is_empty(), context)
    {
        return Some(fetched(rip, words));
    }
    let effect = effect.as_ref()?;
    let chosen = matching.or_else(|| likely(&found, context));
    let cr2 = match (page_fault, matching) {
        (Some(_), Some(n)) => agreement(&found[n]),
        (Some(_), None) if chosen.is_some_and(|n| found[n].1.address.is_some()) => {
            Some(Agreement::Different)
        }
        _ => None,
    };
    let mut words = Vec::new();
    if let Some(n) = chosen {
        words.extend(causes::operand(
            effect,
            found[n].0,
            &found[n].1,
            cr2,
            context,
        ));
    }
    words.extend(causes::special(effect, context));
    let mut others: Vec<Operand> = found.into_iter().map(|(_, o)| o).collect();
    let operand = chosen.map(|n| others.remove(n));
    let silent = operand.is_none() && words.is_empty();
    (!silent).then_some(Fault {
        operand,
        others,
        cr2,
        words,
    })
}

/// What to say of an instruction that could not be fetched.
fn fetched(rip: u64, words: Vec<String>) -> Fault {
    let operand = Operand {
        text: "(%rip)".to_owned(),
        access: Access::Execute,
        size: 0,
        address: Some(rip),
        parts: Vec::new(),
    };
    Fault {
        operand: Some(operand),
        others: Vec::new(),
        cr2: Some(Agreement::Fetch),
        words,
    }
}

fn operand(memory: &Memory, context: &Context<'_>) -> Operand {
    let known = |reg: Reg| Some((reg, context.regs.get(reg)?));
    Operand {
        text: memory.text(),
        access: memory.access,
        size: memory.size,
        address: memory.address(context.regs, context.fs_base, context.gs_base),
        parts: memory.registers().filter_map(known).collect(),
    }
}

/// Where `cr2` lies in `operand`; `None` if outside.
fn agreement(memory: &Memory, operand: &Operand, cr2: u64, regs: &Regs) -> Option<Agreement> {
    if operand.access == Access::Address {
        return None;
    }
    let offset = cr2.wrapping_sub(operand.address?);
    if offset == 0 {
        return Some(Agreement::Equal);
    }
    let size = match operand.size {
        0 => AREA,
        size => u64::from(size),
    };
    let reach = match memory.repeated {
        true => size.saturating_mul(regs.get(Reg::CX)?),
        false => size,
    };
    // The address that faults is that of the access, or the first one of a page that the access goes on to.
    let page = cr2 & 0xfff == 0 || memory.repeated || operand.size == 0;
    (offset < reach && page).then_some(Agreement::Within(offset))
}

/// The operand that explains the fault best, where CR2 does not tell.
fn likely(found: &[(&Memory, Operand)], context: &Context<'_>) -> Option<usize> {
    let bad = |(_, o): &(&Memory, Operand)| {
        o.address
            .is_some_and(|a| !pointer::canonical(a, context.la57))
    };
    let faults_on_address = matches!(
        context.trap,
        Trap::GeneralProtection | Trap::StackSegment | Trap::Unknown | Trap::Other
    );
    let worst = found.iter().position(bad).filter(|_| faults_on_address);
    worst.or_else(|| (!found.is_empty()).then_some(0))
}

/// What the bytes before RIP say, where RIP is behind the instruction that matters.
pub fn before(code_before_rip: &[u8], context: &Context<'_>) -> Option<String> {
    match (code_before_rip, context.trap) {
        ([.., 0xcc], Trap::Breakpoint) => Some("RIP is behind an int3".to_owned()),
        ([.., 0xfb, 0xf4], _) if !context.user_mode => {
            Some("RIP is behind sti; hlt: the CPU was idle, waiting for an interrupt".to_owned())
        }
        ([.., 0xf4], _) if !context.user_mode => {
            Some("RIP is behind a hlt: the CPU was waiting for an interrupt".to_owned())
        }
        ([.., 0x0f, 0x05], Trap::Unknown) if context.user_mode => {
            Some("RIP is behind a syscall".to_owned())
        }
        _ => None,
    }
}
