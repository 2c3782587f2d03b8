//! A livepatch module's file, read with the types of the kernel that it is for.

use std::path::Path;

use super::asked::Asked;
use crate::base::error::{Finding, Result};
use crate::base::limits::Limits;
use crate::formats::image::{ElfImage, Storage};
use crate::formats::livepatch::{Module, Shapes, read};
use crate::formats::types::Types;
use crate::world::kernel::Kernel;
use crate::world::session::{Session, with};

/// What the livepatch in the file `path` replaces in `kernel`, whose types tell how large its structures are.
///
/// # Errors
/// When the file cannot be read, or is no image.
pub fn module(path: &Path, kernel: &Kernel<'_>, limits: &Limits) -> Result<Module> {
    let storage = Storage::within(limits.clone());
    let image = ElfImage::open(path, &storage)?;
    let types = kernel.vmlinux().and_then(|v| Types::of(&v.image));
    Ok(read(&image, types.and_then(|t| Shapes::of(&t))))
}

/// The functions that a module patches.
pub fn asked(module: &Module) -> impl Iterator<Item = Asked> + '_ {
    module.functions.iter().map(|f| Asked {
        name: f.name.clone(),
        object: f.object.clone(),
        sympos: f.sympos,
    })
}

impl Session {
    /// The functions that the livepatch module `path` patches, and what could not be read of it.
    ///
    /// # Errors
    /// When the file cannot be read, or is no image.
    pub fn patched_by(&self, path: &Path) -> Result<(Vec<Asked>, Vec<Finding>)> {
        with(self, |view| {
            let module = module(path, &view.kernel(), &view.options().limits)?;
            let patched = asked(&module).collect();
            Ok((patched, module.findings))
        })
    }
}
