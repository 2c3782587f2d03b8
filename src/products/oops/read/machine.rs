//! The architecture whose kernel printed a report.
//!
//! Sources: `__show_regs()` or `show_regs()` of arch/{arm64,arm,riscv,powerpc,mips,loongarch}/kernel, `show_registers()`
//! of arch/s390/kernel/dumpstack.c, 4.4-7.2; names of system calls, `SYSCALL_DEFINEx()` of each.

use super::frame::hex;
use super::said::Said;
use crate::base::arch::Arch;

/// What a line tells of it.
pub(super) fn of_line(said: &Said<'_>, text: &str) -> Option<Arch> {
    match said {
        Said::Rip(_) | Said::RipNamed(_) | Said::RipAgain(_) => match text.get(..3)? {
            "RIP" => Some(Arch::X86_64),
            "EIP" => Some(Arch::I386),
            _ => of_registers(text.trim_start()),
        },
        Said::Frame(frame) => of_function(frame.symbol?.name),
        // 64-bit registers have 16 digits.
        Said::Registers(text) => match text.trim_start() {
            text if text.starts_with("EAX: ") => Some(Arch::I386),
            text if ["RAX: ", "RDX: "].iter().any(|r| text.starts_with(r)) => Some(Arch::X86_64),
            _ => None,
        },
        Said::Other | Said::Detail | Said::At(_) => of_registers(text.trim_start()),
        _ => None,
    }
}

/// Functions that every stack of a system call or an exception has.
fn of_function(name: &str) -> Option<Arch> {
    const NAMES: &[(&str, Arch)] = &[
        ("__arm64_", Arch::Arm64),
        ("el0_svc", Arch::Arm64),
        ("el0t_64_", Arch::Arm64),
        ("el1h_64_", Arch::Arm64),
        ("__riscv_sys_", Arch::Riscv),
        ("__s390x_sys_", Arch::S390),
        ("__x64_sys_", Arch::X86_64),
        ("entry_SYSCALL_64", Arch::X86_64),
    ];
    let known = NAMES.iter().find(|(begin, _)| name.starts_with(begin));
    known.map(|(_, arch)| *arch)
}

/// Lines of registers.
fn of_registers(text: &str) -> Option<Arch> {
    let number = |text: &str, digits: usize| {
        text.get(..digits).is_some_and(|word| {
            hex(word).is_some() && !text[digits..].starts_with(|c: char| c.is_ascii_hexdigit())
        })
    };
    let after = |begin: &str| text.strip_prefix(begin);
    if let Some(pc) = after("pc : ") {
        let old = pc.strip_prefix("[<").unwrap_or(pc);
        return match number(old, 8) {
            true => Some(Arch::Arm),
            false => (number(old, 16) || pc.contains("+0x")).then_some(Arch::Arm64),
        };
    }
    if let Some(pc) = after("epc : ").or_else(|| after("epc: ")) {
        return (number(pc, 16) || number(pc, 8) || pc.contains("+0x")).then_some(Arch::Riscv);
    }
    if after("epc   : ").is_some() {
        return Some(Arch::Mips);
    }
    if after("Krnl PSW : ").is_some() {
        return Some(Arch::S390);
    }
    let power = after("NIP [").is_some() || after("NIP:  ").is_some_and(|t| t.contains(" LR: "));
    let loong = || after("pc ").is_some_and(|t| number(t, 16) && t.contains(" ra "));
    match power {
        true => Some(Arch::Powerpc),
        false => loong().then_some(Arch::Loongarch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::products::oops::read::said::said;

    #[test]
    fn the_registers_tell_the_architecture() {
        for (line, expected) in [
            ("RIP: 0010:vfs_read+0x93/0x190", Some(Arch::X86_64)),
            ("EIP: vfs_read+0x93/0x190", Some(Arch::I386)),
            ("pc : vfs_read+0x94/0x2c0", Some(Arch::Arm64)),
            ("pc : ffff800010a0b0c0", Some(Arch::Arm64)),
            (
                "pc : [<ffff000008a0b0c0>] lr : [<ffff000008a0b0c4>] pstate: 60000145",
                Some(Arch::Arm64),
            ),
            (
                "pc : [<c047d204>]    lr : [<c047d148>]    psr: a0000013",
                Some(Arch::Arm),
            ),
            ("epc : vfs_read+0x94/0x2c0", Some(Arch::Riscv)),
            (
                "epc : ffffffff80002abc ra : ffffffff80002abc sp : ff20000000013e00",
                Some(Arch::Riscv),
            ),
            ("epc   : 80100b58 vfs_read+0x18/0x20", Some(Arch::Mips)),
            (
                "Krnl PSW : 0704c00180000000 0000015710cda7fe (__list_add+0xfe/0x128)",
                Some(Arch::S390),
            ),
            (
                "NIP:  c000000000ac0ce8 LR: c000000000159748 CTR: c000000000ac0cd0",
                Some(Arch::Powerpc),
            ),
            (
                "NIP [c000000000ac0ce8] dbs_update_util_handler+0x18/0xf0",
                Some(Arch::Powerpc),
            ),
            (
                "pc 9000000000222222 ra 9000000000222220 tp 9000000100400000 sp 9000000100403d50",
                Some(Arch::Loongarch),
            ),
            (" el0t_64_sync+0x18c/0x190", Some(Arch::Arm64)),
            (" __x64_sys_read+0x1/0x20", Some(Arch::X86_64)),
            (" vfs_read+0x93/0x190", None),
            ("pc : is short for program counter", None),
            ("pc 1 ra 2", None),
            ("", None),
        ] {
            let said = said(line.trim_start(), line.starts_with(' '));
            assert_eq!(of_line(&said, line.trim_start()), expected, "{line}");
        }
    }
}
