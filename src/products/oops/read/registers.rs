//! Registers that a report shows, and the code at RIP.
//!
//! Source: `__show_regs()` (arch/x86/kernel/process_64.c, process_32.c), `show_opcodes()` (arch/x86/kernel/dumpstack.c),
//! 4.4-7.2.

use super::frame::hex;
use crate::base::regs::{Reg, Regs};

/// One set of registers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Block {
    /// General registers, RIP where it is known as a number, CS.
    pub regs: Regs,
    /// Others by the names the kernel prints: `EFLAGS`, `CR2`, `GS`, `ORIG_RAX`, …
    pub others: Vec<(&'static str, u64)>,
    /// The code around RIP.
    pub code: Option<Code>,
    /// Line of the code.
    pub code_line: Option<u64>,
    /// The last line of it.
    pub last_line: u64,
    /// A register whose value a wrapped line has behind its name.
    pending: Option<&'static str>,
}

impl Block {
    /// A register that is not a general one.
    pub fn other(&self, name: &str) -> Option<u64> {
        let found = self.others.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| *value)
    }

    /// Takes what a line of registers says; the first value of each counts.
    pub(crate) fn take(&mut self, text: &str) {
        let last = text
            .trim_end()
            .rsplit(' ')
            .next()
            .and_then(|w| w.strip_suffix(':'));
        self.pending = last
            .and_then(|name| ALL.iter().chain(&OTHERS).find(|n| **n == name))
            .copied();
        for (name, value) in pairs(text) {
            if let Some(reg) = general(name) {
                if self.regs.get(reg).is_none() {
                    self.regs.set(reg, value);
                }
            } else if name == "CS" {
                self.regs.cs = self.regs.cs.or(u16::try_from(value).ok());
            } else if let Some(known) = OTHERS.iter().find(|n| **n == name)
                && self.other(known).is_none()
            {
                self.others.push((known, value));
            }
        }
    }

    /// Takes the value that a wrapped line left for the next; false if `text` does not begin with one.
    pub(crate) fn resume(&mut self, text: &str) -> bool {
        let first = text.split_ascii_whitespace().next().unwrap_or_default();
        match self.pending.take() {
            Some(name) if first.len() == 16 && hex(first).is_some() => {
                self.take(&format!("{name}: {text}"));
                true
            }
            _ => false,
        }
    }

    /// Whether they are of user mode.
    pub(crate) fn user_mode(&self) -> bool {
        self.regs.user_mode()
    }
}

/// The code around RIP as a report shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Code {
    /// Its bytes, and which of them RIP was at.
    Bytes(Vec<u8>, Option<usize>),
    /// It could not be read; the kernel's own words.
    Unreadable(String),
}

/// More bytes than any kernel shows (`code_bytes=` goes to 8192).
const MAX_CODE: usize = 8192;

impl Code {
    /// Bytes of it that the log has.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Code::Bytes(bytes, _) => bytes.len() as u64,
            Code::Unreadable(_) => 0,
        }
    }

    /// Reads what follows `Code:`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let mut code = Code::Bytes(Vec::new(), None);
        if code.append(text) {
            return Some(code);
        }
        let unreadable = text.starts_with("Bad ") || text.starts_with("Unable to access");
        unreadable.then(|| Code::Unreadable(text.chars().take(200).collect()))
    }

    /// Adds the bytes of `text`, a piece of a wrapped line; false, and nothing is added, if it holds anything else.
    pub(crate) fn append(&mut self, text: &str) -> bool {
        let Code::Bytes(bytes, mark) = self else {
            return false;
        };
        let (old, old_mark) = (bytes.len(), *mark);
        for word in text.split_ascii_whitespace() {
            let marked = word
                .strip_prefix(['<', '('])
                .and_then(|w| w.strip_suffix(['>', ')']));
            let byte = marked.unwrap_or(word);
            // Other architectures print instructions as words.
            let value = hex(byte).filter(|_| matches!(byte.len(), 2 | 4 | 8));
            match value {
                Some(value) if bytes.len() < MAX_CODE => {
                    if marked.is_some() {
                        *mark = Some(bytes.len());
                    }
                    let printed = (value as u32).to_be_bytes();
                    bytes.extend_from_slice(&printed[4 - byte.len() / 2..]);
                }
                _ => {
                    bytes.truncate(old);
                    *mark = old_mark;
                    return false;
                }
            }
        }
        bytes.len() > old
    }
}

/// Names of registers that are not general ones.
const OTHERS: [&str; 21] = [
    "EFLAGS", "ORIG_RAX", "FS", "GS", "knlGS", "DS", "ES", "CR0", "CR2", "CR3", "CR4", "DR0",
    "DR1", "DR2", "DR3", "DR6", "DR7", "PKRU", "SS", "GSBASE", "FSBASE",
];

/// Names of general registers as they are printed.
const ALL: [&str; 16] = [
    "RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "RSP", "R08", "R09", "R10", "R11", "R12",
    "R13", "R14", "R15",
];

fn general(name: &str) -> Option<Reg> {
    let mut lower = [0u8; 3];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    let name = str::from_utf8(lower).ok()?;
    // R08 and R09 are printed with two digits.
    match name {
        "r08" => Some(Reg::R8),
        "r09" => Some(Reg::R9),
        // i386
        name if name.starts_with('e') => Reg::all().find(|r| r.name32() == name),
        _ => Reg::from_name(name),
    }
}

/// Whether `text` begins as a line of registers does.
pub(crate) fn is_registers(text: &str) -> bool {
    let Some((name, _)) = text.split_once([':', ' ']) else {
        return false;
    };
    (2..=6).contains(&name.len())
        && (general(name).is_some() || OTHERS.contains(&name) || name == "CS")
}

/// `NAME: value` pairs; of `RSP: 0018:ffff…` the offset, of `FS: base(index)` the base.
fn pairs(text: &str) -> impl Iterator<Item = (&str, u64)> {
    let mut words = text.split_ascii_whitespace().peekable();
    std::iter::from_fn(move || {
        loop {
            let word = words.next()?;
            // `GS:ffff…(0000)` without a blank, `RSP: 0018:ffff…` with one, `RSP <ffff…>` at the end of old oopses.
            let (name, glued) = word.split_once(':').unwrap_or((word, ""));
            let known = general(name).is_some() || OTHERS.contains(&name) || name == "CS";
            if !known {
                continue;
            }
            let value = match glued {
                "" => words.next_if(|w| !w.ends_with(':')).unwrap_or_default(),
                glued => glued,
            };
            let value = value.trim_start_matches('<').trim_end_matches('>');
            let value = value.split_once('(').map_or(value, |(base, _)| base);
            let value = value.rsplit_once(':').map_or(value, |(_, offset)| offset);
            if let Some(value) = hex(value.trim_start_matches("0x")) {
                return Some((name, value));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_registers_is_read() {
        let mut block = Block::default();
        for line in [
            "RSP: 0018:ffffce0e4046bc88 EFLAGS: 00000246",
            "RAX: 0000000000000016 RBX: 000000000000004d RCX: 0000000000000003",
            "R10: ffffffffac0b4088 R11: 0000000000000003 R09: 0000000000000005",
            "FS:  00000000372273c0(0000) GS:ffff8db5cb800000(0000) knlGS:0000000000000000",
            "CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033",
            "CR2: 000000000000005d CR3: 0000000002252000 CR4: 0000000000750ef0",
            "PKRU: 55555554",
            "RAX: 1111111111111111",
        ] {
            assert!(is_registers(line), "{line}");
            block.take(line);
        }
        assert_eq!(block.regs.get(Reg::SP), Some(0xffff_ce0e_4046_bc88));
        assert_eq!(block.regs.get(Reg::AX), Some(0x16));
        assert_eq!(block.regs.get(Reg::R9), Some(5));
        assert_eq!(block.regs.get(Reg::R10), Some(0xffff_ffff_ac0b_4088));
        assert_eq!(block.regs.cs, Some(0x10));
        assert_eq!(block.other("EFLAGS"), Some(0x246));
        assert_eq!(block.other("GS"), Some(0xffff_8db5_cb80_0000));
        assert_eq!(block.other("CR2"), Some(0x5d));
        assert_eq!(block.other("PKRU"), Some(0x5555_5554));
        assert!(!block.user_mode());
        let mut i386 = Block::default();
        for line in [
            "EFLAGS: 00010286 CPU: 1",
            "EAX: 00000063 EBX: c1d5b2a0 ECX: 00000000 EDX: 00000000",
            "ESI: 00000063 EDI: 00000000 EBP: c40b3ee4 ESP: c40b3ee0",
            "DS: 007b ES: 007b FS: 00d8 GS: 0000 SS: 0068",
        ] {
            assert!(is_registers(line), "{line}");
            i386.take(line);
        }
        assert_eq!(i386.regs.get(Reg::AX), Some(0x63));
        assert_eq!(i386.regs.get(Reg::SP), Some(0xc40b_3ee0));
        assert_eq!(i386.other("SS"), Some(0x68));
        let mut old = Block::default();
        old.take(" RSP <ffff880000001000>");
        assert_eq!(old.regs.get(Reg::SP), Some(0xffff_8800_0000_1000));
        assert!(!is_registers("RIP: 0010:f+0x1/0x2") && !is_registers("Call Trace:"));
    }

    #[test]
    fn code_is_bytes_with_a_mark_or_the_reason_that_it_is_not() {
        assert_eq!(
            Code::parse(" 40 00 <48> c7 "),
            Some(Code::Bytes(vec![0x40, 0, 0x48, 0xc7], Some(2)))
        );
        let mut wrapped = Code::parse("40 00").expect("code");
        assert!(wrapped.append("<48> c7") && !wrapped.append("48 lock") && !wrapped.append(""));
        assert_eq!(wrapped, Code::Bytes(vec![0x40, 0, 0x48, 0xc7], Some(2)));
        for text in [
            "Bad RIP value.",
            "Unable to access opcode bytes at 0x4276d6.",
        ] {
            assert_eq!(Code::parse(text), Some(Code::Unreadable(text.to_owned())));
        }
        assert_eq!(Code::parse("of conduct"), None);
    }
}
