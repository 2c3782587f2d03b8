//! Code that was made at run time: by the BPF JIT, by ftrace, by optimised kprobes.
//!
//! Sources: kernel/bpf/core.c, kernel/trace/ftrace.c, kernel/kprobes.c (Linux 5.10-7.2).

use super::read::Reader;
use crate::base::addr::{Addr, Address};

/// Code made at run time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Generated {
    /// First byte.
    pub start: Addr,
    /// One past the last.
    pub end: Addr,
    /// Name: of a BPF program as kallsyms has it; else of the tracer that made it.
    pub name: String,
    /// What made it.
    pub kind: Generator,
    /// Of the BPF JIT's code: where the kernel says that its frame pointer is set up, in bytes from the first
    /// (`bpf_ksym.fp_start` and `fp_end`, 7.0 on); `None` where it does not.
    pub framed: Option<(u32, u32)>,
}

/// What makes code at run time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Generator {
    /// The BPF JIT: frame-pointer code.
    Bpf,
    /// ftrace: a copy of `ftrace_caller` for one user.
    FtraceCaller,
    /// ftrace: a copy of `ftrace_regs_caller` for one user.
    FtraceRegsCaller,
    /// An optimised kprobe's detour.
    Optprobe,
}

impl Generator {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Generator::Bpf => "bpf",
            Generator::FtraceCaller => "ftrace_caller",
            Generator::FtraceRegsCaller => "ftrace_regs_caller",
            Generator::Optprobe => "optprobe",
        }
    }

    /// What [`Generator::name`] calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [
            Generator::Bpf,
            Generator::FtraceCaller,
            Generator::FtraceRegsCaller,
            Generator::Optprobe,
        ];
        all.into_iter().find(|g| g.name() == name)
    }
}

/// `FTRACE_OPS_FL_SAVE_REGS`, where the types do not say.
const MAX_SIZE: u64 = 1 << 22;

/// All of it, by address.
/// The second value says whether the list of the BPF JIT's could be read to its end.
pub(super) fn find(r: &Reader<'_, '_>) -> (Vec<Generated>, bool) {
    let (mut all, whole) = bpf(r).unwrap_or((Vec::new(), true));
    all.extend(ftrace(r).unwrap_or_default());
    all.extend(optprobes(r).unwrap_or_default());
    all.retain(|g| g.end > g.start && g.end.0 - g.start.0 <= MAX_SIZE);
    all.sort_by_key(|g| g.start);
    (all, whole)
}

fn bpf(r: &Reader<'_, '_>) -> Option<(Vec<Generated>, bool)> {
    let [head] = r.symbols(["bpf_kallsyms"]);
    let link = r.types.offset("bpf_ksym", "lnode")?;
    let (start, end, name) = (
        r.types.field("bpf_ksym", "start")?,
        r.types.field("bpf_ksym", "end")?,
        r.types.field("bpf_ksym", "name")?,
    );
    let (symbols, broken) = r.list(head?, link);
    let framed = [("bpf_ksym", "fp_start"), ("bpf_ksym", "fp_end")];
    let framed = framed.map(|(structure, path)| r.types.field(structure, path));
    let read = |at: Addr| {
        let [from, to] = framed.map(|f| u32::try_from(r.get(at, f?).ok()?).ok());
        Some(Generated {
            framed: from.zip(to),
            start: Addr(r.get(at, start).ok()?),
            end: Addr(r.get(at, end).ok()?),
            name: r
                .text(at.offset(name.offset.cast_signed()), name.size)
                .ok()?,
            kind: Generator::Bpf,
        })
    };
    let all = symbols.into_iter().filter_map(read).collect();
    Some((all, broken.is_none()))
}

fn ftrace(r: &Reader<'_, '_>) -> Option<Vec<Generated>> {
    let [head, _end] = r.symbols(["ftrace_ops_list", "ftrace_list_end"]);
    let next = r.types.offset("ftrace_ops", "next")?;
    let (flags, start, size) = (
        r.types.field("ftrace_ops", "flags")?,
        r.types.field("ftrace_ops", "trampoline")?,
        r.types.field("ftrace_ops", "trampoline_size")?,
    );
    let regs = r.types.enumerator("FTRACE_OPS_FL_SAVE_REGS")? as u64;
    let first = r.pointer(head?).ok()?;
    let read = |at: Addr| {
        let start = Addr(r.get(at, start).ok()?).0;
        let with_regs = r.get(at, flags).ok()? & regs != 0;
        (start != 0).then_some(())?;
        Some(Generated {
            start: Addr(start),
            end: Addr(start.checked_add(r.get(at, size).ok()?)?),
            name: "ftrace trampoline".to_owned(),
            framed: None,
            kind: match with_regs {
                true => Generator::FtraceRegsCaller,
                false => Generator::FtraceCaller,
            },
        })
    };
    Some(r.chain(first, next).into_iter().filter_map(read).collect())
}

fn optprobes(r: &Reader<'_, '_>) -> Option<Vec<Generated>> {
    let [cache] = r.symbols(["kprobe_optinsn_slots"]);
    let pages = r.types.offset("kprobe_insn_cache", "pages")?;
    let (link, code) = (
        r.types.offset("kprobe_insn_page", "list")?,
        r.types.field("kprobe_insn_page", "insns")?,
    );
    let (all, _) = r.list(cache?.offset(pages.cast_signed()), link);
    let read = |at: Addr| {
        let start = Addr(r.get(at, code).ok()?);
        Some(Generated {
            start,
            end: start.offset(4096),
            name: "optimised kprobe".to_owned(),
            framed: None,
            kind: Generator::Optprobe,
        })
    };
    Some(all.into_iter().filter_map(read).collect())
}
