//! Tests over whole small dumps.

mod elf;
mod paging;
