//! One instruction as text, in the notation of `objdump -d` (AT&T syntax).

use iced_x86::{Formatter, GasFormatter, Instruction, Mnemonic, OpKind, Register};

/// Gives the name of a place, if it has one: `schedule+0x10`.
pub type Names<'n> = &'n dyn Fn(u64) -> Option<String>;

/// Column of the first operand, where the mnemonic is not longer.
const OPERANDS: usize = 7;

/// `insn` as text. Places are absolute addresses, followed by what `names` says of them.
pub(super) fn text(insn: &Instruction, names: Names<'_>) -> String {
    let mut formatter = GasFormatter::new();
    let options = formatter.options_mut();
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    options.set_small_hex_numbers_in_decimal(false);
    options.set_rip_relative_addresses(true);
    options.set_branch_leading_zeros(false);
    options.set_show_branch_size(false);
    options.set_space_after_operand_separator(false);
    options.set_signed_immediate_operands(false);
    options.set_always_show_scale(insn.memory_index() != Register::None);
    options.set_show_useless_prefixes(true);
    // A displacement of zero is shown where the instruction has bytes for one.
    options.set_show_zero_displacements(insn.memory_displ_size() != 0);
    options.set_always_show_segment_register(names_its_segments(insn));
    let mut raw = String::new();
    formatter.format(insn, &mut raw);
    let mut text = aligned(&respelled(insn, &raw));
    if let Some(target) = branch_target(insn) {
        push_name(&mut text, names(target));
    } else if insn.is_ip_rel_memory_operand() {
        let at = insn.ip_rel_memory_address();
        text.push_str(&format!("        # {at:#x}"));
        push_name(&mut text, names(at));
    }
    text
}

/// String instructions, whose segments objdump writes out.
fn names_its_segments(insn: &Instruction) -> bool {
    insn.is_string_instruction() && insn.mnemonic() != Mnemonic::Xlatb
}

/// The few spellings in which the formatter's notation is not that of objdump.
fn respelled(insn: &Instruction, raw: &str) -> String {
    let (from, to) = match insn.mnemonic() {
        Mnemonic::Push => ("pushq", "push"),
        Mnemonic::Pop => ("popq", "pop"),
        Mnemonic::Call => ("callq", "call"),
        Mnemonic::Jmp => ("jmpq", "jmp"),
        Mnemonic::Retf => ("lretl", "lret"),
        Mnemonic::In | Mnemonic::Out | Mnemonic::Insb | Mnemonic::Insd | Mnemonic::Insw => {
            ("%dx", "(%dx)")
        }
        Mnemonic::Outsb | Mnemonic::Outsd | Mnemonic::Outsw => ("%dx", "(%dx)"),
        _ => return raw.to_owned(),
    };
    raw.replacen(from, to, 1)
}

/// The instruction's name, with its prefixes.
pub(super) fn name(insn: &Instruction) -> String {
    let mut formatter = GasFormatter::new();
    formatter.options_mut().set_show_useless_prefixes(false);
    let mut name = String::new();
    formatter.format_mnemonic(insn, &mut name);
    respelled(insn, &name)
}

/// Words that stand before the mnemonic; objdump sets nothing in columns behind them.
const PREFIXES: [&str; 10] = [
    "lock", "rep", "repe", "repz", "repne", "repnz", "data16", "addr32", "bnd", "notrack",
];

/// Pads the mnemonic, as objdump does.
fn aligned(raw: &str) -> String {
    match raw.split_once(' ') {
        Some((first, _)) if PREFIXES.contains(&first) => raw.to_owned(),
        Some((mnemonic, rest)) => {
            let width = OPERANDS - 1;
            format!("{mnemonic:width$} {}", rest.trim_start())
        }
        None => raw.to_owned(),
    }
}

fn push_name(text: &mut String, name: Option<String>) {
    if let Some(name) = name {
        text.push_str(&format!(" <{name}>"));
    }
}

/// The place a direct branch or call leads to.
fn branch_target(insn: &Instruction) -> Option<u64> {
    let near = matches!(
        insn.op0_kind(),
        OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
    );
    (near && insn.mnemonic() != Mnemonic::INVALID).then(|| insn.near_branch_target())
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    fn shown(bytes: &[u8], at: u64) -> String {
        let insn = Decoder::with_ip(64, bytes, at, DecoderOptions::NONE).decode();
        text(&insn, &|_| None)
    }

    fn squeezed(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Where the text is not objdump's. Prefixes that change nothing are left out there: repeated operand-size prefixes,
    /// a REX without an operand to extend. A segment override, which has no effect in 64-bit code but for FS and GS, is
    /// shown at the operand, where people look for it.
    const DIFFERENCES: [(&str, &str); 6] = [
        ("xadd %edx,%ds:(%rcx)", "ds xadd %edx,(%rcx)"),
        ("push (%rcx)", "rex.X push (%rcx)"),
        ("nopw %cs:0x0(%rax,%rax,1)", "cs nopw 0x0(%rax,%rax,1)"),
        (
            "nopw %cs:0x0(%rax,%rax,1)",
            "data16 cs nopw 0x0(%rax,%rax,1)",
        ),
        ("xchg %ax,%ax", "data16 data16 data16 xchg %ax,%ax"),
        ("xchg %ax,%ax", "data16 xchg %ax,%ax"),
    ];

    #[test]
    fn names_stand_behind_places() {
        let named = |bytes: &[u8]| {
            let insn = Decoder::with_ip(64, bytes, 0x1000, DecoderOptions::NONE).decode();
            text(&insn, &|at| Some(format!("place_{at:x}+0x0")))
        };
        assert_eq!(named(&[0xe8, 0, 0, 0, 0]), "call   0x1005 <place_1005+0x0>");
        assert_eq!(
            named(&[0x8b, 5, 0, 1, 0, 0]),
            "mov    0x100(%rip),%eax        # 0x1106 <place_1106+0x0>"
        );
        assert_eq!(
            named(&[0xff, 0x15, 0, 1, 0, 0]),
            "call   *0x100(%rip)        # 0x1106 <place_1106+0x0>"
        );
        assert_eq!(named(&[0x48, 0x8b, 7]), "mov    (%rdi),%rax");
        assert_eq!(named(&[0xf3, 0x48, 0xab]), "rep stos %rax,%es:(%rdi)");
    }

    #[test]
    fn the_text_is_that_of_objdump() {
        let table = include_str!("../../../testdata/oops/disassembly.tsv");
        let mut wrong = Vec::new();
        let mut rows = 0;
        for row in table.lines() {
            let cells: Vec<&str> = row.split('\t').collect();
            let [at, bytes, objdump] = cells[..] else {
                panic!("{row}")
            };
            let at = u64::from_str_radix(&at[2..], 16).expect("an address");
            let bytes: Vec<u8> = (0..bytes.len() / 2)
                .map(|n| u8::from_str_radix(&bytes[2 * n..2 * n + 2], 16).expect("hex"))
                .collect();
            let own = squeezed(&shown(&bytes, at));
            rows += 1;
            if own != objdump && !DIFFERENCES.contains(&(own.as_str(), objdump)) {
                wrong.push(format!("{own}  |  {objdump}"));
            }
        }
        assert!(rows > 600, "{rows} rows");
        assert!(
            wrong.is_empty(),
            "{} of {rows}:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
    }
}
