//! A livepatch module's file.

use std::path::Path;

use crate::base::error::Result;
use crate::formats::image::{ElfImage, Storage};
use crate::formats::livepatch::{Module, Shapes, read};
use crate::formats::types::Types;
use crate::world::kernel::Kernel;

/// What the livepatch in the file `path` replaces in `kernel`, whose types tell how large its structures are.
///
/// # Errors
/// When it cannot be read at all.
pub fn module(path: &Path, kernel: &Kernel<'_>) -> Result<Module> {
    let storage = Storage::new();
    let image = ElfImage::open(path, &storage)?;
    let types = kernel.vmlinux().and_then(|v| Types::of(&v.image));
    Ok(read(&image, types.and_then(|t| Shapes::of(&t))))
}
