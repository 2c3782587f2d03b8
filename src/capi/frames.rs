//! Frames: which function was running, and how that is known.

use std::ffi::{c_char, c_int, c_void};

use super::about::FIXTRACE_UNKNOWN;
use super::arena::{Arena, give, take_back};
use super::error::{Out, fixtrace_error, quietly};
use super::pointer::{given, text};
use super::session::fixtrace_session;
use super::text::{fixtrace_text, give_text};
use crate::base::addr::{Addr, Pc};
use crate::engine::stack::Frame;
use crate::products::report::json::frame::{self as json, InlineCall};
use crate::products::report::json::{Address, line, stack::StackFrame};

/// Frames.
#[repr(C)]
pub struct fixtrace_frames {
    /// How many.
    pub count: usize,
    /// Each of them.
    pub frames: *const *const fixtrace_frame,
}

/// A frame: a place where code was running, and which function it belongs to.
#[repr(C)]
pub struct fixtrace_frame {
    /// For fixtrace_frame_json.
    pub whole: *const c_void,
    /// The function, and where in it; all candidates; the nearest symbol; or the address: what is known best, to show.
    pub text: *const c_char,
    /// Runtime address.
    pub pc: u64,
    /// Link address in `image`.
    pub address: u64,
    /// Whether these are of the instruction behind a call, which is the one that was looked up.
    pub is_return: bool,
    /// "vmlinux", a module's name, or a path.
    pub image: *const c_char,
    /// The nearest symbol: what others print.
    pub symbol: *const c_char,
    /// Bytes from it to the PC.
    pub symbol_offset: u64,
    /// Its ELF size in bytes.
    pub symbol_size: u64,
    /// The function, where it is certain.
    pub function: *const c_char,
    /// The source-level function of a .part, .isra or .constprop clone.
    pub parent: *const c_char,
    /// How the function is known: "symbol", "cold", "fixup", "anonymous", "trampoline", "user", "none".
    pub basis: *const c_char,
    /// How sure it is: "exact", "ambiguous", "unknown".
    pub certainty: *const c_char,
    /// How the PC was obtained: "registers", "saved-registers", "orc+cfi", "orc", "cfi", "frame-pointer", "recovered",
    /// "text", "scanned".
    pub trust: *const c_char,
    /// How many functions it could be.
    pub candidate_count: usize,
    /// Their names, sorted by address.
    pub candidates: *const *const c_char,
    /// Where the handler sent execution, for a PC in a fixup.
    pub landing: u64,
    /// How many faulting instructions lead to the PC.
    pub origin_count: usize,
    /// Each of them.
    pub origins: *const *const fixtrace_origin,
    /// How many calls there are in source code, inlined ones included.
    pub inline_count: usize,
    /// Each of them, innermost first; the last is the physical function. Of the faulting instruction for a PC in a fixup.
    pub inlines: *const *const fixtrace_inline,
    /// How many remarks there are.
    pub remark_count: usize,
    /// What else was noticed, in words.
    pub remarks: *const *const c_char,
    /// The frame's address: the caller's stack pointer before the call. Of frames of a stack.
    pub cfa: u64,
    /// The kind of stack it is on, as the kernel names it: "TASK", "IRQ", ... Of frames of a stack.
    pub stack: *const c_char,
    /// How the call before its PC leads to the frame inside: "direct", "tail", "indirect", "broken". Of frames of a stack.
    pub call: *const c_char,
}

/// A faulting instruction that leads to a PC in a fixup.
#[repr(C)]
pub struct fixtrace_origin {
    /// The function that owns it.
    pub function: *const c_char,
    /// Bytes from the function to it.
    pub offset: u64,
    /// Where it is: a runtime address if that is known, else a link address, as the landing.
    pub address: u64,
    /// Its handler, or the type of its entry in __ex_table.
    pub handler: *const c_char,
    /// What the handler does to registers.
    pub effect: *const c_char,
    /// How many witnesses there are.
    pub evidence_count: usize,
    /// "extable", "control-flow", "call-site", "values".
    pub evidence: *const *const c_char,
}

/// A call in source code.
#[repr(C)]
pub struct fixtrace_inline {
    /// The function.
    pub function: *const c_char,
    /// Source file.
    pub file: *const c_char,
    /// Line, from 1; 0 where it is not known.
    pub line: u32,
    /// Column, from 1; 0 where it is not known.
    pub column: u32,
}

/// The function at a runtime address: one frame, also where no image has it. If `is_return` is not 0, the address is a
/// return address, and the call before it is looked up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_attribute(
    session: *const fixtrace_session,
    address: u64,
    is_return: c_int,
    error: *mut *mut fixtrace_error,
) -> *mut fixtrace_frames {
    // SAFETY: whoever calls keeps the contract of this interface.
    unsafe { fixtrace_attribute_called(session, address, is_return, FIXTRACE_UNKNOWN, error) }
}

/// The same with the return address of the next frame outwards, which may tell apart functions that share a fixup.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_attribute_called(
    session: *const fixtrace_session,
    address: u64,
    is_return: c_int,
    caller: u64,
    error: *mut *mut fixtrace_error,
) -> *mut fixtrace_frames {
    // SAFETY: whoever calls keeps the contract of this interface.
    let (out, session) = unsafe { (Out::new(error), given(session, "session")) };
    out.answer(|| {
        let caller = (caller != FIXTRACE_UNKNOWN).then_some(Addr(caller));
        let frame = session?.0.attribute_called(pc(address, is_return), caller);
        Ok(give_frames(vec![frame]))
    })
}

/// The places that `place` may mean: an address, "symbol+offset/size", "module:symbol".
///
/// Errors: "unknown-symbol" where it is no place in the images, with the reason.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_find(
    session: *const fixtrace_session,
    place: *const c_char,
    error: *mut *mut fixtrace_error,
) -> *mut fixtrace_frames {
    // SAFETY: whoever calls keeps the contract of this interface.
    let (out, session, place) = unsafe {
        let (session, place) = (given(session, "session"), text(place, "place"));
        (Out::new(error), session, place)
    };
    out.answer(|| Ok(give_frames(session?.0.find(place?)?)))
}

/// Frees frames that were given by themselves; those of a stack are freed with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_frames_free(frames: *mut fixtrace_frames) {
    // SAFETY: whoever calls keeps the contract of this interface.
    quietly(|| unsafe { take_back(frames) });
}

/// A frame as JSON on one line, without its end: fixtrace.frame/1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_frame_json(
    frame: *const fixtrace_frame,
    error: *mut *mut fixtrace_error,
) -> *mut fixtrace_text {
    // SAFETY: whoever calls keeps the contract of this interface; `whole` leads to a frame of the same arena.
    let (out, frame) = unsafe {
        let frame = given(frame, "frame");
        let whole = frame.and_then(|f| given(f.whole.cast::<Frame<'static>>(), "frame->whole"));
        (Out::new(error), whole)
    };
    out.answer(|| Ok(give_text(line(&json::Frame::new(frame?, None)))))
}

fn pc(address: u64, is_return: c_int) -> Pc<Addr> {
    match is_return {
        0 => Pc::Exact(Addr(address)),
        _ => Pc::Return(Addr(address)),
    }
}

fn give_frames(frames: Vec<Frame<'static>>) -> *mut fixtrace_frames {
    let mut arena = Arena::default();
    let kept = arena.keep(frames);
    // SAFETY: it was kept just now, and does not change.
    let frames: &[Frame<'static>] = unsafe { &*kept };
    let frames: Vec<_> = frames.iter().map(|f| show(f, &mut arena)).collect();
    let shown = fixtrace_frames {
        count: frames.len(),
        frames: arena.list(frames),
    };
    give(shown, arena)
}

/// `frame`, which `arena` keeps, for C.
pub(super) fn show(frame: &Frame<'static>, arena: &mut Arena) -> *const fixtrace_frame {
    let twin = StackFrame::new(frame);
    let f = &twin.frame;
    let names = |all: &mut Arena, names: &mut dyn Iterator<Item = &str>| {
        let names: Vec<_> = names.map(|name| all.text(name)).collect();
        (names.len(), all.list(names))
    };
    let (candidate_count, candidates) = names(arena, &mut f.candidates.iter().map(|c| &**c));
    let (remark_count, remarks) = names(arena, &mut f.notes.iter().map(|n| &**n));
    let origins = f.fixup.iter().flat_map(|f| &f.origins);
    let origins: Vec<_> = origins.map(|o| origin(o, arena)).collect();
    let inlines: Vec<_> = f.inlines.iter().map(|i| inline(i, arena)).collect();
    let symbol = f.symbol.as_ref();
    let shown = fixtrace_frame {
        whole: std::ptr::from_ref(frame).cast(),
        text: arena.text(&frame.to_string()),
        pc: known(f.pc),
        address: known(f.address),
        is_return: is_return(frame),
        image: arena.maybe(f.image),
        symbol: arena.maybe(symbol.map(|s| s.name)),
        symbol_offset: symbol.map_or(FIXTRACE_UNKNOWN, |s| s.offset),
        symbol_size: symbol.and_then(|s| s.size).unwrap_or(FIXTRACE_UNKNOWN),
        function: arena.maybe(f.function.as_deref()),
        parent: arena.maybe(f.parent.as_deref()),
        basis: arena.text(f.basis),
        certainty: arena.text(f.certainty),
        trust: arena.text(f.trust),
        candidate_count,
        candidates,
        landing: known(f.fixup.as_ref().map(|f| f.landing)),
        origin_count: origins.len(),
        origins: arena.list(origins),
        inline_count: inlines.len(),
        inlines: arena.list(inlines),
        remark_count,
        remarks,
        cfa: known(twin.cfa),
        stack: arena.maybe(twin.stack),
        call: arena.maybe(twin.call),
    };
    arena.keep(shown)
}

/// Whether `frame` is at the instruction behind a call.
fn is_return(frame: &Frame<'_>) -> bool {
    let place = frame.place.as_ref().map(|p| p.pc);
    matches!(frame.pc, Some(Pc::Return(_))) || matches!(place, Some(Pc::Return(_)))
}

fn known(address: Option<Address>) -> u64 {
    address.map_or(FIXTRACE_UNKNOWN, |a| a.0)
}

fn origin(o: &json::Origin<'_>, arena: &mut Arena) -> *const fixtrace_origin {
    let evidence: Vec<_> = o.evidence.iter().map(|e| arena.text(e)).collect();
    let shown = fixtrace_origin {
        function: arena.text(&o.function),
        offset: o.offset,
        address: o.address.0,
        handler: arena.text(o.handler),
        effect: arena.maybe(o.effect),
        evidence_count: evidence.len(),
        evidence: arena.list(evidence),
    };
    arena.keep(shown)
}

fn inline(i: &InlineCall<'_>, arena: &mut Arena) -> *const fixtrace_inline {
    let shown = fixtrace_inline {
        function: arena.maybe(i.function),
        file: arena.maybe(i.file),
        line: i.line.unwrap_or(0),
        column: i.column.unwrap_or(0),
    };
    arena.keep(shown)
}
