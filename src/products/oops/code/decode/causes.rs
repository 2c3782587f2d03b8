//! Why the CPU refused an instruction: sentences about one fault.

use crate::base::regs::{Reg, Regs};
use crate::formats::insn::effect::{Access, Effect, Kind, Memory, Part};

use super::fault::{Agreement, Context, Operand, Trap};
use crate::products::oops::code::{msr, pointer};

/// Sentences about the operand at which the fault is looked for.
pub(super) fn operand(
    effect: &Effect,
    memory: &Memory,
    operand: &Operand,
    cr2: Option<Agreement>,
    context: &Context<'_>,
) -> Vec<String> {
    let mut words = vec![deed(&effect.name, memory, operand, context.regs)];
    if operand.access == Access::Address {
        return words;
    }
    words.extend(compared(operand, cr2, context));
    let Some(address) = operand.address else {
        return words;
    };
    let faults = matches!(
        context.trap,
        Trap::PageFault | Trap::GeneralProtection | Trap::StackSegment
    );
    let must_fault = !pointer::canonical(address, context.la57) || address < 0x1000;
    if cr2 != Some(Agreement::Different) && (faults || must_fault) {
        words.extend(reason(memory, operand, address, context));
    }
    if context.trap == Trap::GeneralProtection {
        words.extend(refused(effect, address, context));
    }
    words
}

/// What the instruction does with the operand.
fn deed(name: &str, memory: &Memory, operand: &Operand, regs: &Regs) -> String {
    let size = match operand.size {
        0 => "memory".to_owned(),
        1 => "1 byte".to_owned(),
        n => format!("{n} bytes"),
    };
    let verb = match operand.access {
        Access::Read => format!("reads {size}"),
        Access::Write => format!("writes {size}"),
        Access::ReadWrite => format!("reads and writes {size}"),
        Access::Target => "reads where to go on".to_owned(),
        Access::Execute => "is fetched".to_owned(),
        Access::Address => {
            return format!(
                "{name} uses the address {} and accesses nothing",
                operand.text
            );
        }
    };
    let place = match operand.address {
        Some(address) if operand.text == format!("{address:#x}") => String::new(),
        Some(address) => format!(", which is {address:#x}"),
        None => ", of which the log does not give the address".to_owned(),
    };
    let times = match regs.get(Reg::CX).filter(|_| memory.repeated) {
        Some(times) => format!(", {times:#x} times (rcx)"),
        None => String::new(),
    };
    format!("{name} {verb} at {}{place}{times}", operand.text)
}

/// How CR2 compares.
fn compared(
    operand: &Operand,
    agreement: Option<Agreement>,
    context: &Context<'_>,
) -> Option<String> {
    let cr2 = context.cr2?;
    if context.trap == Trap::DoubleFault {
        return no_room(cr2, context.regs);
    }
    match agreement? {
        Agreement::Equal => Some("CR2 is that address".to_owned()),
        Agreement::Within(by) if cr2 & 0xfff == 0 => Some(format!(
            "CR2 is {cr2:#x}, {by:#x} bytes further on: the access reaches the page that begins there"
        )),
        Agreement::Within(by) => Some(format!(
            "CR2 is {cr2:#x}, {by:#x} bytes further on, within what is accessed"
        )),
        Agreement::Different => Some(format!(
            "CR2 is {cr2:#x}, but the operand is at {:#x}: the registers were changed since, or this is not the instruction that faulted",
            operand.address?
        )),
        Agreement::Fetch => None,
    }
}

/// A fault while the CPU pushed the frame of an exception: it begins with SS, below RSP on a multiple of 16.
fn no_room(cr2: u64, regs: &Regs) -> Option<String> {
    let sp = regs.get(Reg::SP)?;
    let first = (sp & !0xf).wrapping_sub(8);
    (cr2 == first).then(|| {
        format!("CR2 is {cr2:#x}, where the CPU would push the frame of an exception (rsp is {sp:#x}): the stack has no room left")
    })
}

/// What the value of a register, or the address itself, tells.
fn reason(
    memory: &Memory,
    operand: &Operand,
    address: u64,
    context: &Context<'_>,
) -> Option<String> {
    let base = memory
        .base
        .and_then(|reg| Some((reg, context.regs.get(reg)?)));
    if let Some(words) = member_of_null(memory, base, address) {
        return Some(words);
    }
    // A small number or NULL is no reason for itself where it is an index.
    let telling = |reg: Reg, value: u64| {
        let what = pointer::value(value, context.la57)?;
        let weak = value < 0x1000 && Some(reg) != memory.base;
        (!weak).then(|| format!("{} is {value:#x}, {what}", reg.name64()))
    };
    let parts = operand.parts.iter();
    if let Some(words) = parts.filter_map(|(r, v)| telling(*r, *v)).next() {
        return Some(words);
    }
    let what = match pointer::value(address, context.la57) {
        Some(what) => what,
        None if pointer::region(address, false).starts_with("a user") && context.user_mode => {
            return None;
        }
        None => pointer::region(address, context.la57).to_owned(),
    };
    let constant = match memory.registers().next().is_none() && memory.from_rip.is_none() {
        true => "a constant in the instruction, ",
        false => "",
    };
    Some(format!("{address:#x} is {constant}{what}"))
}

/// An address that is small because what it is computed from is 0.
fn member_of_null(memory: &Memory, base: Option<(Reg, u64)>, address: u64) -> Option<String> {
    if memory.segment != crate::formats::insn::effect::Segment::Flat || memory.index.is_some() {
        return None;
    }
    let member = |offset: u64| match offset {
        0 => "a NULL pointer".to_owned(),
        offset => format!("a member at offset {offset:#x} of a NULL pointer"),
    };
    let offset = address;
    match base {
        Some((reg, 0)) if offset < 0x1_0000 => {
            Some(format!("{} is 0: {}", reg.name64(), member(offset)))
        }
        // The structure's start lies above: container_of() of a NULL pointer.
        Some((reg, 0)) if offset > u64::MAX - 0x1_0000 => Some(format!(
            "{} is 0: {:#x} bytes before a NULL pointer",
            reg.name64(),
            offset.wrapping_neg()
        )),
        None if memory.base.is_none() && memory.from_rip.is_none() && offset < 0x1000 => {
            Some(format!(
                "{offset:#x} is a constant in the instruction: {}",
                member(offset)
            ))
        }
        _ => None,
    }
}

/// What a general protection fault has to do with an operand.
fn refused(effect: &Effect, address: u64, context: &Context<'_>) -> Option<String> {
    let by = u64::from(effect.alignment.max(1));
    if !pointer::canonical(address, context.la57) {
        return None;
    }
    if !address.is_multiple_of(by) {
        return Some(format!(
            "its address must be a multiple of {by}, and is not"
        ));
    }
    (effect.kind == Kind::Plain).then(|| {
        "the address is canonical: it does not explain a general protection fault".to_owned()
    })
}

/// Sentences about instructions that fault by what they are.
pub(super) fn special(effect: &Effect, context: &Context<'_>) -> Option<String> {
    let regs = context.regs;
    let refused = context.trap == Trap::GeneralProtection;
    match effect.kind {
        Kind::Undefined if effect.name == "ud2" => {
            Some("ud2: a BUG() or WARN(), or a place that the compiler took for unreachable".into())
        }
        Kind::Undefined => Some(format!(
            "{}: a WARN(), or a check that the compiler put in",
            effect.name
        )),
        Kind::Breakpoint => Some("int3: a breakpoint, or filling between functions".into()),
        Kind::Halt if context.user_mode => Some("hlt is for the kernel only".into()),
        Kind::Halt => Some("hlt waits for an interrupt".into()),
        Kind::Divide {
            signed,
            bits,
            divisor,
        } => divide(&effect.name, signed, bits, divisor, context),
        Kind::ReadMsr | Kind::WriteMsr => model_specific(effect.kind, context),
        Kind::Through(reg) if refused => {
            let value = regs.get(reg)?;
            let what = pointer::value(value, context.la57)?;
            Some(format!(
                "{} goes to where {reg} points, and {reg} is {value:#x}, {what}",
                effect.name,
                reg = reg.name64()
            ))
        }
        Kind::Return if refused => {
            Some("ret is refused where the return address at (%rsp) is not canonical: the stack was overwritten, or RSP is wrong".into())
        }
        Kind::ReturnFromException if refused => Some(format!(
            "{} is refused where what it returns to has a wrong selector, flag or address",
            effect.name
        )),
        Kind::Plain if context.trap == Trap::InvalidOpcode => Some(format!(
            "{} is refused: this CPU does not have it, or it is not enabled",
            effect.name
        )),
        _ => None,
    }
}

/// A division, which faults on 0 and on quotients that do not fit.
fn divide(
    name: &str,
    signed: bool,
    bits: u32,
    divisor: Option<Part>,
    context: &Context<'_>,
) -> Option<String> {
    if !matches!(context.trap, Trap::DivideError | Trap::Unknown) {
        return None;
    }
    let faulted = context.trap == Trap::DivideError;
    let Some(part) = divisor else {
        return faulted.then(|| {
            format!(
                "{name}: the divisor, in memory, is 0, or the quotient does not fit {bits} bits"
            )
        });
    };
    let value = part.value(context.regs)?;
    if value == 0 {
        return Some(format!("{name} divides by {}, which is 0", part_name(part)));
    }
    let fits = quotient_fits(signed, bits, value, context.regs)?;
    let by = format!("{} ({value:#x})", part_name(part));
    match (fits, faulted) {
        (false, _) => Some(format!(
            "{name} by {by}: the quotient does not fit {bits} bits"
        )),
        (true, true) => Some(format!(
            "{name} by {by} would not fault: the registers were changed since, or this is not the instruction that faulted"
        )),
        (true, false) => None,
    }
}

/// Whether the quotient of what is in DX:AX and `divisor` fits; `None` if registers are unknown.
fn quotient_fits(signed: bool, bits: u32, divisor: u64, regs: &Regs) -> Option<bool> {
    let bits = bits.clamp(8, 64);
    let mask = u64::MAX >> (64 - bits);
    let low = regs.get(Reg::AX)?;
    let high = match bits {
        8 => low >> 8,
        _ => regs.get(Reg::DX)?,
    };
    let dividend = u128::from(high & mask) << bits | u128::from(low & mask);
    if !signed {
        return Some(dividend.checked_div(divisor.into())? <= mask.into());
    }
    let unused = 128 - 2 * bits;
    let dividend = (dividend << unused) as i128 >> unused;
    let divisor = i128::from((divisor << (64 - bits)) as i64 >> (64 - bits));
    let limit = 1i128 << (bits - 1);
    let quotient = dividend.checked_div(divisor)?;
    Some((-limit..limit).contains(&quotient))
}

fn part_name(part: Part) -> String {
    match part.bits {
        64 => part.reg.name64().to_owned(),
        32 => part.reg.name32().to_owned(),
        bits => format!(
            "bits {}-{} of {}",
            part.shift,
            part.shift + bits - 1,
            part.reg.name64()
        ),
    }
}

/// `rdmsr`, `wrmsr`
fn model_specific(kind: Kind, context: &Context<'_>) -> Option<String> {
    let regs = context.regs;
    let number = regs.get(Reg::CX)? as u32;
    let which = match msr::name(number) {
        Some(name) => format!("MSR {number:#x} ({name})"),
        None => format!("MSR {number:#x}"),
    };
    let refused = context.trap == Trap::GeneralProtection;
    if kind == Kind::ReadMsr {
        let why = if refused {
            ", which this CPU does not have"
        } else {
            ""
        };
        return Some(format!("rdmsr reads {which}{why}"));
    }
    let half = |reg| regs.get(reg).map(|v| v & 0xffff_ffff);
    let value = half(Reg::DX)? << 32 | half(Reg::AX)?;
    let why = match refused {
        true => ": this CPU does not have it, or refuses the value",
        false => "",
    };
    Some(format!("wrmsr writes {value:#x} to {which}{why}"))
}

/// Sentences for an instruction that could not be fetched; `None` if it could.
pub(super) fn fetch(
    rip: u64,
    len: u64,
    no_code: bool,
    context: &Context<'_>,
) -> Option<Vec<String>> {
    let cr2 = context.cr2.filter(|_| context.trap == Trap::PageFault);
    if let Some(page) = cr2.filter(|c| c & 0xfff == 0 && *c != rip) {
        // Its first bytes are there; the rest is in the page that faulted.
        let reach = if no_code { 15 } else { len };
        if page.wrapping_sub(rip) < reach {
            return Some(vec![format!(
                "the instruction at RIP goes on in the page at {page:#x}, which cannot be executed"
            )]);
        }
    }
    let bad = !pointer::canonical(rip, context.la57) || rip < 0x1000;
    (cr2 == Some(rip) || (no_code && bad)).then(|| vec![went_astray(rip, context)])
}

/// How execution came to where no code is.
fn went_astray(rip: u64, context: &Context<'_>) -> String {
    if rip == 0 {
        return "called or jumped through a NULL pointer: RIP is 0".to_owned();
    }
    if let Some(what) = pointer::value(rip, context.la57) {
        return format!("called, jumped or returned to {rip:#x}, {what}");
    }
    match (pointer::region(rip, context.la57), context.user_mode) {
        ("a user-space address", false) => {
            format!("the kernel called, jumped or returned to {rip:#x}, a user-space address")
        }
        ("a user-space address", true) => {
            format!("the page of RIP, {rip:#x}, is not there or cannot be executed")
        }
        (_, true) => format!("user code called, jumped or returned to {rip:#x}, of the kernel"),
        (_, false) => format!("the page of RIP, {rip:#x}, is not there or cannot be executed"),
    }
}
