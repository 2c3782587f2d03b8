//! Fields of instructions that hold an address, or the distance of one.

use iced_x86::{Instruction, Mnemonic, OpKind};

use super::decoder;
use crate::base::addr::LinkAddr;

/// What a field says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Means {
    /// The address itself.
    Address(LinkAddr),
    /// A number that is calculated with, and may be an address.
    Number(LinkAddr),
    /// The distance from the next instruction of data at the address.
    Distance(LinkAddr),
    /// The distance from the next instruction of code at the address.
    Branch(LinkAddr),
}

/// A field of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its first byte, from that of the instruction.
    pub at: u8,
    /// Its bytes: 1, 4 or 8.
    pub len: u8,
    /// What it says.
    pub means: Means,
}

/// The fields of the first instruction of `code`, which is at `at`, that may hold addresses: displacement first, then
/// immediate.
pub(crate) fn fields(code: &[u8], at: LinkAddr, bits: u32) -> impl Iterator<Item = Field> {
    let mut decoder = decoder(&code[..code.len().min(15)], at.0, bits);
    let insn = decoder.decode();
    let places = decoder.get_constant_offsets(&insn);
    let field = |at: usize, len: usize, means: Option<Means>| {
        let means = means.filter(|_| !insn.is_invalid() && matches!(len, 1 | 4 | 8))?;
        Some(Field {
            at: at as u8,
            len: len as u8,
            means,
        })
    };
    let displacement = field(
        places.displacement_offset(),
        places.displacement_size(),
        (places.displacement_size() >= 4).then(|| displacement(&insn)),
    );
    let immediate = field(
        places.immediate_offset(),
        places.immediate_size(),
        immediate(&insn, bits),
    );
    displacement.into_iter().chain(immediate)
}

fn displacement(insn: &Instruction) -> Means {
    let to = LinkAddr(insn.memory_displacement64());
    let calculates = insn.mnemonic() == Mnemonic::Lea;
    match insn.is_ip_rel_memory_operand() {
        true => Means::Distance(to),
        false if calculates => Means::Number(to),
        false => Means::Address(to),
    }
}

fn immediate(insn: &Instruction, bits: u32) -> Option<Means> {
    let op = (0..insn.op_count()).find(|op| is_immediate(insn.op_kind(*op)))?;
    let calculates = !matches!(insn.mnemonic(), Mnemonic::Mov | Mnemonic::Push);
    let wide = |value: u64| match calculates {
        true => Means::Number(LinkAddr(value)),
        false => Means::Address(LinkAddr(value)),
    };
    Some(match insn.op_kind(op) {
        OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64 => {
            Means::Branch(LinkAddr(insn.near_branch_target()))
        }
        OpKind::Immediate32to64 | OpKind::Immediate64 => wide(insn.immediate(op)),
        OpKind::Immediate32 if bits == 32 => wide(insn.immediate(op)),
        // Of 64-bit code the upper half is not there.
        OpKind::Immediate32 => {
            Means::Number(LinkAddr((insn.immediate32() as i32 as i64).cast_unsigned()))
        }
        _ => return None,
    })
}

fn is_immediate(kind: OpKind) -> bool {
    matches!(
        kind,
        OpKind::NearBranch16
            | OpKind::NearBranch32
            | OpKind::NearBranch64
            | OpKind::Immediate32to64
            | OpKind::Immediate64
            | OpKind::Immediate32
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offset, length and meaning of each field; encodings as objdump prints them.
    fn of(code: &[u8]) -> Vec<(u8, u8, Means)> {
        let found = fields(code, LinkAddr(0xffff_ffff_8100_0000), 64);
        found.map(|f| (f.at, f.len, f.means)).collect()
    }

    #[test]
    fn the_decoder_says_where_addresses_stand() {
        let high = |n: u32| LinkAddr(0xffff_ffff_0000_0000 | u64::from(n));
        // mov $0xffffffff8369ae3d,%rsi
        let mov = [0x48, 0xc7, 0xc6, 0x3d, 0xae, 0x69, 0x83];
        assert_eq!(of(&mov), [(3, 4, Means::Address(high(0x8369_ae3d)))]);
        // mov -0x7d000000(,%rax,8),%rax
        let table = [0x48, 0x8b, 0x04, 0xc5, 0, 0, 0, 0x83];
        assert_eq!(of(&table), [(4, 4, Means::Address(high(0x8300_0000)))]);
        // movq $0x82000000,0x10(%rip)
        let both = [0x48, 0xc7, 0x05, 0x10, 0, 0, 0, 0, 0, 0, 0x82];
        assert_eq!(
            of(&both),
            [
                (3, 4, Means::Distance(high(0x8100_001b))),
                (7, 4, Means::Address(high(0x8200_0000)))
            ]
        );
        // lea -0x7e3d36d2(%r13,%rsi),%r13d, a step of SHA-256; cmp $0x82000000,%eax
        let lea = [0x45, 0x8d, 0xac, 0x35, 0x2e, 0xc9, 0xc2, 0x81];
        assert_eq!(of(&lea), [(4, 4, Means::Number(high(0x81c2_c92e)))]);
        assert_eq!(
            of(&[0x3d, 0, 0, 0, 0x82]),
            [(1, 4, Means::Number(high(0x8200_0000)))]
        );
        // call; jmp short
        assert_eq!(
            of(&[0xe8, 0, 1, 0, 0]),
            [(1, 4, Means::Branch(high(0x8100_0105)))]
        );
        assert_eq!(of(&[0xeb, 2]), [(1, 1, Means::Branch(high(0x8100_0004)))]);
        // add $8,%rsp; push %rbx; bytes that are none
        assert_eq!(of(&[0x48, 0x83, 0xc4, 8]), []);
        assert_eq!(of(&[0x53]), []);
        assert_eq!(of(&[0x06]), []);
    }
}
