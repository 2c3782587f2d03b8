//! Text that is given: lines, JSON, logs.

use std::ffi::c_char;

use super::arena::{Arena, give, take_back};
use super::error::quietly;

/// Text.
#[repr(C)]
pub struct fixtrace_text {
    /// Its bytes. They end with a NUL, which is not counted; of an annotated log they are what the log has, UTF-8 or not,
    /// NULs included.
    pub bytes: *const c_char,
    /// How many.
    pub length: usize,
}

/// Frees text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fixtrace_text_free(text: *mut fixtrace_text) {
    // SAFETY: whoever calls keeps the contract of this interface.
    quietly(|| unsafe { take_back(text) });
}

/// `bytes` for C.
pub(super) fn give_text(bytes: impl Into<Vec<u8>>) -> *mut fixtrace_text {
    let mut bytes = bytes.into();
    let length = bytes.len();
    bytes.push(0);
    let mut arena = Arena::default();
    let bytes = arena.list(bytes).cast();
    give(fixtrace_text { bytes, length }, arena)
}

/// `lines` for C, each with its end.
pub(super) fn give_lines(lines: impl IntoIterator<Item = String>) -> *mut fixtrace_text {
    let mut text = String::new();
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    give_text(text)
}
