//! What the instruction at RIP did that the CPU refused, in words: its operand, the address, and what the registers
//! that it is made of hold. Nothing is said that registers and code do not show.

use crate::base::regs::{Reg, Regs};
use crate::formats::insn::effect::{self, Memory};

use super::pointer;
pub use crate::formats::insn::effect::Access;

/// What the faulting instruction did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The operand in memory that explains the fault best.
    pub operand: Option<Operand>,
    /// Its other operands in memory, in the order in which they are accessed.
    pub others: Vec<Operand>,
    /// How CR2 compares with the operand, for page faults.
    pub cr2: Option<Agreement>,
    /// Sentences for people, the most important first.
    pub words: Vec<String>,
}

/// An operand in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operand {
    /// In AT&T syntax: `0x10(%rax,%rcx,8)`.
    pub text: String,
    /// How it is used.
    pub access: Access,
    /// Bytes; 0 where the instruction does not tell.
    pub size: u32,
    /// Its address; `None` if a register or the base of a segment is unknown.
    pub address: Option<u64>,
    /// The registers that the address is made of, with their values, where they are known.
    pub parts: Vec<(Reg, u64)>,
}

/// How CR2 compares with the address that the registers give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Agreement {
    /// The same.
    Equal,
    /// So many bytes behind it, within what is accessed.
    Within(u64),
    /// The fetch of the instruction itself faulted.
    Fetch,
    /// None of those.
    Different,
}

/// What the log tells of the moment.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The registers.
    pub regs: &'a Regs,
    /// Base of GS: for user mode, that of user mode.
    pub gs_base: Option<u64>,
    /// Base of FS.
    pub fs_base: Option<u64>,
    /// CR2
    pub cr2: Option<u64>,
    /// The exception.
    pub trap: Trap,
    /// Whether user code ran.
    pub user_mode: bool,
    /// Whether addresses have 57 bits.
    pub la57: bool,
}

/// The exception, as far as the log names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trap {
    /// #PF
    PageFault,
    /// #GP
    GeneralProtection,
    /// #DF
    DoubleFault,
    /// #SS
    StackSegment,
    /// #DE
    DivideError,
    /// #UD
    InvalidOpcode,
    /// #BP
    Breakpoint,
    /// Another one.
    Other,
    /// The log does not say; there may have been none.
    Unknown,
}

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

mod causes;

#[cfg(test)]
mod tests;
