//! Layouts of the kernel's C types ([`Types`]), from the image's own description of them, BTF ([`btf`]) or DWARF,
//! or from the answers that its index keeps ([`kept`]).

pub mod btf;
mod description;
mod dwarf;
pub mod kept;
mod layout;

pub use layout::{Field, Types};
