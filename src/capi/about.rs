//! What all of the interface shares.

use std::ffi::c_char;

/// An address or a number that is not known.
pub const FIXTRACE_UNKNOWN: u64 = u64::MAX;

/// The version of the library, as "1.2.3". It need not be freed.
#[unsafe(no_mangle)]
pub extern "C" fn fixtrace_version() -> *const c_char {
    const VERSION: &[u8] = concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes();
    VERSION.as_ptr().cast()
}
