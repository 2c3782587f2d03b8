//! Operands in memory: what their addresses are made of.

use crate::base::regs::{Reg, Regs};

/// How an operand in memory is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// It is read.
    Read,
    /// It is written.
    Write,
    /// It is read and written.
    ReadWrite,
    /// It is read, and execution goes on at what was read: `ret`, `call *mem`, `jmp *mem`.
    Target,
    /// It is executed: the fetch of the instruction itself.
    Execute,
    /// Its address is used, and nothing is accessed: `lea`, `prefetch`, `invlpg`.
    Address,
}

/// Which segment's base is part of an address. That of the others is 0 in 64-bit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Segment {
    /// CS, DS, ES, SS
    Flat,
    /// FS
    Fs,
    /// GS
    Gs,
}

/// The number of a bit in a string of bits: `bts %rax,(%rdi)` accesses the word that has the bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BitNumber {
    /// The register.
    pub reg: Reg,
    /// Its bits that count, which are also those of a word.
    pub bits: u32,
}

/// An operand in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// The segment.
    pub segment: Segment,
    /// The base register.
    pub base: Option<Reg>,
    /// The index register, and what it is multiplied by.
    pub index: Option<(Reg, u32)>,
    /// The constant part; for an operand relative to RIP the address itself.
    pub displacement: u64,
    /// What is to be added to get from the next instruction to the operand, where it is relative to RIP.
    pub from_rip: Option<u64>,
    /// Bytes; 0 where the instruction does not tell.
    pub size: u32,
    /// How it is used.
    pub access: Access,
    /// Whether the address is cut to 32 bits.
    pub narrow: bool,
    /// A register that selects a bit far from the address.
    pub bit: Option<BitNumber>,
    /// Whether the instruction repeats, RCX times.
    pub repeated: bool,
    /// Whether it is the stack that push, pop, call and ret use.
    pub stack: bool,
}

impl Memory {
    /// Its address, if all that it is made of is known. `bases` are those of FS and GS.
    pub(crate) fn address(&self, regs: &Regs, fs: Option<u64>, gs: Option<u64>) -> Option<u64> {
        let segment = match self.segment {
            Segment::Flat => 0,
            Segment::Fs => fs?,
            Segment::Gs => gs?,
        };
        let value = |reg: Option<Reg>| reg.map_or(Some(0), |r| regs.get(r));
        let index = match self.index {
            Some((reg, scale)) => regs.get(reg)?.wrapping_mul(scale.into()),
            None => 0,
        };
        let mut offset = value(self.base)?
            .wrapping_add(index)
            .wrapping_add(self.displacement);
        if let Some(bit) = self.bit {
            offset = offset.wrapping_add(bit.bytes(regs)?);
        }
        if self.narrow {
            offset &= u64::from(u32::MAX);
        }
        Some(segment.wrapping_add(offset))
    }

    /// Registers that it is made of.
    pub(crate) fn registers(&self) -> impl Iterator<Item = Reg> {
        let index = self.index.map(|(reg, _)| reg);
        [self.base, index, self.bit.map(|b| b.reg)]
            .into_iter()
            .flatten()
    }

    /// It as text, in AT&T syntax.
    pub(crate) fn text(&self) -> String {
        let segment = match self.segment {
            Segment::Flat => "",
            Segment::Fs => "%fs:",
            Segment::Gs => "%gs:",
        };
        let name = |reg: Reg| match self.narrow {
            true => reg.name32(),
            false => reg.name64(),
        };
        let inside = match (self.base, self.index) {
            _ if self.from_rip.is_some() => "(%rip)".to_owned(),
            (None, None) => String::new(),
            (Some(base), None) => format!("(%{})", name(base)),
            (base, Some((index, scale))) => {
                let base = base.map_or(String::new(), |b| format!("%{}", name(b)));
                format!("({base},%{},{scale})", name(index))
            }
        };
        let displacement = self.from_rip.unwrap_or(self.displacement) as i64;
        let number = match displacement {
            0 if !inside.is_empty() => String::new(),
            // Alone it is an address.
            n if inside.is_empty() => format!("{n:#x}"),
            n if n < 0 => format!("-{:#x}", n.unsigned_abs()),
            n => format!("{n:#x}"),
        };
        format!("{segment}{number}{inside}")
    }
}

impl BitNumber {
    /// Bytes from the operand's address to the word with the bit.
    fn bytes(self, regs: &Regs) -> Option<u64> {
        let value = regs.get(self.reg)?;
        // The number is signed: bits before the address can be meant.
        let number = match self.bits {
            16 => i64::from(value as i16),
            32 => i64::from(value as i32),
            _ => value as i64,
        };
        let bits = i64::from(self.bits.clamp(16, 64));
        Some(number.div_euclid(bits).wrapping_mul(bits / 8) as u64)
    }
}
