//! Layouts of the kernel's C types ([`Types`]), from the image's own description of them: BTF ([`btf`]) or DWARF.

pub mod btf;
mod description;
mod dwarf;
mod layout;

pub use layout::{Field, Types};
