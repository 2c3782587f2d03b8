//! What the notes of a process's core file tell: threads, the process, its mappings.
//!
//! Source: fs/binfmt_elf.c, include/linux/elfcore.h, include/uapi/linux/elfcore.h (Linux 5.10-7.2, x86-64).

use super::objects::Mapping;
use crate::base::addr::Addr;
use crate::base::bytes::{cstr_at, u16_at, u32_at, u64_at};
use crate::base::error::Finding;
use crate::base::regs::Regs;
use crate::formats::image::note::Note;

const NT_PRSTATUS: u32 = 1;
const NT_PRPSINFO: u32 = 3;
const NT_AUXV: u32 = 6;
const NT_SIGINFO: u32 = 0x5349_4749;
const NT_FILE: u32 = 0x4649_4c45;
const AT_SYSINFO_EHDR: u64 = 33;

/// A thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Thread {
    /// Thread id.
    pub tid: u32,
    /// The signal it was about to take, 0 for none.
    pub signal: u16,
    /// Its registers in user mode.
    pub regs: Regs,
}

/// The signal that ended the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Signal {
    /// `si_signo`
    pub number: u32,
    /// `si_code`
    pub code: u32,
    /// `si_addr`: the address that could not be reached, of SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGTRAP.
    pub fault: Option<Addr>,
}

impl Signal {
    /// Its name, where it has one.
    pub fn name(&self) -> Option<&'static str> {
        const NAMES: [&str; 31] = [
            "SIGHUP",
            "SIGINT",
            "SIGQUIT",
            "SIGILL",
            "SIGTRAP",
            "SIGABRT",
            "SIGBUS",
            "SIGFPE",
            "SIGKILL",
            "SIGUSR1",
            "SIGSEGV",
            "SIGUSR2",
            "SIGPIPE",
            "SIGALRM",
            "SIGTERM",
            "SIGSTKFLT",
            "SIGCHLD",
            "SIGCONT",
            "SIGSTOP",
            "SIGTSTP",
            "SIGTTIN",
            "SIGTTOU",
            "SIGURG",
            "SIGXCPU",
            "SIGXFSZ",
            "SIGVTALRM",
            "SIGPROF",
            "SIGWINCH",
            "SIGIO",
            "SIGPWR",
            "SIGSYS",
        ];
        NAMES.get((self.number as usize).checked_sub(1)?).copied()
    }
}

/// Everything that the notes tell.
#[derive(Clone, Default, Debug)]
pub struct Notes {
    /// Process id.
    pub pid: u32,
    /// Name of the process, at most 15 characters.
    pub comm: String,
    /// Its arguments, at most 79 characters.
    pub args: String,
    /// The signal that ended it.
    pub signal: Option<Signal>,
    /// Threads as the file has them: the one that took the signal comes first.
    pub threads: Vec<Thread>,
    /// Where the vDSO is.
    pub vdso: Option<Addr>,
    /// Mapped files.
    pub mappings: Vec<Mapping>,
    /// What could not be read.
    pub findings: Vec<Finding>,
    /// Whether there is a note that only processes have.
    pub of_process: bool,
}

impl Notes {
    /// Adds what `note` tells.
    pub(crate) fn take(&mut self, note: Note<'_>) {
        if note.name != b"CORE" {
            return;
        }
        let data = note.desc;
        let read = match note.kind {
            NT_PRSTATUS => thread(data).map(|t| self.threads.push(t)),
            NT_PRPSINFO => self.process(data),
            NT_SIGINFO => signal(data).map(|s| self.signal = Some(s)),
            NT_AUXV => {
                self.vdso = auxiliary(data, AT_SYSINFO_EHDR).map(Addr);
                Some(())
            }
            NT_FILE => self.files(data),
            _ => Some(()),
        };
        self.of_process |= matches!(note.kind, NT_PRPSINFO | NT_SIGINFO | NT_AUXV | NT_FILE);
        if read.is_none() {
            let what = format!("note of type {:#x} is cut off", note.kind);
            self.findings.push(Finding::new("PT_NOTE", 0, what));
        }
    }

    /// `struct elf_prpsinfo`.
    fn process(&mut self, data: &[u8]) -> Option<()> {
        self.pid = u32_at(data, 24)?;
        self.comm = text(data.get(40..56)?);
        self.args = text(data.get(56..136)?).trim_end().to_owned();
        Some(())
    }

    /// `fill_files_note()`: count, page size, (start, end, offset in pages) of each, then all names.
    fn files(&mut self, data: &[u8]) -> Option<()> {
        const ENTRY: usize = 24;
        let count = usize::try_from(u64_at(data, 0)?).ok()?;
        let page = u64_at(data, 8)?;
        let names = count.checked_mul(ENTRY)?.checked_add(16)?;
        let entries = data.get(16..names)?.chunks_exact(ENTRY);
        let mut at = names;
        for e in entries {
            let path = cstr_at(data, at)?;
            at = at.checked_add(path.len() + 1)?;
            let (start, end) = (u64_at(e, 0)?, u64_at(e, 8)?);
            if start >= end {
                continue;
            }
            self.mappings.push(Mapping {
                start: Addr(start),
                end: Addr(end),
                offset: u64_at(e, 16)?.saturating_mul(page),
                path: String::from_utf8_lossy(path).into_owned(),
                build_id: None,
                writable: false,
            });
        }
        Some(())
    }
}

/// `struct elf_prstatus`: the signal at 12, the thread at 32, registers at 112.
fn thread(data: &[u8]) -> Option<Thread> {
    Some(Thread {
        tid: u32_at(data, 32)?,
        signal: u16_at(data, 12)?,
        regs: Regs::from_pt_regs(data.get(112..)?)?,
    })
}

/// `siginfo_t`.
fn signal(data: &[u8]) -> Option<Signal> {
    let (number, code) = (u32_at(data, 0)?, u32_at(data, 8)?);
    let faults = matches!(number, 4 | 5 | 7 | 8 | 11);
    // A code above 0 is the kernel's; others are of kill(2) and its kind, and have a sender there.
    let from_kernel = (1..=0x7f).contains(&code);
    let fault = (faults && from_kernel)
        .then(|| u64_at(data, 16))
        .flatten()
        .map(Addr);
    Some(Signal {
        number,
        code,
        fault,
    })
}

/// The value of `wanted` in an auxiliary vector.
fn auxiliary(data: &[u8], wanted: u64) -> Option<u64> {
    let pairs = data.chunks_exact(16);
    let mut pairs = pairs.filter_map(|p| Some((u64_at(p, 0)?, u64_at(p, 8)?)));
    pairs
        .find(|(kind, value)| *kind == wanted && *value != 0)
        .map(|(_, value)| value)
}

/// Printable characters up to the first NUL.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let shown = |c: char| if c.is_control() { '?' } else { c };
    String::from_utf8_lossy(&bytes[..end])
        .chars()
        .map(shown)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note(kind: u32, data: &[u8]) -> Notes {
        let mut notes = Notes::default();
        notes.take(Note {
            name: b"CORE",
            kind,
            desc: data,
        });
        notes
    }

    #[test]
    fn a_mapping_counts_its_offset_in_pages() {
        let mut data: Vec<u8> = [1u64, 0x1000, 0x40_0000, 0x40_2000, 3]
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect();
        data.extend(b"/bin/true\0");
        let notes = note(NT_FILE, &data);
        let m = &notes.mappings[0];
        assert_eq!(
            (m.start.0, m.end.0, m.offset, &m.path[..]),
            (0x40_0000, 0x40_2000, 0x3000, "/bin/true")
        );
    }

    #[test]
    fn a_count_of_files_that_the_note_does_not_hold_is_a_finding() {
        let data: Vec<u8> = [u64::MAX / 24, 0x1000, 1, 2, 3]
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect();
        let notes = note(NT_FILE, &data);
        assert!(notes.mappings.is_empty());
        assert_eq!(notes.findings.len(), 1);
    }

    #[test]
    fn a_signal_that_was_sent_has_no_address() {
        let mut data = [0; 128];
        crate::base::bytes::put(&mut data, 0, 11, 4).unwrap();
        crate::base::bytes::put(&mut data, 8, 1, 4).unwrap();
        crate::base::bytes::put(&mut data, 16, 0xdead, 8).unwrap();
        let fault = |data: &[u8]| note(NT_SIGINFO, data).signal.unwrap().fault;
        assert_eq!(fault(&data), Some(Addr(0xdead)));
        crate::base::bytes::put(&mut data, 8, (-6i64) as u64, 4).unwrap();
        assert_eq!(fault(&data), None);
        assert_eq!(
            note(NT_SIGINFO, &data).signal.unwrap().name(),
            Some("SIGSEGV")
        );
    }

    proptest! {
        #[test]
        fn arbitrary_notes_never_panic(kind in prop::sample::select(vec![1, 3, 6, NT_SIGINFO, NT_FILE]),
                                       data in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = note(kind, &data);
        }
    }
}
