//! Which kind of module it is, and its name.

use super::data::Data;
use super::module::{Kind, Module};
use super::shapes::Shapes;
use super::{by_hand, klp_build, kpatch};
use crate::base::bytes::cstr_at;
use crate::base::error::Finding;
use crate::formats::image::{ElfImage, ImageKind};

/// Where `struct module` has its name, and how long that is with its end (`MODULE_NAME_LEN`): include/linux/module.h
/// (Linux 4.12-7.2), behind `state` and `list`.
const NAME: usize = 24;
const MAX_NAME: usize = 56;

/// Reads which functions `image`, a module's file, replaces, and with what. `shapes` are those of the kernel that it is
/// for; a livepatch written by hand cannot be read without.
pub fn read(image: &ElfImage<'_>, shapes: Option<Shapes>) -> Module {
    let mut module = Module {
        name: name(image),
        marked: image.modinfo("livepatch") == Some("Y"),
        ..Module::default()
    };
    let refused = match () {
        () if image.kind() != ImageKind::Module || image.bits() != 64 => {
            Some("no module of x86_64: no livepatch is read of it")
        }
        () if !image.has_file() => Some("an index does not keep what a livepatch replaces"),
        () => None,
    };
    if let Some(what) = refused {
        module.odd(Finding::about("livepatch", what));
        return module;
    }
    let data = Data::of(image);
    if let Some(objects) = data.find(&klp_build::OBJECTS) {
        module.kind = Some(Kind::KlpBuild);
        klp_build::read(&data, objects, &mut module);
    } else if let Some(functions) = data.find(&kpatch::FUNCTIONS) {
        module.kind = Some(Kind::KpatchBuild);
        kpatch::read(&data, functions, &mut module);
    } else if let Some(shapes) = shapes.filter(Shapes::are_possible) {
        let found = by_hand::read(&data, shapes, image.sections().len(), &mut module);
        module.kind = found.then_some(Kind::ByHand);
    } else {
        let what = "no klp-build or kpatch-build made it, and no types tell what a livepatch written by hand looks like";
        module.odd(Finding::about("livepatch", what));
        return module;
    }
    if module.kind.is_none() {
        let what = "nothing in it says what it replaces";
        module.odd(Finding::about("livepatch", what));
    }
    module
}

/// The module's name: as it says itself, as the kernel will find it, or as its file is called.
fn name(image: &ElfImage<'_>) -> String {
    let own = || {
        let structure = image.section(".gnu.linkonce.this_module")?.data;
        let name = cstr_at(structure, NAME)?;
        let good = (1..MAX_NAME).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic);
        str::from_utf8(name).ok().filter(|_| good)
    };
    let named = image.modinfo("name").or_else(own);
    named.unwrap_or(image.name()).to_owned()
}
