//! What the notes of a dump say of its kernel, held against an image, without reading memory.

use super::asked::NOTED;
use super::placed::Proof;
use crate::base::addr::{Addr, LinkAddr, Slide};
use crate::formats::image::note::{from_hex, hex};
use crate::world::image::Image;
use crate::world::memory::{Unreadable, VmcoreInfo};

/// Symbols that must agree where there is no build-id: they lie in tables whose sizes differ from build to build.
const ENOUGH: usize = 4;

/// What VMCOREINFO says of an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Noted {
    /// It is the one that ran.
    Same(Proof),
    /// It is another: what differs.
    Other(String),
    /// That it cannot say.
    Unknown,
}

/// Holds `info` against `vmlinux`. Memory was asked first; `why` is what it said.
pub(super) fn against(
    info: Option<&VmcoreInfo>,
    vmlinux: &Image<'_>,
    why: Option<Unreadable>,
) -> Noted {
    let Some(info) = info else {
        return Noted::Unknown;
    };
    let told = info
        .build_id()
        .and_then(from_hex)
        .filter(|id| !id.is_empty());
    if let (Some(told), Some(own)) = (told, vmlinux.build_id()) {
        return match told == own {
            true => Noted::Same(Proof::Noted(why)),
            false => Noted::Other(format!(
                "has build-id {}, the dump is of {}",
                hex(own),
                hex(&told)
            )),
        };
    }
    if let (Some(told), Some(own)) = (info.release(), vmlinux.release())
        && told != own
    {
        return Noted::Other(format!("is Linux {own}, the dump is of {told}"));
    }
    let Some(slide) = slide(info, vmlinux) else {
        return Noted::Unknown;
    };
    let own = vmlinux.data_addresses(NOTED);
    let both = NOTED
        .iter()
        .zip(own)
        .filter_map(|(name, own)| Some((*name, slide.runtime(own?), info.symbol(name)?)));
    let mut agreed = 0;
    for (name, own, told) in both {
        if own != told {
            let what = format!("has {name} at {own} where the dump has it at {told}");
            return Noted::Other(what);
        }
        agreed += 1;
    }
    match agreed >= ENOUGH && info.release().is_some() {
        true => Noted::Same(Proof::NotedSymbols(why)),
        false => Noted::Unknown,
    }
}

/// KASLR offset by VMCOREINFO: as it says, or by where it has the kernel's text.
pub(super) fn slide(info: &VmcoreInfo, vmlinux: &Image<'_>) -> Option<Slide> {
    let by_text = || {
        let [text] = vmlinux.data_addresses(["_stext"]);
        between(text?, info.symbol("_stext")?)
    };
    info.slide().or_else(by_text)
}

fn between(linked: LinkAddr, ran: Addr) -> Option<Slide> {
    Some(Slide(ran.0.wrapping_sub(linked.0))).filter(|s| s.runtime(linked) == ran)
}
