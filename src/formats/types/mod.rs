//! Layouts of the kernel's C types ([`Types`]), from the image's own description of them, BTF ([`btf`]) or DWARF,
//! or from the answers that its index keeps ([`kept`]).

pub(crate) mod answers;
pub mod btf;
mod description;
mod dwarf;
mod field;
pub mod kept;
mod layout;

pub use field::Field;
pub use layout::Types;
