//! Logs: with what is true of the reports in them, and those reports as JSON.

use std::ffi::c_char;

use super::error::{Out, fixtrace_error};
use super::failure::Answer;
use super::pointer::{bytes, given, text};
use super::session::fixtrace_session;
use super::text::{fixtrace_text, give_lines, give_text};
use crate::base::limits::Limits;
use crate::products::report::json::reports::reports;

/// The log `text` of `length` bytes, with what is true of the reports in it: deleting what was added gives it back.
///
/// Errors: "wrong-image" where the log proves that the vmlinux is another one, unless the options force it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_annotate(
    session: *const fixtrace_session,
    text: *const c_char,
    length: usize,
    error: *mut *mut fixtrace_error,
) -> *mut fixtrace_text {
    // SAFETY: whoever calls keeps the contract of this interface.
    let (out, session, log) = unsafe {
        let (session, log) = (given(session, "session"), bytes(text, length, "text"));
        (Out::new(error), session, log)
    };
    out.answer(|| Ok(give_text(session?.0.annotate(log?)?)))
}

/// The reports in the log `text` of `length` bytes as JSON, a line of fixtrace.oops/1 for each. Without a session (NULL)
/// they are told without any image. `name` is what the log is called in them; it may be NULL.
///
/// Errors: as fixtrace_annotate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_reports(
    session: *const fixtrace_session,
    text: *const c_char,
    length: usize,
    name: *const c_char,
    error: *mut *mut fixtrace_error,
) -> *mut fixtrace_text {
    // SAFETY: whoever calls keeps the contract of this interface.
    let (out, session, log, name) = unsafe {
        let name = maybe_text(name, "name");
        let log = bytes(text, length, "text");
        (Out::new(error), session.as_ref(), log, name)
    };
    out.answer(|| {
        let session = session.map(|s| &s.0);
        let lines = reports(session, log?, &Limits::default(), name?)?;
        Ok(give_lines(lines))
    })
}

/// Text that may be missing.
///
/// # Safety
/// As for [`text`].
unsafe fn maybe_text<'a>(pointer: *const c_char, what: &str) -> Answer<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: whoever calls says so.
    unsafe { text(pointer, what) }.map(Some)
}
