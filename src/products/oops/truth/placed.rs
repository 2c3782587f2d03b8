//! Where the images have what a log names.

use std::collections::HashSet;

use crate::base::addr::{Addr, Address, LinkAddr, Pc, RetAddr, Slide};
use crate::engine::query::{self, SymbolQuery};
use crate::engine::remark::Missing;
use crate::formats::insn::CallBefore;
use crate::products::oops::read::frame::Vouch;
use crate::products::oops::read::report::{LogFrame, Symbol};
use crate::world::kernel::{Kernel, Located};
use crate::world::reach::in_patched_call;

/// What is asked of the images for `symbol`.
pub(super) fn query_of(symbol: &Symbol, offset: u64) -> SymbolQuery<'_> {
    SymbolQuery {
        module: Some(symbol.module.as_deref().unwrap_or("vmlinux")),
        name: &symbol.name,
        offset,
        size: symbol.size,
    }
}

/// The place of `frame` in its image.
pub fn find<'k, 'd>(
    frame: &LogFrame,
    kernel: &'k Kernel<'d>,
    slide: Option<Slide>,
) -> Result<Located<'k, 'd>, Missing> {
    let Some(symbol) = &frame.symbol else {
        let vmlinux = kernel.vmlinux().ok_or(Missing::Address)?;
        let link = slide.zip(frame.address).map(|(s, at)| s.link(Addr(at)));
        let link = link.filter(|l| vmlinux.image.text_section(*l).is_some());
        return link.map(|link| vmlinux.at(link)).ok_or(Missing::Address);
    };
    let module = symbol.module.as_deref();
    if let Some(name) = module
        && kernel.image(name).is_none()
    {
        return Err(Missing::Module(name.to_owned()));
    }
    let Some(offset) = symbol.offset else {
        let vmlinux = kernel.vmlinux().filter(|_| module.is_none());
        let link = slide.zip(frame.address).map(|(s, at)| s.link(Addr(at)));
        let placed = vmlinux.zip(link).map(|(v, link)| v.at(link));
        return placed.ok_or(Missing::Offset);
    };
    let found = query::resolve(kernel, &query_of(symbol, offset));
    let fits: Vec<_> = found.iter().filter(|m| m.size_fits == Some(true)).collect();
    match (&fits[..], &found[..]) {
        ([one], _) => Ok(one.located),
        (_, [one]) if symbol.size.is_none() => Ok(one.located),
        (_, several @ [_, ..]) if symbol.size.is_none() => Err(Missing::Several(several.len())),
        ([], []) => Err(Missing::Symbol),
        ([], [other, ..]) => Err(Missing::Size(size_of(other.located, symbol))),
        (several, _) => Err(Missing::Several(several.len())),
    }
}

/// The size that the image has for the symbol `located` was found by.
fn size_of(located: Located<'_, '_>, symbol: &Symbol) -> u64 {
    let symbols = located.image.symbols();
    let start = located
        .link
        .offset(-symbol.offset.unwrap_or(0).cast_signed());
    let nearest = symbols.nearest(start).map(|id| symbols.get(id));
    nearest.map_or(0, |s| s.size.unwrap_or(s.extent))
}

/// The PC that a frame of a log stands for.
///
/// Lines that the unwinder vouches for are return addresses: `show_trace_log_lvl()` leaves out where an exception
/// came from, which has a line of its own. What it finds on the stack may be either.
pub fn pc(frame: &LogFrame, located: Located<'_, '_>, exact: &HashSet<&Symbol>) -> Pc<LinkAddr> {
    let again = || frame.symbol.as_ref().is_some_and(|s| exact.contains(s));
    match frame.vouch {
        Vouch::Rip => Pc::Exact(located.link),
        Vouch::Frame => Pc::Return(located.link),
        Vouch::Guess if again() || !follows_call(located) => Pc::Exact(located.link),
        Vouch::Guess => Pc::Return(located.link),
    }
}

/// Whether a call ends at `located`, as far as its code is at hand.
fn follows_call(located: Located<'_, '_>) -> bool {
    let image = located.image;
    let ret = RetAddr(located.link);
    let before = ret.call();
    let start = match image.fixups().blocks_at(before).first() {
        Some(block) => Some(image.fixups().blocks()[*block as usize].landing),
        None => image
            .symbols()
            .function(before)
            .map(|id| image.symbols().range(id).0),
    };
    // A pointer to a function is not behind anything of it.
    let begins = image.symbols().begins(located.link);
    let (Some(start), false) = (start, begins) else {
        return false;
    };
    match image.call_before(start, ret) {
        Some(CallBefore::None) => in_patched_call(located, start),
        _ => true,
    }
}
