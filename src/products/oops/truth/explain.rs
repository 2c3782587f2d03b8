//! What a report shows beyond its stack: why a fault at an instruction of the exception table was not fixed up, and what
//! the code at RIP did.

use crate::base::addr::{Address, LinkAddr};
use crate::base::arch::Arch;
use crate::formats::image::ImageKind;
use crate::formats::insn::listing::{Listing, listing};
use crate::formats::insn::sweep;
use crate::products::oops::code::decode::{self, Context, Fault, Trap};
use crate::products::oops::code::patched::{Compared, compare, kinds};
use crate::products::oops::read::frame::hex;
use crate::products::oops::read::kind::Kind;
use crate::products::oops::read::registers::{Block, Code};
use crate::products::oops::read::report::{LogFrame, Oops};
use crate::products::oops::truth::tell::Told;
use crate::world::kernel::Located;

/// EFLAGS.AC, with which the kernel opens user memory to itself under SMAP.
const AC: u64 = 1 << 18;
/// CR4.SMAP and CR4.LA57.
const SMAP: u64 = 1 << 21;
const LA57: u64 = 1 << 12;

/// Bits of a page fault's error code (`enum x86_pf_error_code`, arch/x86/include/asm/trap_pf.h).
const PF_USER: u32 = 4;
const PF_RSVD: u32 = 8;
const PF_INSTR: u32 = 16;

/// The exception that `oops` is about, as far as it says.
pub(crate) fn trap(oops: &Oops) -> Trap {
    let what = oops.die.as_ref().map(|d| (d.kind, d.what.as_str()));
    match (oops.kind, what) {
        (Kind::StackOverflow | Kind::DoubleFault, _) => Trap::DoubleFault,
        (_, Some((Kind::GeneralProtection, _))) => Trap::GeneralProtection,
        (_, Some((Kind::PageFault, _))) => Trap::PageFault,
        (_, Some((Kind::DivideError, _))) => Trap::DivideError,
        (_, Some((Kind::InvalidOpcode, _))) => Trap::InvalidOpcode,
        (_, Some((Kind::StackSegment, _))) => Trap::StackSegment,
        (_, Some((_, what))) if what.starts_with("int3") => Trap::Breakpoint,
        (Kind::NullDereference | Kind::PageFault, None) => Trap::PageFault,
        (Kind::KernelBug | Kind::Warning, None) => Trap::InvalidOpcode,
        (_, Some(_)) => Trap::Other,
        (_, None) => Trap::Unknown,
    }
}

/// The address that a page fault was about: in its title, else CR2.
pub(crate) fn fault_address(oops: &Oops, block: &Block) -> Option<u64> {
    of_title(&oops.title).or(block.other("CR2"))
}

/// The address that a title names: `… address: 0000000000000008`, `… at virtual address 00000010 when read`,
/// `… non-canonical address 0xdead000000000100: 0000 [#1]`.
pub(crate) fn of_title(title: &str) -> Option<u64> {
    let marks = [" address: ", " address ", " at "];
    marks.iter().find_map(|mark| {
        let (_, rest) = title.split_once(mark)?;
        let word = rest.split([' ', ':', ',']).next()?;
        hex(word.strip_prefix("0x").unwrap_or(word)).filter(|_| word.len() >= 4)
    })
}

/// What is said of a fault at an instruction of the exception table, `located`; `None` where that is no such one, or
/// nothing faulted.
pub(crate) fn not_fixed_up(
    oops: &Oops,
    block: &Block,
    located: Option<Located<'_, '_>>,
) -> Option<String> {
    let trap = trap(oops);
    let faulted =
        oops.die.is_some() || matches!(oops.kind, Kind::NullDereference | Kind::PageFault);
    let located = located?;
    let image = located.image;
    let table = image.extable();
    let entry = table.at(located.link).first().filter(|_| faulted)?;
    let handler = table.handler(image, entry);
    let effect = handler.effect(image.bits());
    let effect = effect.map_or(String::new(), |e| format!(", {e}"));
    let symbols = image.symbols();
    let landing = match symbols.nearest(entry.fixup) {
        Some(id) => {
            let offset = entry.fixup.since(symbols.get(id).addr).unwrap_or(0);
            format!("{}+{offset:#x}", symbols.name(id))
        }
        None => entry.fixup.to_string(),
    };
    let why = why_not(oops, block, trap);
    let ip = match oops.arch {
        Some(Arch::I386) => "EIP",
        _ => "RIP",
    };
    let name = handler.name();
    Some(format!(
        "{ip} is an exception-table instruction: this fault would have been fixed up to {landing} ({name}{effect}); {}",
        match why {
            Some(why) => format!("it was not, because {why}"),
            None => "the log does not show why it was not".to_owned(),
        }
    ))
}

/// Why the kernel did not ask its exception table, or did not do what it says.
fn why_not(oops: &Oops, block: &Block, trap: Trap) -> Option<String> {
    let code = oops.die.as_ref().and_then(|d| d.code).unwrap_or(0);
    let user = |at: u64| at < 1 << 47 && oops.arch != Some(Arch::I386);
    match trap {
        Trap::DoubleFault => Some("a double fault is never fixed up".to_owned()),
        Trap::PageFault => {
            let address = fault_address(oops, block)?;
            let flags = block.other("EFLAGS");
            let smap = block.other("CR4").is_some_and(|cr4| cr4 & SMAP != 0);
            let closed = flags.is_some_and(|f| f & AC == 0);
            if code & PF_RSVD != 0 {
                return Some("a reserved bit is set in a page table (error code bit 3)".to_owned());
            }
            if code & PF_INSTR != 0 {
                return Some(
                    "it was the fetch of the instruction that faulted (error code bit 4)"
                        .to_owned(),
                );
            }
            // "Don't run fixups for SMAP violations", 5.13.
            let since = since(oops.release.as_deref(), 5, 13);
            (smap && closed && user(address) && code & PF_USER == 0 && since).then(|| {
                format!(
                    "user memory was closed to the kernel (SMAP is on and EFLAGS.AC is clear): \
                     such faults at user addresses like {address:#x} are not fixed up since Linux 5.13"
                )
            })
        }
        Trap::GeneralProtection | Trap::StackSegment => {
            let user_only = [(4, 20), (5, 0)]
                .iter()
                .any(|v| version(oops.release.as_deref()) == Some(*v));
            user_only.then(|| {
                "the address is non-canonical, which Linux 4.20 and 5.0 do not fix up for user accesses".to_owned()
            })
        }
        _ => None,
    }
}

/// `6.12` of `6.12.107+deb13-cloud-amd64`.
fn version(release: Option<&str>) -> Option<(u32, u32)> {
    let mut numbers = release?.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn since(release: Option<&str>, major: u32, minor: u32) -> bool {
    version(release).is_some_and(|v| v >= (major, minor))
}

/// What the code at RIP is and did.
pub struct Decoded {
    /// The instructions.
    pub listing: Listing,
    /// For each of them `symbol+0x1`, or a number.
    pub labels: Vec<String>,
    /// What the faulting one did; `None` if there is nothing to say, or nothing faulted.
    pub fault: Option<Fault>,
    /// How it differs from what was linked; `None` where the image's code is not at hand.
    pub compared: Option<Compared>,
    /// What was before, where RIP is behind an instruction that matters.
    pub before: Option<String>,
}

/// Decodes the code of `block`, the registers of `frame`; `located` is its place, if an image has it; `told` tells where
/// the kernel ran.
pub(crate) fn decoded(
    oops: &Oops,
    frame: &LogFrame,
    block: &Block,
    located: Option<Located<'_, '_>>,
    told: &Told<'_, '_>,
) -> Option<Decoded> {
    let Some(Code::Bytes(bytes, Some(mark))) = &block.code else {
        return None;
    };
    // 32-bit code is not decoded here.
    if oops.arch == Some(Arch::I386) {
        return None;
    }
    let slide = located.and_then(|l| l.slide).map_or(0, |s| s.0);
    let own = frame.symbol.as_ref().and_then(|s| Some((s, s.offset?)));
    let rip = match located {
        Some(l) => l.link.0.wrapping_add(slide),
        // Without an image addresses count from the symbol.
        None => own.map_or(block.regs.ip, |(_, offset)| offset),
    };
    let own_name = |at: u64| {
        let (symbol, own) = own?;
        let offset = at.wrapping_sub(rip).wrapping_add(own);
        let inside = offset < symbol.size.unwrap_or(0);
        // Without an image code behind the symbol's end has no better name.
        let behind = located.is_none() && offset.cast_signed() >= 0;
        (inside || behind).then(|| format!("{}+{offset:#x}", symbol.name))
    };
    let start = located.and_then(|l| known_start(l, *mark));
    let linked = |at: u64| {
        let located = located?;
        let symbols = located.image.symbols();
        let link = LinkAddr(at.wrapping_sub(slide));
        located.image.text_section(link)?;
        let id = symbols.nearest(link)?;
        let offset = link.since(symbols.get(id).addr)?;
        Some(format!("{}+{offset:#x}", symbols.name(id)))
    };
    let names = |at: u64| own_name(at).or_else(|| linked(at));
    let rows = listing(bytes, *mark, rip, start, &names);
    // Registers of what an interrupt came upon did not fault.
    let of_report = oops.registers().is_some_and(|r| std::ptr::eq(r, block));
    let user_mode = block.user_mode();
    let context = Context {
        regs: &block.regs,
        gs_base: block.other(if user_mode { "knlGS" } else { "GS" }),
        fs_base: block.other("FS"),
        cr2: fault_address(oops, block),
        trap: if of_report { trap(oops) } else { Trap::Unknown },
        user_mode,
        la57: block.other("CR4").is_some_and(|cr4| cr4 & LA57 != 0),
    };
    let faulted = of_report && context.trap != Trap::Unknown;
    let from = bytes.get(*mark..).unwrap_or_default();
    let label = |at: u64| match names(at) {
        Some(name) => name,
        // Before the symbol that addresses count from.
        None if located.is_none() && own.is_some() => format!("-{:#x}", at.wrapping_neg()),
        None => format!("{at:#x}"),
    };
    Some(Decoded {
        compared: located.and_then(|l| {
            let at = l.link.offset(-(*mark as i64));
            let vmlinux = l.image.kind() == ImageKind::Vmlinux;
            compare(l.image, at, bytes, told.slide.filter(|_| vmlinux))
        }),
        labels: rows.rows.iter().map(|r| label(r.at)).collect(),
        listing: rows,
        fault: decode::fault(from, rip, &context).filter(|_| faulted),
        before: decode::before(bytes.get(..*mark).unwrap_or_default(), &context)
            .filter(|_| of_report),
    })
}

/// What patching made of the code, in words; `None` where it is as it was linked, or that is not known.
pub(crate) fn patches(compared: Option<&Compared>) -> Option<String> {
    let compared = compared?;
    let names: Vec<&str> = kinds(&compared.explained)
        .into_iter()
        .map(|p| p.name())
        .collect();
    let known = match &names[..] {
        [] => String::new(),
        names => format!("patched since it was linked: {}", names.join(", ")),
    };
    let unknown = match compared.unexplained.len() {
        0 => String::new(),
        n => format!("{n} bytes differ from the image, and no patching explains it"),
    };
    let both: Vec<String> = [known, unknown]
        .into_iter()
        .filter(|s| !s.is_empty())
        .collect();
    (!both.is_empty()).then(|| both.join("; "))
}

/// Offset in the code of the first byte at which the image has an instruction begin.
fn known_start(located: Located<'_, '_>, mark: usize) -> Option<usize> {
    let image = located.image;
    if image.is_excerpt() {
        return None;
    }
    let symbols = image.symbols();
    let start = symbols.range(symbols.function(located.link)?).0;
    let first = located.link.offset(-(mark as i64));
    if start >= first {
        return start.since(first).map(|s| s as usize);
    }
    let mut rows = sweep(image, start, located.link).map(|(at, _)| at);
    let at = rows.find(|at| *at >= first)?;
    at.since(first).map(|s| s as usize)
}
