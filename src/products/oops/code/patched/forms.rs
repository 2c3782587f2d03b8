//! The forms that patching gives an instruction, or a place of several.

use super::form::{Form, Rule};
use super::look::{Goes, Look};
use super::nops::all_nops;
use super::patch::Patch;
use super::place::Place;
use super::unit::Unit;
use crate::base::addr::{Address, LinkAddr};
use crate::formats::image::sites::{Between, COUNTERS, Site};
use crate::formats::insn::stub::{Stub, stub};
use crate::formats::insn::{self, ENDBR64, Flow};

const CALL: u8 = 0xe8;
const JUMP: u8 = 0xe9;
const INT3: u8 = 0xcc;
const LFENCE: [u8; 3] = [0x0f, 0xae, 0xe8];

/// What the distance may be that begins `before` bytes behind the instruction at `place`.
fn branch(place: Place, before: usize, to: Goes) -> Rule {
    let end = place.run.offset(before as i64 + 4);
    Rule::Branch { end, to }
}

/// A call, a jump, or a jump on a condition: how it begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Call,
    Jump,
    Branch(u8),
}

impl Way {
    /// The way of `code`, one instruction; short jumps are none here.
    fn of(code: &[u8]) -> Option<Self> {
        match code {
            [CALL, ..] | [0x2e, CALL, ..] => Some(Way::Call),
            [JUMP, ..] | [0x2e, JUMP, ..] => Some(Way::Jump),
            [0x0f, op @ 0x80..=0x8f, ..] => Some(Way::Branch(op & 15)),
            _ => None,
        }
    }

    /// A form of `len` bytes that goes to `to` at `place`; `None` where it does not fit.
    fn form(self, patch: Patch, place: Place, to: Goes) -> Option<Form> {
        let mut head = match self {
            Way::Call => vec![CALL],
            Way::Jump => vec![JUMP],
            Way::Branch(condition) => vec![0x0f, 0x80 | condition],
        };
        if place.len == head.len() + 5 {
            head.insert(0, 0x2e);
        }
        let rule = branch(place, head.len(), to);
        (place.len == head.len() + 4).then(|| Form::new(patch, &head).hole(4, rule))
    }
}

/// The forms that the instruction at `place` may have, the linked one first.
pub(super) fn of(look: &Look<'_, '_>, place: Place) -> Vec<Form> {
    let Some(linked) = Form::linked(look, place) else {
        return Vec::new();
    };
    let code = &linked.bytes;
    let flow = insn::decode(code, place.src, look.image.bits()).map(|i| i.flow);
    let mut forms = vec![linked.clone()];
    forms.extend(patched(look, place, &linked, flow));
    // What was linked, and what patching made of it, may be probed.
    let probed = forms.iter().map(|form| {
        let mut form = form.clone();
        form.bytes[0] = INT3;
        form.holes.retain(|h| h.at != 0);
        form.patch = Some(Patch::Probe);
        form
    });
    let probed: Vec<Form> = probed.collect();
    forms.extend(probed);
    // An optimised probe jumps out of the image; the kernel makes none of calls and jumps.
    if flow == Some(Flow::Next) && code.len() >= 5 {
        let jump = branch(place, 1, Goes::Outside);
        let mut form = Form::new(Patch::Probe, &[JUMP]).hole(4, jump);
        form.bytes.extend_from_slice(&code[5..]);
        forms.push(form);
    }
    forms
}

/// What patching makes of the instruction at `place`, which is `linked` and goes to `flow`.
fn patched(look: &Look<'_, '_>, place: Place, linked: &Form, flow: Option<Flow>) -> Vec<Form> {
    let (image, code) = (look.image, &linked.bytes[..]);
    // Whether the image's table lists the place; by its shape where there is none.
    let listed = |site| {
        let known = [place.src, place.run].map(|at| image.lists(site, at));
        match known {
            [Some(src), Some(run)] => (src || run).then_some(false),
            _ => Some(true),
        }
    };
    let shaped = |forms: Vec<Form>, by_shape: Option<bool>| -> Vec<Form> {
        let by_shape = by_shape.filter(|_| !forms.is_empty());
        let with = |form| by_shape.map(|by_shape| Form { by_shape, ..form });
        forms.into_iter().filter_map(with).collect()
    };
    if code[0] == 0xf0 {
        let mut form = linked.clone();
        form.bytes[0] = 0x3e;
        form.patch = Some(Patch::LockPrefix);
        return shaped(vec![form], listed(Site::Lock));
    }
    if code == ENDBR64 {
        let listed = listed(Site::Endbr);
        let cfi = image.lists(Site::Cfi, place.src.offset(-16)) == Some(true);
        return shaped(sealed(), if cfi { Some(false) } else { listed });
    }
    let constant = constant(look, place, code);
    if !constant.is_empty() {
        return constant;
    }
    let label = jump_label(look, place, code, flow);
    if !label.is_empty() {
        return label;
    }
    let to = match flow {
        Some(Flow::Call(to) | Flow::Jump(to) | Flow::Branch(to)) => to,
        Some(Flow::IndirectCall | Flow::IndirectJump) => return Vec::new(),
        // Where tracing calls, a build may leave a NOP.
        _ if code.len() == 5 && all_nops(code) => {
            return shaped(traced(place), listed(Site::Mcount));
        }
        _ => return Vec::new(),
    };
    let Some(way) = Way::of(code) else {
        return Vec::new();
    };
    let name = look.name(to);
    // Calls that alternatives put in are counted where they run (6.2-6.14).
    let called = || match image.alternatives().at(place.run) {
        [] => listed(Site::Call),
        _ => Some(false),
    };
    match stub(name) {
        _ if name == "__fentry__" => shaped(traced(place), listed(Site::Mcount)),
        Some(Stub::Return) => shaped(returns(way, place), listed(Site::Return)),
        Some(Stub::Register) => shaped(through(look, to, way, place), listed(Site::Retpoline)),
        Some(Stub::Patched) if name.starts_with("__SCT__") => {
            let by_shape = listed(Site::StaticCall);
            // A call by its trampoline is counted before that.
            let mut forms = shaped(static_call(way, place), by_shape);
            forms.extend(shaped(counted(look, way, place, to), called()));
            forms
        }
        _ => shaped(counted(look, way, place, to), called()),
    }
}

/// `nopw (%rax)`, and the forms with a mark that later kernels use.
fn sealed() -> Vec<Form> {
    let all = [
        [0x66, 0x0f, 0x1f, 0x00],
        [0x0f, 0x1f, 0x40, 0xd6],
        [0x90, 0x0f, 0x1f, 0x00],
    ];
    all.iter().map(|code| Form::new(Patch::Ibt, code)).collect()
}

/// A constant of run time, up to the end of its instruction.
fn constant(look: &Look<'_, '_>, place: Place, code: &[u8]) -> Vec<Form> {
    let end = place.src.offset(place.len as i64);
    let Some(at) = look.image.runtime_constant(place.src, end) else {
        return Vec::new();
    };
    let at = at.since(place.src).unwrap_or(0) as usize;
    let rule = Rule::Any(Patch::RuntimeConstant);
    vec![Form::new(Patch::RuntimeConstant, &code[..at]).hole(place.len - at, rule)]
}

/// The NOP and the jump of a static key.
fn jump_label(look: &Look<'_, '_>, place: Place, code: &[u8], flow: Option<Flow>) -> Vec<Form> {
    let jumps = matches!((code, flow), ([0xeb | JUMP, ..], Some(Flow::Jump(_))));
    let idle = all_nops(code);
    if !matches!(code.len(), 2 | 5) || !(jumps || idle) {
        return Vec::new();
    }
    let (to, by_shape) = match look.image.jump_label(place.src) {
        Some(Some(to)) => (Goes::To(to), false),
        Some(None) => return Vec::new(),
        // A jump is no sign of one.
        None if idle => (Goes::Near(place.src), true),
        None => return Vec::new(),
    };
    let end = place.run.offset(place.len as i64);
    let rule = Rule::Branch { end, to };
    let jump = match place.len {
        2 => Form::new(Patch::StaticKey, &[0xeb]).hole(1, rule),
        _ => Form::new(Patch::StaticKey, &[JUMP]).hole(4, rule),
    };
    let nop = Form::new(Patch::StaticKey, &[]).hole(place.len, Rule::Fill);
    vec![Form { by_shape, ..nop }, Form { by_shape, ..jump }]
}

/// The call of tracing: none, one of what traces, or a jump to a trampoline.
fn traced(place: Place) -> Vec<Form> {
    let nop = Form::new(Patch::Ftrace, &[]).filled(place.len);
    let call = Way::Call.form(Patch::Ftrace, place, Goes::Function);
    let jump = Way::Jump.form(Patch::Ftrace, place, Goes::Outside);
    [nop, call, jump].into_iter().flatten().collect()
}

/// What a jump to the return thunk is made: a return, or a jump to another one.
fn returns(way: Way, place: Place) -> Vec<Form> {
    let ret = Form::new(Patch::ReturnThunk, &[0xc3]).filled(place.len);
    let other = way.form(Patch::ReturnThunk, place, Goes::Return);
    ret.into_iter().chain(other).collect()
}

/// What the call or jump of the thunk at `to` is made: one through the register, perhaps behind LFENCE; or one of
/// another thunk.
fn through(look: &Look<'_, '_>, to: LinkAddr, way: Way, place: Place) -> Vec<Form> {
    const REGISTERS: [&str; 16] = [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
        "r13", "r14", "r15",
    ];
    let other = way.form(Patch::Retpoline, place, Goes::Thunk);
    // The first thunk is also called as all of them.
    let own = look.image.symbols().names_at(to);
    let mut names = own.chain([look.name(to)]);
    let register = names.find_map(|name| {
        let name = name.rsplit('_').next()?;
        (0u8..).zip(REGISTERS).find(|(_, r)| *r == name)
    });
    let Some((register, _)) = register else {
        return other.into_iter().collect();
    };
    let mut indirect = if register >= 8 {
        vec![0x41]
    } else {
        Vec::new()
    };
    indirect.push(0xff);
    indirect.push(0xc0 | (register & 7) | if way == Way::Call { 0x10 } else { 0x20 });
    let mut forms = Vec::new();
    for fence in [&[][..], &LFENCE] {
        let mut head = match way {
            Way::Branch(condition) => vec![0x70 | condition ^ 1, place.len as u8 - 2],
            _ => Vec::new(),
        };
        head.extend_from_slice(fence);
        // Prefixes in front where the return address is to stay what it is (6.16 on), NOPs or INT3 behind.
        let spare = place.len.saturating_sub(head.len() + indirect.len());
        let prefixed = [&head[..], &vec![0x2e; spare], &indirect].concat();
        let plain = [&head[..], &indirect].concat();
        forms.extend(Form::new(Patch::Retpoline, &plain).filled(place.len));
        forms.extend(Form::new(Patch::Retpoline, &prefixed).filled(place.len));
    }
    forms.extend(other);
    forms
}

/// What a static call is made: a call of the function, nothing, or zero in RAX.
fn static_call(way: Way, place: Place) -> Vec<Form> {
    let patch = Patch::StaticCall;
    let mut forms: Vec<Form> = way.form(patch, place, Goes::Function).into_iter().collect();
    match way {
        Way::Call => {
            forms.extend(Form::new(patch, &[]).filled(place.len));
            // `xor %eax,%eax` in five bytes; a trap that warns (7.1 on); `movb $0,(%rdi)`, which unlocks (7.3 on).
            let fixed = [
                [0x2e, 0x2e, 0x2e, 0x31, 0xc0],
                [0x66, 0x66, 0x48, 0x31, 0xc0],
                [0x67, 0x48, 0x0f, 0xb9, 0x3a],
                [0x3e, 0x3e, 0xc6, 0x07, 0x00],
            ];
            forms.extend(fixed.iter().map(|code| Form::new(patch, code)));
        }
        _ => {
            forms.extend(way.form(patch, place, Goes::Return));
            forms.extend(Form::new(patch, &[0xc3]).filled(place.len));
        }
    }
    forms
}

/// A call that is counted goes to the bytes before the function.
fn counted(look: &Look<'_, '_>, way: Way, place: Place, to: LinkAddr) -> Vec<Form> {
    // A module's functions are counted as the kernel's are.
    let known = look.counter().map(|(_, code)| code.len());
    let sizes = COUNTERS
        .into_iter()
        .filter(|n| known.is_none_or(|k| k == *n));
    let before = sizes.map(|n| (n, to.offset(-(n as i64))));
    let own = |(n, at): &(usize, LinkAddr)| {
        look.image.text_section(*at).is_none() || look.padded(*at, *n)
    };
    let forms = before.filter(own);
    let forms = forms.map(|(_, at)| way.form(Patch::CallDepth, place, Goes::To(at)));
    match way {
        Way::Call => forms.flatten().collect(),
        _ => Vec::new(),
    }
}

/// What stands for a call through the table of paravirtual operations (to 6.7): a direct call or jump, or the operation
/// itself.
pub(super) fn paravirt(look: &Look<'_, '_>, unit: &Unit) -> Vec<Form> {
    /// CLI, STI, PUSHF and POP, PUSH and POPF, moves of control registers, of the argument, WBINVD, MOVB, XOR, SWAPGS
    /// and SYSRET, IRET.
    const NATIVE: [&[u8]; 17] = [
        &[],
        &[0xfa],
        &[0xfb],
        &[0x9c, 0x58],
        &[0x57, 0x9d],
        &[0x48, 0x89, 0xf8],
        &[0x89, 0xf8],
        &[0x0f, 0x20, 0xd0],
        &[0x0f, 0x20, 0xd8],
        &[0x0f, 0x22, 0xd7],
        &[0x0f, 0x22, 0xdf],
        &[0x0f, 0x09],
        &[0xc6, 0x07, 0x00],
        &[0x31, 0xc0],
        &[0x0f, 0x01, 0xf8],
        &[0x0f, 0x01, 0xf8, 0x48, 0x0f, 0x07],
        &[0x48, 0xcf],
    ];
    let patch = Patch::Paravirt;
    let place = Place::of(unit.at, 5);
    let direct = [Way::Call, Way::Jump].map(|way| way.form(patch, place, Goes::Function));
    let native = NATIVE.iter().map(|code| Some(Form::new(patch, code)));
    let mut forms: Vec<Form> = direct.into_iter().chain(native).flatten().collect();
    // What prepares the call stays.
    let own = look.image.code(unit.at);
    let flow = |len: usize| insn::decode(own.get(len..)?, unit.at, 64).map(|i| (i.flow, i.len));
    if let Some((Flow::Next, len)) = flow(0) {
        let len = usize::from(len);
        let at = Place::of(unit.at.offset(len as i64), 5);
        let call = Way::Call.form(patch, at, Goes::Function);
        forms.extend(call.map(|call| prefixed(&own[..len], call)));
    }
    forms
        .into_iter()
        .filter_map(|f| f.filled(unit.len))
        .collect()
}

fn prefixed(head: &[u8], mut form: Form) -> Form {
    form.bytes.splice(0..0, head.iter().copied());
    form.holes.iter_mut().for_each(|h| h.at += head.len());
    form
}

/// A static-call trampoline: a jump to the function, or a return.
pub(super) fn trampoline(look: &Look<'_, '_>, unit: &Unit) -> Vec<Form> {
    let place = Place::of(unit.at, unit.len);
    let jump = Way::Jump.form(Patch::StaticCall, place, Goes::Function);
    let thunk = Way::Jump.form(Patch::StaticCall, place, Goes::Return);
    let ret = Form::new(Patch::StaticCall, &[0xc3]).filled(unit.len);
    let forms = [unit.linked(look), jump, thunk, ret];
    forms.into_iter().flatten().collect()
}

/// The padding before a function: NOPs, or what counts calls.
pub(super) fn padding(look: &Look<'_, '_>, unit: &Unit) -> Vec<Form> {
    let patch = Patch::CallDepth;
    let nops = Form::new(patch, &vec![0x90; unit.len]);
    let Some(counter) = counter(look, unit) else {
        // sarq $5, %gs:…(%rip); sarq $5, %gs:…
        let any = Rule::Any(patch);
        let near = Form::new(patch, &[0x65, 0x48, 0xc1, 0x3d]).hole(4, any);
        let near = prefixed(&vec![0x90; unit.len.saturating_sub(9)], near);
        let far = Form::new(patch, &[0x65, 0x48, 0xc1, 0x3c, 0x25]).hole(4, any);
        let ends = [near, far].map(|mut form| {
            form.bytes.push(5);
            form
        });
        let fit = ends.into_iter().filter(|f| f.bytes.len() == unit.len);
        let shaped = fit.map(|f| Form {
            by_shape: true,
            ..f
        });
        return std::iter::once(nops).chain(shaped).collect();
    };
    vec![nops, counter]
}

/// What counts calls, in the padding `unit`.
pub(super) fn counter(look: &Look<'_, '_>, unit: &Unit) -> Option<Form> {
    let (from, code) = look.counter()?;
    let place = Place {
        src: from,
        ..Place::of(unit.at, code.len())
    };
    let form = Form::of(look, code, place)?;
    Some(Form {
        patch: Some(Patch::CallDepth),
        ..form
    })
}

impl<'d> Look<'_, 'd> {
    /// What counts calls, and where the image has it as a template.
    pub(super) fn counter(&self) -> Option<(LinkAddr, &'d [u8])> {
        let found = self.image.between(Between::Counter)?;
        COUNTERS.contains(&found.1.len()).then_some(found)
    }

    /// Whether a static-call trampoline begins at `at`.
    pub(super) fn trampoline(&self, at: LinkAddr) -> bool {
        self.image.symbols().begins(at) && self.name(at).starts_with("__SCT__")
    }
}
