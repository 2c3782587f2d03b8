//! A report of a log as JSON: `fixtrace.oops/1`. Fields are only ever added.

use std::collections::HashMap;

use serde::Serialize;

use super::Address;
use super::frame::{Frame, InlineCall};
use super::stack::{LiveFunction, call};
use crate::base::addr::Slide;
use crate::base::arch::Arch;
use crate::base::regs::Reg;
use crate::engine::live::live;
use crate::engine::remark::Remark;
use crate::engine::verdicts::Verdicts;
use crate::products::oops::read::frame::Vouch;
use crate::products::oops::read::registers::{Block, Code};
use crate::products::oops::read::report::{LogFrame, Oops};
use crate::products::oops::read::variant::variant;
use crate::products::oops::truth::annotate::CUT;
use crate::products::oops::truth::culprit;
use crate::products::oops::truth::explain::{self, Decoded};
use crate::products::oops::truth::tell::{Told, ToldStack};

/// The name of this form.
pub(crate) const SCHEMA: &str = "fixtrace.oops/1";

/// A report.
#[derive(Clone, Serialize, Debug)]
pub struct Report<'a> {
    /// The name of this form, with its version.
    pub schema: &'static str,
    /// The log it is in.
    pub file: Option<&'a str>,
    /// First and last line of it, from 1.
    pub lines: [u64; 2],
    /// Where it begins and ends in the log, bytes.
    pub text_range: [u64; 2],
    /// What it is about.
    pub kind: &'static str,
    /// Its main line.
    pub title: &'a str,
    /// The text of a warning or BUG.
    pub message: Option<&'a str>,
    /// The functions that tell it from others.
    pub signature: Vec<String>,
    /// The function to blame.
    pub culprit: Option<CulpritText>,
    /// Why it is not to be trusted as a whole.
    pub doubts: Vec<DoubtText<'a>>,
    /// What of its kind it is: `slab-use-after-free`, `circular locking dependency`, …
    pub variant: Option<String>,
    /// What it did to memory.
    pub access: Option<&'static str>,
    /// The exception, in the kernel's words.
    pub exception: Option<&'a str>,
    /// Its error code.
    pub error_code: Option<Address>,
    /// The address that a page fault was about.
    pub fault_address: Option<Address>,
    /// How many this kernel had by then.
    pub number: Option<u32>,
    /// The CPU.
    pub cpu: Option<u32>,
    /// Thread id.
    pub pid: Option<u32>,
    /// Name of the task.
    pub comm: Option<&'a str>,
    /// Its state, one letter, where it slept.
    pub state: Option<char>,
    /// Taint flags.
    pub taint: Option<&'a str>,
    /// The kernel's release.
    pub release: Option<&'a str>,
    /// The kernel's build-id.
    pub build_id: Option<&'a str>,
    /// The kernel's architecture.
    pub arch: Option<&'static str>,
    /// Runtime minus link address of the kernel.
    pub offset: Option<Address>,
    /// The machine.
    pub hardware: Option<&'a str>,
    /// The work that a worker did.
    pub workqueue: Option<&'a str>,
    /// The panic that it led to.
    pub panic: Option<&'a str>,
    /// The registers of its innermost frame.
    pub registers: Option<Registers>,
    /// The code there.
    pub code: Option<CodeText>,
    /// Its stack, innermost first.
    pub frames: Vec<ReportFrame<'a>>,
    /// Other stacks in it.
    pub stacks: Vec<BesideStack<'a>>,
    /// Places that its text names outside of stacks: of locks, in its title, its RIP once more.
    pub at: Vec<ReportFrame<'a>>,
    /// Modules that were loaded.
    pub modules: Vec<ModuleLine<'a>>,
    /// What else is to be said of it.
    pub notes: Vec<String>,
    /// The kernel's verdict on its stack, as far as text tells; `null` where that cannot be decided.
    pub reliable: Option<bool>,
    /// Whether the outermost frame is there, and every frame is attributed exactly; `null` without a stack or an image.
    pub complete: Option<bool>,
    /// What keeps it from being reliable, and from being complete.
    pub why: Option<String>,
    /// The functions that are live on its stack, frame by frame.
    pub functions: Vec<LiveFunction<'a>>,
}

/// The function to blame.
#[derive(Clone, Serialize, Debug)]
pub struct CulpritText {
    /// Its name.
    pub function: String,
    /// The number of its frame, from 0; null where a stack beside or the text names it.
    pub frame: Option<usize>,
    /// Why it is that one.
    pub why: String,
}

/// A reason not to trust a report as a whole.
#[derive(Clone, Serialize, Debug)]
pub struct DoubtText<'a> {
    /// Which.
    pub kind: &'static str,
    /// In words.
    pub text: &'a str,
}

/// Registers by name.
#[derive(Clone, Serialize, Debug)]
#[serde(transparent)]
pub struct Registers(pub std::collections::BTreeMap<String, Address>);

/// Code around RIP.
#[derive(Clone, Serialize, Debug)]
pub struct CodeText {
    /// Hexadecimal digits.
    pub bytes: Option<String>,
    /// The byte at RIP.
    pub mark: Option<usize>,
    /// Why there are none.
    pub unreadable: Option<String>,
    /// Instructions.
    pub instructions: Vec<Instruction>,
    /// The operand in memory that explains a fault.
    pub operand: Option<OperandText>,
    /// How it was patched since it was linked.
    pub patches: Vec<PatchText>,
    /// What the instruction at RIP did.
    pub notes: Vec<String>,
}

/// Bytes that were patched.
#[derive(Clone, Serialize, Debug)]
pub struct PatchText {
    /// The first and the one behind the last, in the code shown.
    pub bytes: [usize; 2],
    /// `alternative`, `static key`, …; `unexplained`
    pub kind: &'static str,
}

/// An instruction.
#[derive(Clone, Serialize, Debug)]
pub struct Instruction {
    /// `symbol+0x1`, or a number.
    pub at: String,
    /// In AT&T syntax.
    pub text: String,
    /// Whether RIP is here.
    pub rip: bool,
}

/// An operand in memory.
#[derive(Clone, Serialize, Debug)]
pub struct OperandText {
    /// In AT&T syntax.
    pub text: String,
    /// Its address.
    pub address: Option<Address>,
    /// Bytes.
    pub size: u32,
    /// Whether CR2 is in it.
    pub cr2: Option<bool>,
}

/// A frame of a report.
#[derive(Clone, Serialize, Debug)]
pub struct ReportFrame<'a> {
    /// What every frame has.
    #[serde(flatten)]
    pub frame: Frame<'a>,
    /// As the kernel printed it.
    pub printed: String,
    /// Its line in the log, from 1.
    pub log_line: u64,
    /// Whether the kernel marked it with `?`.
    pub guess: bool,
    /// The kind of stack, as the kernel names it.
    pub stack: Option<&'a str>,
    /// How the call before it leads to the frame inside: `direct`, `tail`, `indirect`, `broken`.
    pub call: Option<&'static str>,
    /// Of a `?` frame: whether the call before it names the function of the frame inside.
    pub confirmed: bool,
    /// Why no function is known.
    pub missing: Option<String>,
}

/// A stack beside the main one.
#[derive(Clone, Serialize, Debug)]
pub struct BesideStack<'a> {
    /// The line above it.
    pub title: &'a str,
    /// Its frames, innermost first.
    pub frames: Vec<ReportFrame<'a>>,
}

/// A module that was loaded.
#[derive(Clone, Serialize, Debug)]
pub struct ModuleLine<'a> {
    /// Its name.
    pub name: &'a str,
    /// Taint flags.
    pub flags: Option<&'a str>,
    /// Its build-id.
    pub build_id: Option<&'a str>,
    /// Where its text was, if addresses of its frames tell.
    pub address: Option<Address>,
}

impl<'a> Report<'a> {
    /// The twin of `oops` in the log `file`; `slide`: where the kernel was, if that is known.
    pub fn new(
        oops: &'a Oops,
        told: &'a Told<'_, '_>,
        file: Option<&'a str>,
        slide: Option<Slide>,
    ) -> Self {
        let block = oops.registers();
        let top = oops
            .frames
            .iter()
            .zip(&told.main.located)
            .find(|(f, _)| f.vouch == Vouch::Rip);
        let top = top.filter(|_| block.is_some());
        let located = top.and_then(|(_, located)| *located);
        let decoded = match (block, top) {
            (Some(block), Some((frame, _))) => explain::decoded(oops, frame, block, located, told),
            _ => None,
        };
        let bases = bases(oops, told);
        let note = block
            .zip(top)
            .and_then(|(b, _)| explain::not_fixed_up(oops, b, located));
        let died = oops.die.as_ref();
        let stack = &told.main.stack;
        let verdicts = Verdicts::of_log(stack);
        let verdicts = verdicts.as_ref();
        Report {
            schema: SCHEMA,
            file,
            lines: [oops.lines.start + 1, oops.lines.end],
            text_range: [oops.bytes.start, oops.bytes.end],
            kind: oops.kind.name(),
            title: &oops.title,
            message: oops.message.as_deref(),
            signature: culprit::signature(oops, told),
            culprit: culprit::culprit(oops, told).map(|c| CulpritText {
                function: c.function,
                frame: c.frame,
                why: c.why,
            }),
            doubts: oops
                .doubts
                .iter()
                .map(|d| DoubtText {
                    kind: d.kind.name(),
                    text: &d.text,
                })
                .collect(),
            variant: variant(oops),
            access: oops.access,
            exception: died.map(|d| &*d.what),
            error_code: died.and_then(|d| d.code).map(|c| Address(c.into())),
            fault_address: match explain::trap(oops) {
                crate::products::oops::code::decode::Trap::PageFault => {
                    explain::of_title(&oops.title)
                        .or_else(|| block?.other("CR2"))
                        .map(Address)
                }
                crate::products::oops::code::decode::Trap::GeneralProtection => {
                    explain::of_title(&oops.title).map(Address)
                }
                _ => None,
            },
            number: died.map(|d| d.number),
            cpu: oops.cpu,
            pid: oops.pid,
            comm: oops.comm.as_deref(),
            state: oops.state,
            taint: oops.taint.as_deref(),
            release: oops.release.as_deref(),
            build_id: oops.build_id.as_deref(),
            arch: oops.arch.map(Arch::name),
            offset: slide.map(|s| Address(s.0)),
            hardware: oops.hardware.as_deref(),
            workqueue: oops.workqueue.as_deref(),
            panic: oops.panic.as_deref(),
            registers: block.map(|b| registers(b, oops.arch)),
            code: block.and_then(|b| code(b, decoded.as_ref())),
            frames: frames(&oops.frames, &told.main),
            stacks: oops
                .stacks
                .iter()
                .zip(&told.stacks)
                .map(|(s, t)| BesideStack {
                    title: &s.title,
                    frames: frames(&s.frames, t),
                })
                .collect(),
            at: frames(&oops.again, &told.again),
            modules: oops
                .modules
                .iter()
                .map(|m| ModuleLine {
                    name: &m.name,
                    flags: m.flags.as_deref(),
                    build_id: m.build_id.as_deref(),
                    address: bases.get(&*m.name).copied(),
                })
                .collect(),
            notes: note
                .into_iter()
                .chain(oops.cut.then(|| CUT.to_owned()))
                .collect(),
            reliable: verdicts.and_then(Verdicts::is_reliable),
            complete: verdicts.map(|v| v.gap.is_none()),
            why: verdicts.and_then(Verdicts::why),
            functions: live(stack).into_iter().map(LiveFunction::from).collect(),
        }
    }
}

/// Where the text of modules was: of each the first frame with a symbol and an address tells it.
fn bases<'a>(oops: &'a Oops, told: &Told<'_, '_>) -> HashMap<&'a str, Address> {
    let mut bases = HashMap::new();
    for (frame, located) in oops.frames.iter().zip(&told.main.located) {
        let module = frame.symbol.as_ref().and_then(|s| s.module.as_deref());
        if let (Some(name), Some(at), Some(located)) = (module, frame.address, located) {
            let base = at.wrapping_sub(located.link.0);
            // Modules begin at pages.
            if base.is_multiple_of(0x1000) {
                bases.entry(name).or_insert(Address(base));
            }
        }
    }
    bases
}

fn frames<'a>(frames: &'a [LogFrame], told: &'a ToldStack<'_, '_>) -> Vec<ReportFrame<'a>> {
    let twin = |(frame, told): (&'a LogFrame, &'a crate::engine::stack::Frame<'_>)| ReportFrame {
        frame: placed(Frame::new(told, None), frame),
        printed: frame.printed(),
        log_line: frame.line + 1,
        guess: frame.vouch == Vouch::Guess,
        stack: frame.stack.as_deref(),
        call: told.edge.as_ref().and_then(call),
        confirmed: told
            .remarks
            .iter()
            .any(|r| matches!(r, Remark::Confirmed(_))),
        missing: told.remarks.iter().find_map(|r| match r {
            Remark::Missing(why) => Some(why.to_string()),
            _ => None,
        }),
    };
    frames.iter().zip(&told.stack.frames).map(twin).collect()
}

/// `twin` with the source lines that the log has already, where no image has them.
fn placed<'a>(mut twin: Frame<'a>, frame: &'a LogFrame) -> Frame<'a> {
    if twin.inlines.is_empty() {
        let calls = frame.places.iter().map(|p| InlineCall {
            function: p.function.as_deref(),
            file: Some(&p.file),
            line: Some(p.line),
            column: None,
        });
        twin.inlines = calls.collect();
    }
    twin
}

fn registers(block: &Block, arch: Option<Arch>) -> Registers {
    let name = match arch {
        Some(Arch::I386) => Reg::name32,
        _ => Reg::name64,
    };
    let mut all = std::collections::BTreeMap::new();
    for reg in Reg::all() {
        if let Some(value) = block.regs.get(reg) {
            all.insert(name(reg).to_owned(), Address(value));
        }
    }
    for (name, value) in &block.others {
        all.insert(name.to_ascii_lowercase(), Address(*value));
    }
    Registers(all)
}

fn code(block: &Block, decoded: Option<&Decoded>) -> Option<CodeText> {
    let mut text = CodeText {
        bytes: None,
        mark: None,
        unreadable: None,
        instructions: Vec::new(),
        operand: None,
        patches: Vec::new(),
        notes: Vec::new(),
    };
    match block.code.as_ref()? {
        Code::Bytes(bytes, mark) => {
            text.bytes = Some(crate::formats::image::note::hex(bytes));
            text.mark = *mark;
        }
        Code::Unreadable(why) => text.unreadable = Some(why.clone()),
    }
    let Some(decoded) = decoded else {
        return Some(text);
    };
    let rows = decoded.listing.rows.iter().zip(&decoded.labels).enumerate();
    text.instructions = rows
        .map(|(number, (row, label))| Instruction {
            at: label.clone(),
            text: row.text.clone(),
            rip: decoded.listing.fault == Some(number),
        })
        .collect();
    let fault = decoded.fault.as_ref();
    text.operand = fault.and_then(|f| {
        let operand = f.operand.as_ref()?;
        Some(OperandText {
            text: operand.text.clone(),
            address: operand.address.map(Address),
            size: operand.size,
            cr2: f
                .cr2
                .map(|c| c != crate::products::oops::code::decode::Agreement::Different),
        })
    });
    if let Some(compared) = &decoded.compared {
        let known = compared
            .explained
            .iter()
            .map(|(r, p)| ([r.start, r.end], p.name()));
        let unknown = compared
            .unexplained
            .iter()
            .map(|i| ([*i, *i + 1], "unexplained"));
        let all = known.chain(unknown);
        text.patches = all.map(|(bytes, kind)| PatchText { bytes, kind }).collect();
    }
    let words = fault.iter().flat_map(|f| f.words.iter().cloned());
    text.notes = words.chain(decoded.before.clone()).collect();
    Some(text)
}
