//! Errors, and the one place where panics end.

use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use super::failure::{Answer, Failure};
use super::pointer::given;

/// Why something could not be done.
pub struct fixtrace_error {
    kind: CString,
    message: CString,
}

/// What is wrong, on one line, or with the files that were tried on lines below it; with file and offset where they are
/// known. It is there as long as the error, and empty for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_error_message(error: *const fixtrace_error) -> *const c_char {
    // SAFETY: whoever calls keeps the contract of this interface.
    let error = unsafe { given(error, "the error") };
    error.map_or(c"".as_ptr(), |error| error.message.as_ptr())
}

/// The class of an error, to branch on: "argument", "panic", "io", "not-found", "no-image", "no-release", "no-output",
/// "contradiction", "not-an-elf", "wrong-arch", "truncated", "malformed", "unsupported", "beyond-limit",
/// "missing-section", "unknown-symbol", "wrong-image"; more may come. It is there as long as the error, and empty for
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_error_kind(error: *const fixtrace_error) -> *const c_char {
    // SAFETY: whoever calls keeps the contract of this interface.
    let error = unsafe { given(error, "the error") };
    error.map_or(c"".as_ptr(), |error| error.kind.as_ptr())
}

/// Frees an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_error_free(error: *mut fixtrace_error) {
    if !error.is_null() {
        // SAFETY: it is from a box of this file, and its owner frees it once.
        drop(unsafe { Box::from_raw(error) });
    }
}

/// `failure` for C.
fn boxed(failure: &Failure) -> *mut fixtrace_error {
    let c = |text: &str| CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default();
    Box::into_raw(Box::new(fixtrace_error {
        kind: c(failure.kind),
        message: c(&failure.message),
    }))
}

/// Where the caller wants errors, if anywhere.
pub(super) struct Out(*mut *mut fixtrace_error);

impl Out {
    /// Stores NULL there, until something fails.
    ///
    /// # Safety
    /// `error` is NULL, or may be written to until the call of C returns.
    pub unsafe fn new(error: *mut *mut fixtrace_error) -> Self {
        if !error.is_null() {
            // SAFETY: whoever calls says so.
            unsafe { error.write(ptr::null_mut()) };
        }
        Out(error)
    }

    /// For functions that take no error.
    pub fn nowhere() -> Self {
        Out(ptr::null_mut())
    }

    /// Makes what is given to C; NULL where that fails or panics. No panic gets past this.
    pub fn answer<T>(self, make: impl FnOnce() -> Answer<*mut T>) -> *mut T {
        // What is shared is behind locks, which a panic does not leave half done.
        let made = catch_unwind(AssertUnwindSafe(make));
        let failure = match made {
            Ok(Ok(given)) => return given,
            Ok(Err(failure)) => failure,
            Err(payload) => Failure::panic(&*payload),
        };
        if !self.0.is_null() {
            // SAFETY: as in `new`.
            unsafe { self.0.write(boxed(&failure)) };
        }
        ptr::null_mut()
    }
}

/// Does what gives nothing back, and cannot fail: a panic ends here.
pub(super) fn quietly(act: impl FnOnce()) {
    Out::nowhere().answer(|| {
        act();
        Ok(ptr::null_mut::<()>())
    });
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn a_panic_is_an_error_and_goes_no_further() {
        let mut error = ptr::null_mut();
        // SAFETY: it may be written to.
        let out = unsafe { Out::new(&mut error) };
        let made: *mut u8 = out.answer(|| panic!("at the disco"));
        assert!(made.is_null() && !error.is_null());
        // SAFETY: it is an error, freed once.
        unsafe {
            let text = |t| CStr::from_ptr(t).to_str().unwrap();
            assert_eq!(text(fixtrace_error_kind(error)), "panic");
            let message = text(fixtrace_error_message(error));
            assert_eq!(message, "a fault of the library: at the disco");
            fixtrace_error_free(error);
        }
        quietly(|| panic!("nobody hears it"));
    }
}
