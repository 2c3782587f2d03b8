//! What an index keeps so that it can stand for the kernel's image before a dump: names of data, and answers about types.

use crate::base::strings::StringPool;
use crate::formats::image::ImageKind;
use crate::formats::image::stored::Data;
use crate::formats::types::{Types, answers};
use crate::world::dump::asked;
use crate::world::image::Image;

/// Packs where data of the kernel `image` is, and what its types answer; `None` for what is no kernel.
pub(super) fn pack(image: &Image<'_>, strings: &mut StringPool) -> Option<(Vec<u8>, Vec<u8>)> {
    if image.kind() != ImageKind::Vmlinux {
        return None;
    }
    let banner = str::from_utf8(image.kernel_banner()?).ok()?;
    let types = Types::of(image)?;
    let names = asked::symbols();
    let mut places = vec![None; names.len()];
    image.find_data(&names, &mut places);
    let found = names.iter().zip(&places);
    let found = found.filter_map(|(name, at)| Some((*name, (*at)?)));
    let data = Data::pack(banner, found, strings);
    Some((data, answers::pack(&types, asked::questions(), strings)))
}
