//! Where members of the log's structures are: by VMCOREINFO, else by the types of the image.

use std::cell::OnceCell;

use super::values::missing;
use crate::base::addr::{Addr, Slide};
use crate::base::error::Result;
use crate::formats::types::Types;
use crate::world::image::Image;
use crate::world::memory::VmcoreInfo;

/// The sources; the image's are read when they are first needed.
pub(super) struct Members<'a, 'd> {
    info: Option<&'a VmcoreInfo>,
    vmlinux: Option<(&'a Image<'d>, Slide)>,
    types: OnceCell<Option<Types<'d>>>,
}

impl<'a, 'd> Members<'a, 'd> {
    pub(super) fn new(
        info: Option<&'a VmcoreInfo>,
        vmlinux: Option<(&'a Image<'d>, Slide)>,
    ) -> Self {
        Members {
            info,
            vmlinux,
            types: OnceCell::new(),
        }
    }

    /// The runtime address of a variable.
    pub(super) fn symbol(&self, name: &str) -> Option<Addr> {
        let told = self.info.and_then(|i| i.symbol(name));
        told.or_else(|| {
            let (image, slide) = self.vmlinux?;
            let [at] = image.data_addresses([name]);
            Some(slide.runtime(at?))
        })
    }

    /// The same of a variable that must be there.
    pub(super) fn need(&self, name: &str) -> Result<Addr> {
        self.symbol(name)
            .ok_or_else(|| missing(&format!("where {name} is")))
    }

    fn types(&self) -> Option<&Types<'d>> {
        let read = || Types::of(self.vmlinux?.0);
        self.types.get_or_init(read).as_ref()
    }

    /// Bytes from the beginning of `structure` to `member`, if it has one.
    pub(super) fn member(&self, structure: &str, member: &str) -> Option<u64> {
        let told = self
            .info
            .and_then(|i| i.offset(&format!("{structure}.{member}")));
        told.or_else(|| self.types()?.offset(structure, member))
    }

    /// The same of a member that it must have.
    pub(super) fn offset(&self, structure: &str, member: &str) -> Result<u64> {
        self.member(structure, member)
            .ok_or_else(|| missing(&format!("where {structure}.{member} is")))
    }

    /// Bytes of `structure`.
    pub(super) fn size(&self, structure: &str) -> Result<u64> {
        let told = self.info.and_then(|i| i.size(structure));
        told.or_else(|| self.types()?.size(structure))
            .ok_or_else(|| missing(&format!("the size of {structure}")))
    }
}
