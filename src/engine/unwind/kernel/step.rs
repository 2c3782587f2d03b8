//! One step outwards: a rule applied to registers and memory.
//!
//! Source: `unwind_next_frame()`, arch/x86/kernel/unwind_orc.c, Linux 5.10-7.2; DWARF 5 section 6.4.

use crate::base::addr::{Addr, Address};
use crate::base::regs::{PT_REGS_SIZE, Reg, Regs};
use crate::engine::unwind::Stop;
use crate::formats::rule::{Base, Cfa, PRESERVED, Rule, Saved, SavedBp, Shape};
use crate::world::memory::{Memory, Unreadable};

/// Bytes that the CPU pushes for an exception.
const FRAME_SIZE: usize = 40;

/// Where a step led.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Stepped {
    /// Address of the frame that was left.
    pub cfa: Addr,
    /// Where the return address was read; for saved registers, where the exception would have a return slot.
    pub slot: Addr,
    /// The caller's registers.
    pub regs: Regs,
}

/// Why a step failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Failed {
    /// The rule starts from a register whose value is not known.
    Unknown(Reg),
    /// Memory could not be read.
    Unreadable(Addr, Unreadable),
}

impl From<Failed> for Stop {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Unknown(reg) => Stop::UnknownRegister(reg),
            Failed::Unreadable(at, why) => Stop::Unreadable {
                at,
                why,
                page: None,
            },
        }
    }
}

/// Applies `rule` at `regs`.
///
/// A call preserves RBX, RBP and R12-R15 as far as the rule says where they are; all other registers are unknown
/// after it. Saved registers are all known; a bare exception frame leaves the others as they are.
///
/// # Errors
/// When a register that the rule begins with is not known, or memory cannot be read.
pub fn apply(rule: &Rule, regs: &Regs, memory: &dyn Memory) -> Result<Stepped, Failed> {
    let value = |reg| regs.get(reg).ok_or(Failed::Unknown(reg));
    let read = |at: u64| {
        let word = memory.u64(Addr(at));
        word.map_err(|why| Failed::Unreadable(Addr(at), why))
    };
    let base = |base: Base| value(base.reg());
    let cfa = match rule.cfa {
        Cfa::Register(b, offset) => base(b)?.wrapping_add_signed(offset),
        Cfa::Indirect {
            base: b,
            inner,
            outer,
        } => read(base(b)?.wrapping_add_signed(inner))?.wrapping_add_signed(outer),
    };
    let (mut next, slot) = match rule.shape {
        Shape::Call => {
            let slot = cfa.wrapping_sub(8);
            let near = Near::read(memory, cfa);
            let read = |offset: i64| match near.at(offset) {
                Some(word) => Ok(word),
                None => read(cfa.wrapping_add_signed(offset)),
            };
            let mut next = Regs::default();
            next.ip = read(-8)?;
            next.set(Reg::SP, cfa);
            for (reg, saved) in PRESERVED.into_iter().zip(rule.saved) {
                let kept = match saved {
                    Saved::Unchanged => regs.get(reg),
                    Saved::AtCfa(offset) => read(offset.into()).ok(),
                    Saved::Unknown => None,
                };
                if let Some(kept) = kept {
                    next.set(reg, kept);
                }
            }
            match rule.bp {
                SavedBp::AtCfa(offset) => next.set(Reg::BP, read(offset)?),
                _ => regs
                    .get(Reg::BP)
                    .into_iter()
                    .for_each(|bp| next.set(Reg::BP, bp)),
            }
            (next, slot)
        }
        Shape::Regs => {
            let mut bytes = [0; PT_REGS_SIZE as usize];
            let next = fill(memory, cfa, &mut bytes).map(|()| Regs::from_pt_regs(&bytes))?;
            let next = next.unwrap_or_default();
            (next, next.get(Reg::SP).unwrap_or_default().wrapping_sub(8))
        }
        Shape::PartialRegs => {
            let mut bytes = [0; FRAME_SIZE];
            fill(memory, cfa, &mut bytes)?;
            let mut next = *regs;
            next.read_frame(&bytes);
            (next, next.get(Reg::SP).unwrap_or_default().wrapping_sub(8))
        }
    };
    match rule.bp {
        SavedBp::Unchanged => {}
        SavedBp::AtCfa(_) if rule.shape == Shape::Call => {}
        SavedBp::AtCfa(offset) => next.set(Reg::BP, read(cfa.wrapping_add_signed(offset))?),
        SavedBp::AtBp(offset) => {
            let bp = value(Reg::BP)?.wrapping_add_signed(offset);
            next.set(Reg::BP, read(bp)?);
        }
    }
    Ok(Stepped {
        cfa: Addr(cfa),
        slot: Addr(slot),
        regs: next,
    })
}

/// The words just below a CFA, where a function saves registers: one read instead of one for each.
struct Near(Option<[u8; NEAR as usize]>);

/// A return address and six saved registers, bytes.
const NEAR: i64 = 56;

impl Near {
    fn read(memory: &dyn Memory, cfa: u64) -> Self {
        let mut bytes = [0; NEAR as usize];
        let whole = memory.read(Addr(cfa.wrapping_add_signed(-NEAR)), &mut bytes);
        Near(whole.is_ok().then_some(bytes))
    }

    /// The word at `offset` from the CFA, if it is among them.
    fn at(&self, offset: i64) -> Option<u64> {
        let at = usize::try_from(offset.checked_add(NEAR)?).ok()?;
        crate::base::bytes::u64_at(self.0.as_ref()?, at)
    }
}

fn fill(memory: &dyn Memory, at: u64, bytes: &mut [u8]) -> Result<(), Failed> {
    let whole = memory.read(Addr(at), bytes);
    whole.map_err(|why| {
        // The first word that cannot be read is the place to name.
        let words = (0..bytes.len() as i64).step_by(8);
        let bad = words
            .map(|o| Addr(at).offset(o))
            .find(|a| memory.u64(*a).is_err());
        Failed::Unreadable(bad.unwrap_or(Addr(at)), why)
    })
}
