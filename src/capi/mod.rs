//! The C interface of fixtrace: names the function behind any PC of an x86_64 Linux kernel, and says how it is known.
//!
//! What comes back. A function that may fail gives NULL then, and puts an error where its last argument points; where
//! that is NULL, the error is dropped. It stores NULL there when it did not fail: an error that is still there must be
//! freed before. Nothing else is given with an error.
//!
//! Whose it is. Everything that is given has one owner, who frees it with the function named for its type; what stands
//! in it is freed with it. Freeing NULL does nothing. What was freed, and what was given by nothing of this interface,
//! must not be passed. A session may be freed while results of it are in use, and options once they were passed on.
//!
//! Threads. A session may be used by several threads at once. Results do not change: several threads may read one, and
//! none may while it is freed. Options and an error belong to one thread at a time.
//!
//! Arguments. NULL where something is needed, and text that is not UTF-8, give an error of kind "argument", as does a
//! register that there is none of. Paths are bytes that end with NUL, in any encoding. A pointer that is not NULL must
//! point to what its type says, text must end with NUL or have the length that is passed beside it, and none of it may
//! change during the call. An `int` that is asked a question is yes unless it is 0.
//!
//! Results. Strings end with NUL, are UTF-8, and are those that the JSON has; a NUL in a name is shown as U+FFFD. They
//! are not escaped: whoever shows names of files or symbols on a terminal may want to. NULL is a string that is not
//! known, FIXTRACE_UNKNOWN an address or number that is not. Addresses and offsets are in bytes. A list is a count and
//! an array of so many pointers, which is NULL where the count is 0.
//!
//! Growth. Fields are only added at the end of structs, and only this library makes them, `fixtrace_regs` left out:
//! they must be reached by the pointers given, and not be copied. Words such as "fixup" may be joined by others.
//!
//! Faults. A panic in the library is an error of kind "panic", and what the session holds stays usable; its message is
//! written on standard error, too, as Rust does. Files are mapped: one that is cut while a session has it raises SIGBUS
//! in the thread that reads behind its new end. One that is replaced as a whole, by renaming, does not. Nothing
//! is read from the environment, and no signal handler is set.
#![allow(
    unsafe_code,
    reason = "C passes pointers; each function turns its own into references once, in its first lines"
)]
#![allow(
    non_camel_case_types,
    reason = "types are called as in C, so that the header has one name for each"
)]
#![allow(
    clippy::missing_safety_doc,
    reason = "what a caller owes is the same for all functions, and stands above, as in the header"
)]

pub mod about;
mod arena;
pub mod error;
mod failure;
pub mod frames;
pub mod log;
pub mod options;
pub mod pointer;
pub mod regs;
pub mod session;
pub mod stack;
pub mod text;
