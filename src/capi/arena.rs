//! What a result points to: it is kept where it is, and freed with it.

use std::any::Any;
use std::ffi::{CString, c_char};

/// Values that pointers lead to. They do not move.
#[derive(Default)]
pub(super) struct Arena(Vec<*mut dyn Any>);

impl Arena {
    /// Keeps `value` as long as this.
    pub fn keep<T: 'static>(&mut self, value: T) -> *const T {
        let kept = Box::into_raw(Box::new(value));
        self.0.push(kept);
        kept
    }

    /// Keeps `text` for C, which ends it at the first NUL: one in it is replaced.
    pub fn text(&mut self, text: &str) -> *const c_char {
        let text = match text.contains('\0') {
            true => text.replace('\0', "\u{fffd}"),
            false => text.to_owned(),
        };
        self.bytes(text.into_bytes())
    }

    /// The same of bytes without NUL.
    pub fn bytes(&mut self, bytes: Vec<u8>) -> *const c_char {
        let kept = self.keep(CString::new(bytes).unwrap_or_default());
        // SAFETY: it was kept just now, and is not written to until it is freed.
        unsafe { (*kept).as_ptr() }
    }

    /// The same of text that may not be known: NULL then.
    pub fn maybe(&mut self, text: Option<&str>) -> *const c_char {
        text.map_or(std::ptr::null(), |text| self.text(text))
    }

    /// Keeps `all`; NULL where there are none.
    pub fn list<T: 'static>(&mut self, all: Vec<T>) -> *const T {
        if all.is_empty() {
            return std::ptr::null();
        }
        let kept = self.keep(all);
        // SAFETY: as above; the elements do not move either, for nothing is added.
        unsafe { (*kept).as_ptr() }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // What was kept later may point to what was kept before.
        for kept in self.0.drain(..).rev() {
            // SAFETY: it is from a box, and freed once, here.
            drop(unsafe { Box::from_raw(kept) });
        }
    }
}

/// A result with what it points to, at one address.
#[repr(C)]
struct Given<T> {
    shown: T,
    arena: Arena,
}

/// Gives away `shown`, which points into `arena`.
pub(super) fn give<T>(shown: T, arena: Arena) -> *mut T {
    Box::into_raw(Box::new(Given { shown, arena })).cast()
}

/// Frees what [`give`] gave.
///
/// # Safety
/// `shown` is from `give`, and was not freed; or it is NULL.
pub(super) unsafe fn take_back<T>(shown: *mut T) {
    if !shown.is_null() {
        // SAFETY: it stands first in what `give` boxed.
        drop(unsafe { Box::from_raw(shown.cast::<Given<T>>()) });
    }
}
