//! Signals that end the program: a file that shrinks while it is mapped is named, and nothing half-written stays.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU8;

use fixtrace::low::base::{mapped, unfinished};

use super::exit::Exit;

/// Those that people and systems end programs with.
const ENDING: [c_int; 5] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGXCPU,
];

/// What SIGBUS did before: the handler of the standard library, which knows of stacks that overflow.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Has signals handled.
pub fn handle() {
    #[expect(
        unsafe_code,
        reason = "handlers are set by calls of C; what they call is safe in a signal's context: no lock, no memory, no panic"
    )]
    // SAFETY: all that is passed lives, and the handlers have the signature that SA_SIGINFO asks for.
    unsafe {
        // A file that may not grow any further is an error of the write, not the end.
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        for signal in ENDING {
            // What is ignored, as by nohup, stays so.
            if handler_of(signal).is_some_and(|old| old.sa_sigaction == libc::SIG_DFL) {
                set(signal, ending, libc::SA_RESETHAND);
            }
        }
        if let Some(old) = handler_of(libc::SIGBUS) {
            let _ = BEFORE.set(old);
            set(libc::SIGBUS, bus, libc::SA_ONSTACK | libc::SA_RESTART);
        }
    }
}

type Handler = extern "C" fn(c_int, *const libc::siginfo_t, *const c_void);

#[expect(unsafe_code, reason = "a call of C")]
/// How `signal` is handled now.
unsafe fn handler_of(signal: c_int) -> Option<libc::sigaction> {
    let mut old = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: `old` is written to; a sigaction of zeroes is one.
    unsafe {
        let done = libc::sigaction(signal, ptr::null(), old.as_mut_ptr());
        (done == 0).then(|| old.assume_init())
    }
}

#[expect(unsafe_code, reason = "a call of C")]
unsafe fn set(signal: c_int, handler: Handler, flags: c_int) {
    // SAFETY: a sigaction of zeroes is one, with an empty mask.
    unsafe {
        let mut new = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        new.sa_sigaction = handler as usize;
        new.sa_flags = libc::SA_SIGINFO | flags;
        libc::sigaction(signal, &raw const new, ptr::null_mut());
    }
}

/// Takes files away that are not finished, and ends as the signal does by itself, which was restored.
extern "C" fn ending(signal: c_int, _: *const libc::siginfo_t, _: *const c_void) {
    remove();
    #[expect(unsafe_code, reason = "a call of C that handlers may make")]
    // SAFETY: it takes a number; the signal comes when this returns.
    unsafe {
        libc::raise(signal);
    }
}

/// Names the file whose mapping was touched where there is nothing any more, and ends the program. Any other SIGBUS is as if
/// this were not there.
extern "C" fn bus(signal: c_int, info: *const libc::siginfo_t, _: *const c_void) {
    #[expect(
        unsafe_code,
        reason = "what came with the signal is behind pointers; calls of C that handlers may make"
    )]
    // SAFETY: SA_SIGINFO gives an info that lives as long as the handler runs; of faults it has the address.
    unsafe {
        let fault = (*info).si_code > 0;
        let name = fault.then(|| mapped::file_at((*info).si_addr().addr()));
        if let Some(name) = name.flatten() {
            remove();
            say(b"fixtrace: error: ");
            libc::write(libc::STDERR_FILENO, name.as_ptr().cast(), name.len());
            say(b": shrank while it was read, or its disk failed\n");
            libc::_exit(Exit::Usage as c_int);
        }
        if let Some(before) = BEFORE.get() {
            libc::sigaction(signal, ptr::from_ref(before), ptr::null_mut());
        }
        if !fault {
            // It does not come again by itself.
            libc::raise(signal);
        }
    }
}

/// Takes files away that are not finished.
fn remove() {
    for name in unfinished::names().filter(|n| !n.is_empty()) {
        #[expect(unsafe_code, reason = "a call of C that handlers may make")]
        // SAFETY: the text ends with a NUL, and atomic bytes lie in memory as others.
        unsafe {
            libc::unlink(ptr::from_ref::<[AtomicU8]>(name).cast());
        }
    }
}

fn say(text: &[u8]) {
    #[expect(unsafe_code, reason = "a call of C that handlers may make")]
    // SAFETY: the bytes are there.
    unsafe {
        libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len());
    }
}
