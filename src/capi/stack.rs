//! Stacks: those out of memory of the caller's, and those in files.

use std::ffi::{c_char, c_int, c_void};

use super::about::FIXTRACE_UNKNOWN;
use super::arena::{Arena, give, take_back};
use super::error::{Out, fixtrace_error, quietly};
use super::failure::Failure;
use super::frames::{fixtrace_frame, show};
use super::pointer::{given, path};
use super::regs::fixtrace_regs;
use super::session::fixtrace_session;
use super::text::{fixtrace_text, give_lines, give_text};
use crate::base::addr::Addr;
use crate::base::error::Finding;
use crate::engine::ask::Walk;
use crate::engine::live::{Live, live};
use crate::engine::stack::Stack;
use crate::engine::verdicts::Verdicts;
use crate::products::report::json::{self, line};
use crate::products::stacks::{Choice, Owner, Stacks};
use crate::world::dump::{Context, Start};
use crate::world::memory::{Unreadable, from_fn};
use crate::world::session::{Noticed, with};

/// A stack.
#[repr(C)]
pub struct fixtrace_stack {
    /// For fixtrace_stack_json.
    pub whole: *const c_void,
    /// How many frames there are.
    pub frame_count: usize,
    /// Each of them, innermost first.
    pub frames: *const *const fixtrace_frame,
    /// Why there are no more: "end", "user-mode", "unreadable", ...
    pub stop: *const c_char,
    /// The same in words.
    pub stop_detail: *const c_char,
    /// The kernel's verdict on the trace, as livepatching asks for it: 1 reliable, 0 unreliable, -1 where that cannot be
    /// decided.
    pub reliable: c_int,
    /// What keeps it from being reliable, or what was assumed where it is; NULL where there is nothing to say.
    pub reliable_why: *const c_char,
    /// Whether the outermost frame was reached and every frame is attributed exactly: 1 or 0.
    pub complete: c_int,
    /// What keeps it from being complete; NULL where it is.
    pub complete_why: *const c_char,
    /// How many functions are live in the kernel.
    pub function_count: usize,
    /// Each of them, frame by frame.
    pub functions: *const *const fixtrace_live,
}

/// A function that is live on a stack: what a livepatch must not change under a task's feet.
#[repr(C)]
pub struct fixtrace_live {
    /// Its name.
    pub name: *const c_char,
    /// The image that it is of.
    pub image: *const c_char,
    /// Its first byte there, a link address; of an inlined one there is none.
    pub address: u64,
    /// The frame, by its number in the stack.
    pub frame: usize,
    /// "running", "called", "inlined", "fixup", "cold", "tracer".
    pub why: *const c_char,
    /// Of an inlined one the function that it is inlined into, of a cold part's parent the part, the tracer.
    pub by: *const c_char,
    /// Whether it is certain: else it is one of several that the frame may be of.
    pub certain: bool,
}

/// Reads memory: fills `buffer` with the `length` bytes from the runtime address `address` on, and returns 0; or returns
/// another number where not all of them can be read. It is called by the thread that asked, before that gets its answer.
/// It may ask the session, and must not throw or jump out.
pub type fixtrace_read = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        address: u64,
        buffer: *mut c_void,
        length: usize,
    ) -> c_int,
>;

/// The stack from `regs` on, out of memory that `read` reads; `context` is handed to it as it is. If `is_return` is not
/// 0, RIP is a return address, as that of a task that sleeps. At most `max_frames` frames, or 4096 where that is 0.
///
/// Errors: "argument" alone; a stack that cannot be read to its end says so in `stop`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_unwind(
    session: *const fixtrace_session,
    regs: *const fixtrace_regs,
    is_return: c_int,
    read: fixtrace_read,
    context: *mut c_void,
    max_frames: u32,
    error: *mut *mut fixtrace_error,
) -> *mut fixtrace_stack {
    // SAFETY: whoever calls keeps the contract of this interface.
    let (out, session, regs) = unsafe {
        let (session, regs) = (given(session, "session"), given(regs, "regs"));
        (Out::new(error), session, regs)
    };
    out.answer(|| {
        let (session, regs) = (session?, regs?.read()?);
        let read = read.ok_or_else(|| Failure::argument("read is NULL"))?;
        let memory = from_fn(|at: Addr, buffer: &mut [u8]| {
            // SAFETY: whoever calls says that it fills so many bytes, which are there.
            let failed = unsafe { read(context, at.0, buffer.as_mut_ptr().cast(), buffer.len()) };
            if failed == 0 {
                Ok(())
            } else {
                Err(Unreadable::NotMapped)
            }
        });
        let mut walk = Walk::default();
        if max_frames > 0 {
            walk.max_frames = max_frames;
        }
        let start = Start {
            regs,
            exact: is_return == 0,
        };
        let context = Context::default();
        let stack = session.0.unwind_from(start, &memory, context, walk);
        Ok(give_stack(stack))
    })
}

/// Frees a stack, with its frames.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_stack_free(stack: *mut fixtrace_stack) {
    // SAFETY: whoever calls keeps the contract of this interface.
    quietly(|| unsafe { take_back(stack) });
}

/// A stack as JSON on one line, without its end: fixtrace.trace/1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_stack_json(
    stack: *const fixtrace_stack,
    error: *mut *mut fixtrace_error,
) -> *mut fixtrace_text {
    // SAFETY: whoever calls keeps the contract of this interface; `whole` leads to a stack of the same arena.
    let (out, stack) = unsafe {
        let stack = given(stack, "stack");
        let whole = stack.and_then(|s| given(s.whole.cast::<Stack<'static>>(), "stack->whole"));
        (Out::new(error), whole)
    };
    out.answer(|| {
        let twin = json::stack::Stack::new(stack?, Owner::default());
        Ok(give_text(line(&twin)))
    })
}

/// The stacks in a file as JSON, a line of fixtrace.trace/1 for each: of the tasks of a kernel, if it is a dump or a
/// snapshot, the one that crashed first; of the threads of a process, if it is a core. If `user` is not 0, those of a
/// kernel go on in user mode. What is missing is said by fixtrace_noticed.
///
/// Errors: where the file cannot be read or is none of these, its images are not found, or are proved to be others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_stacks(
    session: *const fixtrace_session,
    file: *const c_char,
    user: c_int,
    error: *mut *mut fixtrace_error,
) -> *mut fixtrace_text {
    // SAFETY: whoever calls keeps the contract of this interface.
    let (out, session, file) = unsafe {
        let (session, file) = (given(session, "session"), path(file, "file"));
        (Out::new(error), session, file)
    };
    out.answer(|| {
        let (session, file) = (session?, file?);
        let choice = Choice {
            user: user != 0,
            ..Choice::default()
        };
        let told = session.0.stacks(&file, &choice, |stacks| {
            let lines: Vec<_> = json::stack::all(&stacks).map(|twin| line(&twin)).collect();
            (lines, missing(&stacks))
        });
        let (lines, missing) = told.map_err(|failed| failed.error)?;
        with(&session.0, |view| {
            for what in missing {
                let (file, finding) = (Some(file.clone()), Finding::about("stacks", what));
                view.notice(Noticed::Input { file, finding });
            }
        });
        Ok(give_lines(lines))
    })
}

/// What is missing of `stacks`.
fn missing(stacks: &Stacks<'_>) -> Vec<String> {
    let mut missing = Vec::new();
    if stacks.without > 0 {
        let without = stacks.without;
        missing.push(format!("{without} tasks have no registers or stack there"));
    }
    if stacks.damaged {
        missing.push("pages that were asked for are lost".to_owned());
    }
    if stacks.no_user {
        missing.push("there is no memory of user mode".to_owned());
    }
    missing.extend(
        stacks
            .missed
            .iter()
            .map(|name| format!("no image of {name}")),
    );
    missing.extend(stacks.odd.iter().map(ToString::to_string));
    missing
}

fn give_stack(stack: Stack<'static>) -> *mut fixtrace_stack {
    let mut arena = Arena::default();
    let whole = arena.keep(stack);
    // SAFETY: it was kept just now, and does not change.
    let stack: &Stack<'static> = unsafe { &*whole };
    let verdicts = Verdicts::of(stack);
    let frames: Vec<_> = stack.all_frames().map(|f| show(f, &mut arena)).collect();
    let functions = live(stack);
    let functions: Vec<_> = functions.iter().map(|l| function(l, &mut arena)).collect();
    let reliable_why = match &verdicts.reliable {
        Ok(_) => verdicts.assumed(),
        Err(doubt) => Some(doubt.to_string()),
    };
    let shown = fixtrace_stack {
        whole: whole.cast(),
        frame_count: frames.len(),
        frames: arena.list(frames),
        stop: arena.text(stack.last_stop().name()),
        stop_detail: arena.text(&stack.end()),
        reliable: verdicts.is_reliable().map_or(-1, c_int::from),
        reliable_why: arena.maybe(reliable_why.as_deref()),
        complete: verdicts.gap.is_none().into(),
        complete_why: arena.maybe(verdicts.gap.map(|gap| gap.to_string()).as_deref()),
        function_count: functions.len(),
        functions: arena.list(functions),
    };
    give(shown, arena)
}

fn function(live: &Live<'_>, arena: &mut Arena) -> *const fixtrace_live {
    let twin = json::stack::LiveFunction::from(live.clone());
    let shown = fixtrace_live {
        name: arena.text(&twin.name),
        image: arena.maybe(twin.image),
        address: twin.address.map_or(FIXTRACE_UNKNOWN, |a| a.0),
        frame: twin.frame,
        why: arena.text(twin.why),
        by: arena.maybe(twin.by.as_deref()),
        certain: twin.certain,
    };
    arena.keep(shown)
}
