//! How large the kernel's structures are that a livepatch written by hand fills in.
//!
//! Source: include/linux/livepatch.h (Linux 4.12-7.2). What a module fills in comes first: `old_name`, `new_func` and
//! `old_sympos` of a `klp_func` at 0, 8 and 16 (since 4.6), `name` and `funcs` of a `klp_object` at 0 and 8 (since 4.7,
//! then `callbacks` since 4.15), `mod` and `objs` of a `klp_patch` at 0 and 8. What the kernel keeps in them for itself
//! follows, and depends on its version and configuration.

use crate::formats::types::Types;

/// Bytes of each, and what has no place of its own in all versions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shapes {
    /// Bytes of a `struct klp_func`.
    pub function: u64,
    /// Bytes of a `struct klp_object`.
    pub object: u64,
    /// Bytes of a `struct klp_patch`.
    pub patch: u64,
    /// Where `replace` is in that (since 5.1).
    pub replace: Option<u64>,
}

/// What a module fills in of each, at least, and the most that one may have; bytes.
const LEAST: u64 = 24;
const MOST: u64 = 1 << 12;

impl Shapes {
    /// Whether the structures may be as large as that.
    pub(super) fn are_possible(&self) -> bool {
        let sizes = [self.function, self.object, self.patch];
        sizes.iter().all(|size| (LEAST..=MOST).contains(size))
    }

    /// As the types of the kernel that the module is for tell, or its own; `None` where they do not.
    pub fn of(types: &Types<'_>) -> Option<Self> {
        Some(Shapes {
            function: types.size("klp_func")?,
            object: types.size("klp_object")?,
            patch: types.size("klp_patch")?,
            replace: types.offset("klp_patch", "replace"),
        })
    }
}
