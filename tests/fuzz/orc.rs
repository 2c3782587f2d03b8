//! One step by an ORC row, held to what the kernel's unwinder does with such a row (`unwind_next_frame()`,
//! arch/x86/kernel/unwind_orc.c, Linux 4.14-7.2), written down apart.
#![no_main]

use fixtrace::low::base::addr::Addr;
use fixtrace::low::base::regs::{Reg, Regs};
use fixtrace::low::engine::unwind::kernel::apply;
use fixtrace::low::formats::orc::{OrcEntry, OrcVersion, SpIndirect};
use fixtrace::low::formats::rule::Row;
use fixtrace::low::world::memory::{Unreadable, from_fn};
use fixtrace_fuzz::fuzz;
use fixtrace_fuzz::parts::number;

/// Where memory is.
const STACK: u64 = 0xffff_c900_0000_4000;

/// What comes of a step.
#[derive(PartialEq, Eq, Debug)]
enum Came {
    /// The walk is over, and all is well.
    End,
    /// The walk is over, and the stack is not reliable.
    Error,
    /// To the caller: ip, sp, bp if it is known, and whether ip is exact.
    To(u64, u64, Option<u64>, bool),
}

struct Given<'i> {
    version: u8,
    old_indirect: bool,
    raw: [u8; 6],
    /// RSP, RBP, RAX, RDX, RDI, R10, R13; `None` where nobody knows.
    regs: [Option<u64>; 7],
    memory: &'i [u8],
}

impl Given<'_> {
    fn word(&self, at: u64) -> Option<u64> {
        let offset = usize::try_from(at.checked_sub(STACK)?).ok()?;
        let bytes = self.memory.get(offset..offset.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }

    /// All words of a piece: the kernel checks that it lies on the stack.
    fn words(&self, at: u64, count: u64) -> Option<()> {
        (0..count).try_for_each(|n| self.word(at.checked_add(n * 8)?).map(drop))
    }

    /// As the kernel has it.
    fn plain(&self) -> Came {
        self.step().unwrap_or(Came::Error)
    }

    fn step(&self) -> Option<Came> {
        let [sp, bp, ax, dx, di, r10, r13] = self.regs;
        let sp_offset = i64::from(i16::from_le_bytes([self.raw[0], self.raw[1]]));
        let bp_offset = i64::from(i16::from_le_bytes([self.raw[2], self.raw[3]]));
        let (low, high) = (self.raw[4], self.raw[5]);
        let (sp_reg, bp_reg) = (low & 15, low >> 4);
        // Names of registers: up to 7.0, and from 7.1 on.
        let old = [
            "undefined",
            "prev_sp",
            "dx",
            "di",
            "bp",
            "sp",
            "r10",
            "r13",
            "bp*",
            "sp*",
        ];
        let new = [
            "undefined",
            "ax",
            "dx",
            "sp",
            "bp",
            "di",
            "r10",
            "r13",
            "prev_sp",
            "sp*",
            "bp*",
        ];
        let name = |n: u8| match self.version {
            5 => new.get(usize::from(n)).copied().unwrap_or("?"),
            4 if n == 10 => "ax",
            _ => old.get(usize::from(n)).copied().unwrap_or("?"),
        };
        let (kind, signal);
        if self.version < 3 {
            // 4.14-6.3: a type of two bits; no register means no more.
            let kinds = ["call", "regs", "partial", "?"];
            kind = kinds[usize::from(high & 3)];
            let end = match self.version {
                0 => false,
                1 => high & 4 != 0,
                _ => high & 8 != 0,
            };
            signal = match self.version {
                2 => high & 4 != 0,
                _ => high & 3 != 0,
            };
            if sp_reg == 0 {
                return end.then_some(Came::End);
            }
        } else {
            let kinds = ["undefined", "end", "call", "regs", "partial", "?", "?", "?"];
            kind = kinds[usize::from(high & 7)];
            signal = high & 8 != 0;
            match kind {
                "undefined" => return None,
                "end" => return Some(Came::End),
                _ => {}
            }
        }
        let add = |value: u64, offset: i64| value.wrapping_add_signed(offset);
        let cfa = match name(sp_reg) {
            "sp" => add(sp?, sp_offset),
            "bp" => add(bp?, sp_offset),
            // Before 5.12 the offset came first.
            "sp*" if self.old_indirect => self.word(add(sp?, sp_offset))?,
            "sp*" => add(self.word(sp?)?, sp_offset),
            "bp*" => self.word(add(bp?, sp_offset))?,
            "ax" => ax?,
            "dx" => dx?,
            "di" => di?,
            "r10" => r10?,
            "r13" => r13?,
            _ => return None,
        };
        let (ip, next, saved) = match kind {
            "call" => (self.word(cfa.wrapping_sub(8))?, cfa, None),
            // r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss
            "regs" => {
                self.words(cfa, 21)?;
                (
                    self.word(cfa + 16 * 8)?,
                    self.word(cfa + 19 * 8)?,
                    self.word(cfa + 4 * 8),
                )
            }
            "partial" => {
                self.words(cfa, 5)?;
                (self.word(cfa)?, self.word(cfa + 3 * 8)?, None)
            }
            _ => return None,
        };
        let bp = match name(bp_reg) {
            "undefined" => saved.or(bp),
            "prev_sp" => Some(self.word(add(cfa, bp_offset))?),
            "bp" => Some(self.word(add(bp?, bp_offset))?),
            _ => return None,
        };
        Some(Came::To(ip, next, bp, signal))
    }

    fn ours(&self) -> Came {
        let version = [
            OrcVersion::V1a,
            OrcVersion::V1b,
            OrcVersion::V2,
            OrcVersion::V3,
            OrcVersion::V3Ax,
            OrcVersion::V4,
        ][usize::from(self.version)];
        let indirect = match self.old_indirect {
            true => SpIndirect::Inner,
            false => SpIndirect::Outer,
        };
        let rule = match Row::from_orc(&OrcEntry::decode(&self.raw, version), indirect) {
            Row::Step(rule) => rule,
            Row::End => return Came::End,
            _ => return Came::Error,
        };
        let mut regs = Regs::default();
        let order = [
            Reg::SP,
            Reg::BP,
            Reg::AX,
            Reg::DX,
            Reg::DI,
            Reg::R10,
            Reg::R13,
        ];
        for (reg, value) in order.into_iter().zip(self.regs) {
            value.into_iter().for_each(|v| regs.set(reg, v));
        }
        let memory = from_fn(|at: Addr, buf: &mut [u8]| {
            let offset = at.0.checked_sub(STACK).ok_or(Unreadable::Absent)? as usize;
            let end = offset.checked_add(buf.len()).ok_or(Unreadable::Absent)?;
            buf.copy_from_slice(self.memory.get(offset..end).ok_or(Unreadable::Absent)?);
            Ok(())
        });
        match apply(&rule, &regs, &memory) {
            Ok(stepped) => {
                let next = stepped.regs;
                let sp = next.get(Reg::SP).expect("a step gives RSP");
                Came::To(next.ip, sp, next.get(Reg::BP), rule.signal)
            }
            Err(_) => Came::Error,
        }
    }
}

/// `[version, how, raw (6), which registers are known]`, a byte for each that is near the stack or eight that are anything,
/// memory.
fn one(input: &[u8]) {
    let Some((head, rest)) = input.split_at_checked(9) else {
        return;
    };
    let Some((values, memory)) = rest.split_at_checked(7 * 4) else {
        return;
    };
    let mut regs = [None; 7];
    for (n, (reg, value)) in regs.iter_mut().zip(values.chunks_exact(4)).enumerate() {
        // Near memory, or far from it.
        let value = number(value);
        let base = if head[1] & 2 == 0 { STACK } else { 0 };
        *reg = (head[8] >> n & 1 != 0)
            .then(|| base.wrapping_add((value as u32 as i32 as i64 >> 18) as u64));
    }
    let given = Given {
        version: head[0] % 6,
        old_indirect: head[1] & 1 != 0,
        raw: head[2..8].try_into().expect("six"),
        regs,
        memory,
    };
    assert_eq!(given.ours(), given.plain());
}

fuzz!(one);
