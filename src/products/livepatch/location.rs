//! Where the kernel's tracer can divert calls of a function, which is what a livepatch needs.
//!
//! A function that was compiled for it begins with a call of `__fentry__`, or with ENDBR and then that, and
//! `__mcount_loc` lists the place. Up to 5.17 it has to be the first byte; since then it is searched for up to the next
//! symbol.
//!
//! Sources: kernel/livepatch/patch.c `klp_patch_func()`, `klp_get_ftrace_location()` (5.10-5.17); kernel/trace/ftrace.c
//! `ftrace_location()`, `ftrace_match_addr()` (5.10-7.2), `ftrace_free_init_mem()`: initialisation's places are gone
//! after boot.

use super::target::Target;
use crate::base::addr::{Address, LinkAddr};
use crate::formats::image::sites::Site;
use crate::formats::image::{ElfImage, ImageKind};

/// Bytes of the call of `__fentry__` behind its first: `MCOUNT_INSN_SIZE` is 5.
const REST: i64 = 4;

/// Where calls of a function can be diverted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Location {
    /// There.
    At(LinkAddr),
    /// Nowhere: the kernel refuses a livepatch of it.
    Nowhere,
    /// The image does not tell.
    Unknown,
}

/// Where calls of `target`, a function of `image`, can be diverted.
pub fn location(image: &ElfImage<'_>, target: &Target) -> Location {
    if is_freed(image, target.link) {
        return Location::Nowhere;
    }
    if image.is_excerpt() {
        return Location::Unknown;
    }
    // An instruction that began before counts, too.
    let listed = image.listed_in(Site::Mcount, target.link.offset(-REST), target.end());
    let accepted = |at: &&LinkAddr| searches(image) || **at <= target.link;
    match listed.map(|all| all.first().filter(accepted)) {
        Some(Some(at)) => Location::At(*at),
        Some(None) => Location::Nowhere,
        // A module none of whose functions can be traced has no table.
        None if image.kind() == ImageKind::Module => Location::Nowhere,
        None => Location::Unknown,
    }
}

/// What the kernel of `image` logs when it refuses the function `name`.
pub fn refused(image: &ElfImage<'_>, name: &str) -> String {
    match searches(image) {
        true => format!("failed to find location for function '{name}'"),
        false => format!("failed to set ftrace filter for function '{name}' (-22)"),
    }
}

/// Whether code at `at` is gone when the kernel has booted: initialisation, and what would end a part that cannot be
/// unloaded (arch/x86/kernel/vmlinux.lds.S).
pub fn is_freed(image: &ElfImage<'_>, at: LinkAddr) -> bool {
    let section = image.text_section(at).map(|s| s.name);
    section.is_some_and(|name| {
        name.starts_with(".init")
            || (image.kind() == ImageKind::Vmlinux && name.starts_with(".exit"))
    })
}

/// Whether the kernel searches functions for the place (5.18 and later).
fn searches(image: &ElfImage<'_>) -> bool {
    let mut numbers = image
        .release()
        .into_iter()
        .flat_map(|r| r.split(['.', '-']));
    let mut number = || numbers.next()?.parse::<u32>().ok();
    match (number(), number()) {
        (Some(major), Some(minor)) => (major, minor) >= (5, 18),
        _ => true,
    }
}
