//! A livepatch as it is loaded, as plain data.
//!
//! Source: include/linux/livepatch.h (Linux 5.10-7.2).

use crate::base::addr::Addr;

/// A livepatch (`struct klp_patch`).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Patch {
    /// The name of its module.
    pub name: String,
    /// Whether it is enabled; also during its transition. `None` where that cannot be read, as below.
    pub enabled: Option<bool>,
    /// Whether a transition that it had a part in was forced.
    pub forced: Option<bool>,
    /// Whether it replaces all patches before it.
    pub replace: Option<bool>,
    /// The functions that it replaces, object by object.
    pub functions: Vec<Function>,
}

/// A function that a livepatch replaces (`struct klp_func`).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Function {
    /// The module that it is in; `None` for the vmlinux.
    pub object: Option<String>,
    /// Its name.
    pub name: String,
    /// Which of the symbols of that name it is, from 1 on; 0 where there is but one.
    pub sympos: u64,
    /// Where it is; `None` as long as its object is not loaded.
    pub old: Option<Addr>,
    /// Bytes up to the next symbol.
    pub old_size: u64,
    /// Where what replaces it is.
    pub new: Addr,
    /// Bytes of that, up to the next symbol.
    pub new_size: u64,
    /// Whether it is put back to what it was before other patches (`nop`): then `new` is `old`.
    pub nop: bool,
    /// Whether calls of it are redirected, at least for some tasks.
    pub patched: bool,
    /// Whether it is being applied or reverted.
    pub transition: bool,
    /// Whether the patched functions of its object are (`klp_object.patched`): the kernel looks for no others in stacks.
    pub object_patched: bool,
    /// What it lies on, if it is on the stack of functions that replace `old`.
    pub beneath: Option<Beneath>,
}

/// What a function that replaces another lies on: what tasks ran before, and what their stacks are searched for while
/// the patch is applied (`klp_check_stack_func()`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Beneath {
    /// Its first byte.
    pub addr: Addr,
    /// Bytes.
    pub size: u64,
    /// The patch that it is of; `None` for the original.
    pub patch: Option<String>,
}
