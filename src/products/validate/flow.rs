//! ORC against the instructions: the stack pointer followed through every function.
//!
//! Only contradictions are told. What the instructions leave open (a stack that is switched, code that nothing leads to)
//! is none.

use super::Outcome;
use super::check::{Check, Family, Severity};
use super::finding::{Finding, Spot, What};
use super::subject::Subject;
use super::words;
use crate::formats::insn::track::{self, Contradiction, Ground, Known};
use crate::formats::rule::{Row, SavedBp};

/// The checks of this family.
pub static CHECKS: &[&Check] = &[&CFA, &BASE, &BP, &RETURN, &ENTRY];

static CFA: Check = Check {
    id: "flow-cfa",
    family: Family::Flow,
    severity: Severity::Error,
    title: "the instructions put the frame elsewhere than ORC does",
    why: "The kernel takes another word of the stack for the return address: the walk goes astray, or ends there, and a \
          reliable walk may call it reliable.",
    help: "See with objdump which push, pop or change of RSP the row does not follow; in assembler look for a missing or \
           wrong UNWIND_HINT, in C for code that was changed after objtool had run.",
    example: "`ORC has the frame at SP+16, 8 bytes below where the instructions have it`: a push that no row follows.",
    source: "tools/objtool/check.c update_cfi_state(), arch/x86/kernel/unwind_orc.c unwind_next_frame() (4.14-7.2)",
    explains: &["fixup-orc"],
};

static BASE: Check = Check {
    id: "flow-base",
    family: Family::Flow,
    severity: Severity::Error,
    title: "ORC counts from a register that no longer holds a place of the frame",
    why: "The frame that ORC computes from it is nowhere on this stack: an interrupt there is unwound wrongly.",
    help: "In assembler tell the unwinder with UNWIND_HINT where the frame is while the register is in other use.",
    example: "`ORC has the frame at RBP+16, and RBP holds another value here`: a hypervisor's entry loads the guest's RBP.",
    source: "arch/x86/kernel/unwind_orc.c unwind_next_frame() (4.14-7.2), arch/x86/kvm/vmx/vmenter.S",
    explains: &["fixup-orc"],
};

static BP: Check = Check {
    id: "flow-bp",
    family: Family::Flow,
    severity: Severity::Error,
    title: "the caller's RBP is not where ORC says",
    why: "Frames further out that are found by RBP are looked for at a wrong place.",
    help: "See with objdump where RBP is saved and restored; a row must follow each.",
    example: "`ORC has the caller's RBP at CFA-16, where the instructions put something else`: RBP is pushed later.",
    source: "tools/objtool/check.c update_cfi_state(), arch/x86/kernel/unwind_orc.c unwind_next_frame() (4.14-7.2)",
    explains: &[],
};

static RETURN: Check = Check {
    id: "flow-return",
    family: Family::Flow,
    severity: Severity::Error,
    title: "a function ends with the stack pointer away from its return address",
    why: "By ORC it would return to a word that is no return address: row or code is wrong.",
    help: "See with objdump what the function pushed or reserved and did not take back, and which row says so.",
    example: "`returns with the stack pointer 8 bytes below the return address`: a pop is missing in the code.",
    source: "tools/objtool/check.c validate_return(), validate_sibling_call() (4.14-7.2)",
    explains: &["fixup-orc"],
};

static ENTRY: Check = Check {
    id: "flow-entry",
    family: Family::Flow,
    severity: Severity::Error,
    title: "the first row of a function is not that of a function just called",
    why: "A stack that is looked at while the function is entered, as by a tracer or a probe, is unwound wrongly.",
    help: "The row at a function's first byte must have the frame at SP+8; see what objtool was given.",
    example: "`ORC has the frame at SP+16, 8 bytes above where the instructions have it`",
    source: "tools/objtool/check.c init_cfi_state(), initial_func_cfi (4.14-7.2)",
    explains: &["fixup-orc"],
};

/// Runs them.
pub(super) fn run(subject: &Subject<'_, '_>) -> Outcome {
    let mut done = Outcome::default();
    let Some(orc) = subject.orc() else {
        done.skipped
            .push("there is no ORC table to hold code to".to_owned());
        return done;
    };
    let ends = |name: &str| {
        let known = subject.loader.map(|l| &l.ends);
        known.is_some_and(|ends| ends.contains(name))
    };
    let image = subject.image;
    let ground = Ground::new(image, Some(orc), image.extable(), &ends);
    done.counts
        .push(("functions", ground.functions().len() as u64));
    let found = track::contradictions(&ground);
    done.counts.push(("contradictions", found.len() as u64));
    done.findings = found.iter().map(|c| finding(subject, c)).collect();
    done
}

fn finding(subject: &Subject<'_, '_>, c: &Contradiction) -> Finding {
    let says = match c.says {
        Row::Step(rule) => words::cfa(Some(rule.cfa)),
        Row::End => "nowhere, as the outermost one".to_owned(),
        Row::Unknown => "nowhere".to_owned(),
    };
    let apart = |by: i64, from: &str| {
        let side = if by < 0 { "below" } else { "above" };
        format!("{} bytes {side} {from}", by.unsigned_abs())
    };
    let (check, what, message) = match c.what {
        track::What::Cfa(by) => (
            &CFA,
            What::Instruction,
            format!(
                "ORC has the frame at {says}, {}",
                apart(by, "where the instructions have it")
            ),
        ),
        track::What::Entry(by) => (
            &ENTRY,
            What::Function,
            format!(
                "ORC has the frame at {says}, {}",
                apart(by, "where it is when a function is called")
            ),
        ),
        track::What::NoFrame(known) => (
            &BASE,
            What::Instruction,
            format!("ORC has the frame at {says}, and there is {}", held(known)),
        ),
        track::What::Bp(bp) => {
            let place = match bp {
                SavedBp::Unchanged => "still in RBP, which was overwritten".to_owned(),
                bp => format!(
                    "{}, where the instructions put something else",
                    words::bp(Some(bp))
                ),
            };
            let message = format!("ORC has the caller's RBP {place}");
            (&BP, What::Instruction, message)
        }
        track::What::Return(by) => (
            &RETURN,
            What::Instruction,
            format!(
                "ends with the stack pointer {}",
                apart(by, "its return address, by ORC or by its instructions")
            ),
        ),
    };
    let spot = Spot::at(subject.image, c.at, what);
    Finding::at(check, spot, message).about(c.row.0, c.row.1)
}

/// What is where a place of the frame should be.
fn held(known: Known) -> String {
    match known {
        Known::Entry(reg, _) => format!("the caller's {}", reg.name(64)),
        Known::Named(..) => "a place of another stack".to_owned(),
        _ => "no place of the frame".to_owned(),
    }
}
