//! What an image says of the places that code leads to, with where the kernel was.

use crate::base::addr::{Address, LinkAddr, Slide};
use crate::formats::image::sites::COUNTERS;
use crate::formats::image::{ElfImage, ImageKind};
use crate::formats::insn::stub::{Stub, stub};

/// Where modules and code made at run time are at least, of a kernel that may move (`MODULES_VADDR`,
/// arch/x86/include/asm/pgtable_64_types.h).
const MODULES: u64 = 0xffff_ffff_c000_0000;

/// Where a branch may go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goes {
    /// There.
    To(LinkAddr),
    /// To the beginning of a function, or out of the image.
    Function,
    /// Out of the image.
    Outside,
    /// To a return thunk.
    Return,
    /// To a thunk that stands for a jump through a register.
    Thunk,
    /// To code of the function that `0` is in.
    Near(LinkAddr),
}

/// See the module text.
pub(super) struct Look<'a, 'd> {
    pub image: &'a ElfImage<'d>,
    pub slide: Option<Slide>,
    pub module: bool,
    /// First byte and end of what moves with the kernel; nothing of a module's.
    span: (LinkAddr, LinkAddr),
    /// Bytes of per-CPU data that is linked at 0.
    per_cpu: u64,
}

impl<'a, 'd> Look<'a, 'd> {
    pub fn new(image: &'a ElfImage<'d>, slide: Option<Slide>) -> Self {
        let module = image.kind() != ImageKind::Vmlinux;
        let loaded = image.sections().iter().filter(|s| s.is_loaded() && !module);
        // Per-CPU data may be linked at 0.
        let spans = loaded.filter_map(|s| Some((s.addr.filter(|a| a.0 != 0)?, s.size)));
        let ends = spans.map(|(at, size)| (at, LinkAddr(at.0.saturating_add(size))));
        let all = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let per_cpu = image
            .section(".data..percpu")
            .filter(|s| s.addr.is_none_or(|a| a.0 == 0));
        Look {
            image,
            slide,
            module,
            span: all.unwrap_or_default(),
            per_cpu: per_cpu.filter(|_| !module).map_or(0, |s| s.size),
        }
    }

    /// Whether what is linked at `at` moves with the kernel. Its end is an address, too.
    pub fn moves(&self, at: LinkAddr) -> bool {
        !self.module && self.span.0 <= at && at <= self.span.1
    }

    /// Whether a number may be an address that moves: also a physical one, and the distance that the kernel moved by.
    pub fn may_move(&self, at: LinkAddr) -> bool {
        /// `__START_KERNEL_map`
        const MAP: u64 = 0xffff_ffff_8000_0000;
        let mapped = LinkAddr(at.0.wrapping_add(MAP));
        self.moves(at) || at.0 < MAP && self.moves(mapped) || !self.module && at.0 == 0
    }

    /// Whether what is linked at `at` stays there when the kernel moves.
    pub fn fixed(&self, at: LinkAddr) -> bool {
        !self.module && !self.moves(at)
    }

    /// Whether per-CPU data is at `at` that does not move, for it is linked at 0 (to 6.14).
    pub fn per_cpu(&self, at: LinkAddr) -> bool {
        !self.module && at.0 < self.per_cpu
    }

    /// The last symbol not above `at`, or what an import is called.
    pub fn name(&self, at: LinkAddr) -> &'d str {
        self.image.name_at(at).unwrap_or_default()
    }

    /// Whether `at` is code of no image here: of a module, or made at run time.
    fn outside(&self, at: LinkAddr) -> bool {
        let made = |s: Slide| s != Slide(0) && s.runtime(at).0 >= MODULES;
        let far = !self.module && self.slide.is_some_and(made);
        far || self.image.text_section(at).is_none()
    }

    /// Whether a function, or any code with a name, begins at `at`, or the bytes before it that count calls.
    fn begins(&self, at: LinkAddr) -> bool {
        let symbols = self.image.symbols();
        let counts = |n: usize| symbols.begins(at.offset(n as i64)) && self.padded(at, n);
        symbols.begins(at) || COUNTERS.into_iter().any(counts)
    }

    /// Whether `len` bytes from `at` on are the NOPs that a build leaves before functions.
    pub fn padded(&self, at: LinkAddr, len: usize) -> bool {
        let code = self.image.code(at);
        // An index has the code of some functions only.
        if code.is_empty() && self.image.is_excerpt() {
            return true;
        }
        code.get(..len)
            .is_some_and(|code| code.iter().all(|b| *b == 0x90))
    }

    /// Whether a branch that was made at run time may lead to `at`.
    pub fn goes(&self, at: LinkAddr, to: Goes) -> bool {
        match to {
            Goes::To(to) => to == at,
            Goes::Function => self.outside(at) || self.begins(at),
            Goes::Outside => self.outside(at),
            Goes::Return => {
                self.outside(at) && self.module || stub(self.name(at)) == Some(Stub::Return)
            }
            // Where the kernel was must be known to tell code made at run time from its own.
            Goes::Thunk => {
                self.outside(at)
                    || stub(self.name(at)) == Some(Stub::Register)
                    || self.slide.is_none()
            }
            Goes::Near(from) => self.same_function(from, at),
        }
    }

    fn same_function(&self, a: LinkAddr, b: LinkAddr) -> bool {
        let symbols = self.image.symbols();
        let of = |at| symbols.function(at).map(|id| symbols.name(id));
        let base = |name: &'d str| name.trim_end_matches(".cold");
        match (of(a), of(b)) {
            (Some(a), Some(b)) => base(a) == base(b),
            // Code without a name: of a fixup.
            _ => true,
        }
    }
}
