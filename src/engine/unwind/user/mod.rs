//! Stacks of a process in user mode, by the call-frame information of the files mapped into it, all registers and
//! expressions included: signal frames, realigned stacks and the dynamic linker's trampolines need them.

mod frame;
mod step;
mod walk;

pub use frame::UserFrame;
pub use walk::{BUDGET, Frames, Walker, walk};
