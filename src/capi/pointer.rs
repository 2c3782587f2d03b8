//! Pointers that C passes, made into what Rust has instead; NULL and text that is none are errors.

use std::ffi::{CStr, c_char};
use std::path::PathBuf;
use std::slice;

use super::failure::{Answer, Failure};

/// What `pointer` points to; `what` says what is NULL otherwise.
///
/// # Safety
/// `pointer` is NULL, or points to a `T` that nobody changes during the call.
pub(super) unsafe fn given<'a, T>(pointer: *const T, what: &str) -> Answer<&'a T> {
    // SAFETY: whoever calls says so.
    let given = unsafe { pointer.as_ref() };
    given.ok_or_else(|| Failure::argument(format!("{what} is NULL")))
}

/// The bytes up to the NUL that `pointer` leads to.
///
/// # Safety
/// `pointer` is NULL, or points to bytes that end with NUL and that nobody changes during the call.
unsafe fn c_str<'a>(pointer: *const c_char, what: &str) -> Answer<&'a CStr> {
    if pointer.is_null() {
        return Err(Failure::argument(format!("{what} is NULL")));
    }
    // SAFETY: whoever calls says so.
    Ok(unsafe { CStr::from_ptr(pointer) })
}

/// The text that `pointer` leads to.
///
/// # Safety
/// As for [`c_str`].
pub(super) unsafe fn text<'a>(pointer: *const c_char, what: &str) -> Answer<&'a str> {
    // SAFETY: whoever calls says so.
    let text = unsafe { c_str(pointer, what) }?;
    let wrong = |_| Failure::argument(format!("{what} is not UTF-8"));
    text.to_str().map_err(wrong)
}

/// The path that `pointer` leads to: bytes as the system has them.
///
/// # Safety
/// As for [`c_str`].
pub(super) unsafe fn path(pointer: *const c_char, what: &str) -> Answer<PathBuf> {
    #[cfg(unix)]
    {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        // SAFETY: whoever calls says so.
        let bytes = unsafe { c_str(pointer, what) }?;
        Ok(OsStr::from_bytes(bytes.to_bytes()).into())
    }
    #[cfg(not(unix))]
    {
        // SAFETY: whoever calls says so.
        unsafe { text(pointer, what) }.map(PathBuf::from)
    }
}

/// The `length` bytes that `pointer` leads to; without any it may be NULL.
///
/// # Safety
/// `pointer` is NULL, or points to so many bytes that nobody changes during the call.
pub(super) unsafe fn bytes<'a>(
    pointer: *const c_char,
    length: usize,
    what: &str,
) -> Answer<&'a [u8]> {
    if length == 0 {
        return Ok(&[]);
    }
    if length > isize::MAX as usize {
        return Err(Failure::argument(format!("{what}: no memory is so long")));
    }
    if pointer.is_null() {
        return Err(Failure::argument(format!("{what} is NULL")));
    }
    // SAFETY: whoever calls says so, and the length is one that memory can have.
    Ok(unsafe { slice::from_raw_parts(pointer.cast::<u8>(), length) })
}
