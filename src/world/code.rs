//! Code, as far as it is known: out of memory where there is some, for the kernel patches its own text; else as it was
//! linked, out of the file, or out of the excerpts that an index keeps.

use std::borrow::Cow;
use std::cell::RefCell;

use crate::base::addr::{Address, LinkAddr};
use crate::formats::insn::{self, Flow};
use crate::world::image::Image;
use crate::world::kernel::{Kernel, Located};
use crate::world::memory::Memory;

/// Longer functions exist in name only, bytes.
const LONGEST: u64 = 1 << 20;

/// Jumps from one static-call trampoline to the next that are followed.
const MAX_HOPS: usize = 8;

/// Code of some images.
#[derive(Clone, Copy)]
pub struct CodeSource<'m, 'k, 'd> {
    images: Images<'k, 'd>,
    memory: Option<&'m dyn Memory>,
    record: Option<&'m Record>,
}

/// The images that code may lead to.
#[derive(Clone, Copy)]
enum Images<'k, 'd> {
    /// Placed in one address space.
    Placed(&'k Kernel<'d>),
    /// As they are.
    Linked(&'k [&'k Image<'d>]),
}

/// Which code of an image was read, first byte and end: what answers the same questions again.
pub type Record = RefCell<Vec<(LinkAddr, LinkAddr)>>;

/// A piece of code.
#[derive(Clone, Debug)]
pub struct Code<'d> {
    /// Its bytes.
    pub bytes: Cow<'d, [u8]>,
    /// Whether it is as it was linked: alternatives may have changed it since.
    pub linked: bool,
}

impl<'m, 'k, 'd> CodeSource<'m, 'k, 'd> {
    /// Code as it was linked.
    pub fn linked(kernel: &'k Kernel<'d>) -> Self {
        CodeSource {
            images: Images::Placed(kernel),
            memory: None,
            record: None,
        }
    }

    /// Code of `images`, wherever they run, as it was linked.
    pub fn of(images: &'k [&'k Image<'d>]) -> Self {
        CodeSource {
            images: Images::Linked(images),
            memory: None,
            record: None,
        }
    }

    /// Code as `memory` has it, where it is there.
    pub fn in_memory(kernel: &'k Kernel<'d>, memory: &'m dyn Memory) -> Self {
        CodeSource {
            memory: Some(memory),
            ..CodeSource::linked(kernel)
        }
    }

    /// The same, writing down what is read.
    pub fn recorded(self, record: &'m Record) -> Self {
        CodeSource {
            record: Some(record),
            ..self
        }
    }

    /// Whether there is memory.
    pub(crate) fn is_live(&self) -> bool {
        self.memory.is_some()
    }

    /// The code from `at` up to `end` of the same image; `None` where not all of it is at hand.
    pub fn code(&self, at: Located<'k, 'd>, end: LinkAddr) -> Option<Code<'d>> {
        if let Some(record) = self.record {
            record.borrow_mut().push((at.link, end));
        }
        if let Some(bytes) = self.live(at, end) {
            return Some(Code {
                bytes: Cow::Owned(bytes),
                linked: false,
            });
        }
        let len = usize::try_from(end.since(at.link)?).ok()?;
        let own = at.image.code(at.link).get(..len)?;
        Some(Code {
            bytes: Cow::Borrowed(own),
            linked: true,
        })
    }

    /// `N` bytes from `at` on, as memory has them; `None` without memory there.
    pub(crate) fn live_bytes<const N: usize>(&self, at: Located<'k, 'd>) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        let memory = self.memory.filter(|_| !is_gone(at))?;
        memory.read(at.slide?.runtime(at.link), &mut bytes).ok()?;
        Some(bytes)
    }

    /// The code from `at` up to `end`, as memory has it; `None` without memory of all of it.
    pub fn live(&self, at: Located<'k, 'd>, end: LinkAddr) -> Option<Vec<u8>> {
        let memory = self.memory.filter(|_| !is_gone(at))?;
        let len = end.since(at.link).filter(|len| *len <= LONGEST)?;
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        let from = at.slide?.runtime(at.link);
        memory.read(from, &mut bytes).ok()?;
        Some(bytes)
    }

    /// The place that code of the image at `from` means by `target`: its own, or another image's. `linked`: that code is
    /// as it was linked, and names what it imports. `None` for what is imported and in no image here, and for code in no
    /// image.
    pub fn place(
        &self,
        from: Located<'k, 'd>,
        target: LinkAddr,
        linked: bool,
    ) -> Option<Located<'k, 'd>> {
        let own = from.at(target);
        if linked && let Some(name) = from.image.import(target) {
            return self.named(name);
        }
        if from.image.text_section(target).is_some() {
            return Some(own);
        }
        match from.slide {
            Some(slide) => match self.images {
                Images::Placed(kernel) => kernel.locate(slide.runtime(target)),
                Images::Linked(_) => None,
            },
            None => Some(own).filter(|_| linked),
        }
    }

    /// Where the symbol `name` of any image is.
    fn named(&self, name: &str) -> Option<Located<'k, 'd>> {
        let address = |image: &Image<'d>| {
            let symbols = image.symbols();
            let id = symbols.named(name).next()?;
            Some(symbols.get(id).addr)
        };
        match self.images {
            Images::Placed(kernel) => {
                let mut all = kernel.images().iter();
                all.find_map(|p| Some(p.at(address(&p.image)?)))
            }
            Images::Linked(images) => {
                let mut all = images.iter();
                all.find_map(|i| Some(Located::linked(i, address(i)?)))
            }
        }
    }

    /// The function at `at`, its first byte and its end.
    pub fn function(&self, at: Located<'k, 'd>) -> Option<(Located<'k, 'd>, LinkAddr)> {
        let symbols = at.image.symbols();
        let inside = self.behind_padding(at);
        let (start, end) = symbols.range(symbols.function(inside.link)?);
        Some((at.at(start), end))
    }

    /// Where a call of `at` goes: the padding before a function runs into it. Call depth tracking counts there.
    pub fn behind_padding(&self, at: Located<'k, 'd>) -> Located<'k, 'd> {
        let start = at.image.symbols().padding_of(at.link);
        start.map_or(at, |start| at.at(start))
    }

    /// The last symbol not above `at`.
    pub fn name(&self, at: Located<'k, 'd>) -> Option<&'d str> {
        let symbols = at.image.symbols();
        symbols.nearest(at.link).map(|id| symbols.name(id))
    }

    /// Where a call of `at` goes: a static call that was not patched into its callers goes through a jump, which is
    /// patched itself.
    pub(crate) fn behind_static_call(&self, mut at: Located<'k, 'd>) -> Located<'k, 'd> {
        for _ in 0..MAX_HOPS {
            let jumps = self.name(at).is_some_and(|n| n.starts_with("__SCT__"));
            let jump = jumps.then(|| self.live_bytes::<5>(at)).flatten();
            let jump = jump.and_then(|code| insn::decode(&code, at.link, 64));
            match jump.map(|i| i.flow) {
                Some(Flow::Jump(to)) => match self.place(at, to, false) {
                    Some(next) => at = next,
                    None => break,
                },
                _ => break,
            }
        }
        at
    }
}

/// Code of initialisation is gone when the kernel runs: its memory holds something else.
fn is_gone(at: Located<'_, '_>) -> bool {
    let section = at.image.text_section(at.link);
    section.is_some_and(|s| s.name.starts_with(".init"))
}
