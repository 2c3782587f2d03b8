//! One ELF image: a vmlinux, a module, the vDSO, or any x86 program of the same shape.
//!
//! An image ([`ElfImage`]) borrows everything from a [`Storage`]. All addresses are
//! [`LinkAddr`](crate::base::addr::LinkAddr); nothing here knows where the image ran. Beside it stand what it is made
//! of (sections, symbols, relocations, alternatives), how files are mapped, unpacked and found, and what an image out
//! of an index has instead of its file.

pub mod altinstr;
mod bzimage;
mod called;
pub(crate) mod columns;
pub mod config;
mod data;
mod debug;
mod elf;
mod elf_image;
mod identity;
mod indexed;
pub mod kallsyms;
pub mod keys;
mod kind;
pub mod layout;
pub mod locate;
pub(crate) mod made;
pub mod names;
pub mod note;
mod once;
pub mod packing;
pub mod peek;
pub(crate) mod pointers;
mod reloc;
mod section;
pub mod sites;
mod storage;
pub(crate) mod stored;
pub mod symtab;
pub(crate) mod tables;

pub use called::Called;
pub(crate) use debug::DebugSection;
pub use elf_image::ElfImage;
pub use kind::ImageKind;
pub use packing::Packing;
pub use section::Section;
pub use storage::Storage;
