//! Code as it ran against code as it was linked. The kernel patches itself when it boots and while it runs; each way
//! leaves bytes of its own kind, and whatever is of no such kind speaks against the image.
//!
//! Sources: arch/x86/kernel/{alternative,jump_label,ftrace,static_call,paravirt,kprobes/}.c, Linux 4.4-7.2.

mod bytes;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Range;

use crate::base::addr::{Address, LinkAddr, Slide};
use crate::formats::image::ElfImage;
use crate::formats::image::altinstr::Alternative;
use crate::formats::insn::stub::{Stub, is_trampoline, stub};
use crate::formats::insn::{self, Flow};
use bytes::{all_nops, begins_with_nops, equal_but_for_addresses, rebase};

/// Why bytes that ran differ from those that were linked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Patch {
    /// A replacement of `.altinstructions`, or its NOPs made longer.
    Alternative,
    /// A jump that a static key turned on, or off.
    StaticKey,
    /// The call at the beginning of a function that tracing uses.
    Ftrace,
    /// A thunk's call or jump, made through the register.
    Retpoline,
    /// A jump to a return thunk, made a return or a jump to another one.
    ReturnThunk,
    /// A call or jump through a static-call trampoline.
    StaticCall,
    /// A call through the table of paravirtual operations.
    Paravirt,
    /// A LOCK prefix on a machine with one CPU.
    LockPrefix,
    /// A landing of indirect branches that none takes.
    Ibt,
    /// A constant that is known when the kernel has booted.
    RuntimeConstant,
    /// A breakpoint or jump of a probe.
    Probe,
    /// A field that holds an address, or the distance of one that did not move along.
    Kaslr,
    /// A field that is filled when the module is loaded.
    ModuleRelocation,
}

impl Patch {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Patch::Alternative => "alternative",
            Patch::StaticKey => "static key",
            Patch::Ftrace => "ftrace",
            Patch::Retpoline => "retpoline",
            Patch::ReturnThunk => "return thunk",
            Patch::StaticCall => "static call",
            Patch::Paravirt => "paravirt",
            Patch::LockPrefix => "lock prefix",
            Patch::Ibt => "IBT",
            Patch::RuntimeConstant => "runtime constant",
            Patch::Probe => "probe",
            Patch::Kaslr => "KASLR",
            Patch::ModuleRelocation => "module relocation",
        }
    }
}

/// What came of a comparison.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Compared {
    /// Bytes that are the same.
    pub same: usize,
    /// Ranges that differ, each with what explains it.
    pub explained: Vec<(Range<usize>, Patch)>,
    /// Bytes that differ, and nothing explains it.
    pub unexplained: Vec<usize>,
    /// Where the kernel was, as fields with addresses tell.
    pub slide: Option<Slide>,
}

impl Compared {
    /// Whether so much differs that the image is another one. Single bytes may be of a kind of patch not known here, or
    /// of memory that went bad.
    pub fn refutes(&self) -> bool {
        self.unexplained.len() * 4 > self.same
    }
}

/// Bytes compared at most.
const MAX: usize = 8192;

/// Compares `ran`, which was at `at` of `image`, with what the image has there; `slide`: where the kernel was, if that is
/// known. `None` where the image holds no code.
pub fn compare(
    image: &ElfImage<'_>,
    at: LinkAddr,
    ran: &[u8],
    slide: Option<Slide>,
) -> Option<Compared> {
    if image.is_excerpt() || image.stands_in() {
        return None;
    }
    let ran = &ran[..ran.len().min(MAX)];
    // What stands before the section, or behind it, is not compared.
    let skip = (0..ran.len()).find(|i| !image.code(at.offset(*i as i64)).is_empty())?;
    let (at, all) = (at.offset(skip as i64), &ran[skip..]);
    let own = image.code(at);
    let ran = &all[..all.len().min(own.len())];
    let own = &own[..ran.len()];
    let mut job = Job {
        image,
        at,
        own,
        ran,
        slide,
        out: Compared::default(),
    };
    job.run();
    let mut out = job.out;
    for (range, _) in &mut out.explained {
        *range = range.start + skip..range.end + skip;
    }
    out.unexplained.iter_mut().for_each(|i| *i += skip);
    (!ran.is_empty()).then_some(out)
}

struct Job<'a, 'd> {
    image: &'a ElfImage<'d>,
    at: LinkAddr,
    own: &'a [u8],
    ran: &'a [u8],
    slide: Option<Slide>,
    out: Compared,
}

impl Job<'_, '_> {
    fn run(&mut self) {
        let mut from = 0;
        while let Some(i) = (from..self.ran.len()).find(|i| self.own[*i] != self.ran[*i]) {
            self.out.same += i - from;
            from = match self.explain(i) {
                Some((end, patch)) => {
                    let end = end.max(i + 1);
                    self.out.explained.push((i..end, patch));
                    end
                }
                None => {
                    self.out.unexplained.push(i);
                    i + 1
                }
            };
        }
        self.out.same += self.ran.len() - from;
    }

    fn address(&self, i: usize) -> LinkAddr {
        self.at.offset(i as i64)
    }

    /// What explains that byte `i` differs, and up to where.
    fn explain(&mut self, i: usize) -> Option<(usize, Patch)> {
        let here = self.address(i);
        for alt in self.image.alternatives().covering(here) {
            if let Some(end) = self.alternative(alt) {
                return Some((end.max(i + 1), Patch::Alternative));
            }
        }
        let site = self.site(i)?;
        self.by_instruction(i, site)
            .or_else(|| self.by_field(i, site))
    }

    /// The linked instruction that byte `i` is of, as offsets in the code; it may begin before it.
    fn site(&self, i: usize) -> Option<(i64, i64)> {
        let here = self.address(i);
        let symbols = self.image.symbols();
        let start = match symbols.function(here) {
            Some(id) => symbols.range(id).0,
            None => symbols.get(symbols.nearest(here)?).addr,
        };
        let mut rows = insn::sweep(self.image, start, here.offset(16));
        let row = rows.find(|(at, insn)| *at <= here && here < at.offset(insn.len.into()))?;
        let begin = (row.0.0.wrapping_sub(self.at.0)) as i64;
        Some((begin, begin + i64::from(row.1.len)))
    }

    /// What ran in place of the linked instruction at `site`, if all of it can be seen, and how it was linked.
    fn whole(&self, (begin, end): (i64, i64)) -> Option<(usize, &[u8], &[u8])> {
        let (begin, end) = (usize::try_from(begin).ok()?, usize::try_from(end).ok()?);
        Some((end, self.own.get(begin..end)?, self.ran.get(begin..end)?))
    }

    fn name(&self, at: LinkAddr) -> &str {
        if let Some(import) = self.image.import(at) {
            return import;
        }
        let symbols = self.image.symbols();
        symbols.nearest(at).map_or("", |id| symbols.name(id))
    }

    fn by_instruction(&self, i: usize, site: (i64, i64)) -> Option<(usize, Patch)> {
        // The beginning of one that was cut off is seen in its end only.
        let begin = self.at.offset(site.0);
        let linked = self.image.code(begin);
        let len = (site.1 - site.0) as usize;
        let linked = linked.get(..len)?;
        let flow = insn::decode(linked, begin, 64)?.flow;
        let seen = self.whole(site);
        let end = (site.1.max(0) as usize).min(self.ran.len());
        let ran_flow =
            |ran: &[u8]| insn::decode(ran, begin, 64).map(|n| (n.flow, usize::from(n.len)));
        let entry = |at: LinkAddr| {
            let symbols = self.image.symbols();
            // Code in no image of ours: of a module, or made at run time.
            symbols
                .nearest(at)
                .is_none_or(|id| symbols.get(id).addr == at)
                || self.image.text_section(at).is_none()
        };
        let own = self.own[i];
        let ran = self.ran[i];
        if (own, ran) == (0xf0, 0x3e) && site.0 == i as i64 {
            return Some((i + 1, Patch::LockPrefix));
        }
        if ran == 0xcc && site.0 == i as i64 {
            return Some((i + 1, Patch::Probe));
        }
        if linked == [0xf3, 0x0f, 0x1e, 0xfa] {
            // `nopw (%rax)`, and the forms with a mark that later kernels use.
            let sealed = [
                &[0x66, 0x0f, 0x1f, 0x00][..],
                &[0x0f, 0x1f, 0x40, 0xd6],
                &[0x90, 0x0f, 0x1f, 0x00],
            ];
            let fits = |s: &&&[u8]| self.fits(site, s);
            return sealed.iter().find(fits).map(|_| (end, Patch::Ibt));
        }
        let named = match flow {
            Flow::Call(t) | Flow::Jump(t) | Flow::Branch(t) => self.name(t),
            _ => "",
        };
        if stub(named) == Some(Stub::Return) {
            if self.fits(site, &[0xc3, 0xcc, 0xcc, 0xcc, 0xcc])
                || self.fits(site, &[0xc3, 0x90, 0x90, 0x90, 0x90])
            {
                return Some((end, Patch::ReturnThunk));
            }
            let other = seen.and_then(|(_, _, ran)| ran_flow(ran));
            let thunk = matches!(other, Some((Flow::Jump(t) | Flow::Call(t), 5)) if self.name(t).contains("return_thunk") || self.image.text_section(t).is_none());
            return thunk.then_some((end, Patch::ReturnThunk));
        }
        if is_trampoline(named) {
            return self
                .through_register(site)
                .then_some((end, Patch::Retpoline));
        }
        let ran = match seen {
            Some((_, _, ran)) => ran,
            // The rest of a patched call or jump whose beginning, or end, is not shown.
            None if matches!(flow, Flow::Call(_)) && named == "__fentry__" => {
                return Some((end, Patch::Ftrace));
            }
            None => return None,
        };
        let patched = ran_flow(ran);
        match (flow, patched) {
            (Flow::Call(_), _) if named == "__fentry__" => {
                let traced = matches!(patched, Some((Flow::Call(_) | Flow::Jump(_), 5)));
                (all_nops(ran) || traced).then_some((end, Patch::Ftrace))
            }
            (Flow::Call(_) | Flow::Jump(_) | Flow::Branch(_), _)
                if named.starts_with("__SCT__") =>
            {
                let known = ran.starts_with(&[0x31, 0xc0])
                    || ran.starts_with(&[0xc3])
                    || ran.starts_with(&[0x2e])
                    || all_nops(ran);
                let goes = matches!(patched, Some((Flow::Call(t) | Flow::Jump(t) | Flow::Branch(t), _)) if entry(t));
                (known || goes).then_some((end, Patch::StaticCall))
            }
            (Flow::IndirectCall | Flow::IndirectJump, _) => self
                .paravirt(begin, ran, &entry)
                .then_some((end, Patch::Paravirt)),
            // A NOP of two or five bytes, and the jump that a static key has there.
            (Flow::Next, Some((Flow::Jump(t), n))) if n == ran.len() && all_nops(linked) => {
                let inside = self.same_function(begin, t);
                match (inside, n) {
                    (true, _) => Some((end, Patch::StaticKey)),
                    // Where a NOP begins a function, tracing may jump.
                    (false, 5) if self.image.text_section(t).is_none() => {
                        Some((end, Patch::Ftrace))
                    }
                    _ => None,
                }
            }
            (Flow::Next, Some((Flow::Call(_), 5))) if all_nops(linked) => {
                Some((end, Patch::Ftrace))
            }
            (Flow::Jump(_), _) if all_nops(ran) && matches!(ran.len(), 2 | 5) => {
                Some((end, Patch::StaticKey))
            }
            // NOPs are made into others of the same length.
            (Flow::Next, _) if all_nops(linked) && all_nops(ran) => Some((end, Patch::StaticKey)),
            // An optimised probe jumps out of the image.
            (_, Some((Flow::Jump(t), 5)))
                if self.image.text_section(t).is_none() && ran[0] == 0xe9 =>
            {
                Some((end, Patch::Probe))
            }
            _ => None,
        }
    }

    /// Whether `expected` ran at `site`, as far as it is shown.
    fn fits(&self, site: (i64, i64), expected: &[u8]) -> bool {
        let shown = expected.iter().enumerate().filter_map(|(k, b)| {
            let i = usize::try_from(site.0 + k as i64)
                .ok()
                .filter(|_| site.0 + (k as i64) < site.1)?;
            Some((b, self.ran.get(i)?))
        });
        let mut some = false;
        for (a, b) in shown {
            if a != b {
                return false;
            }
            some = true;
        }
        some
    }

    /// `call *%reg`, `jmp *%reg`, perhaps behind LFENCE, then NOPs or INT3; the form that is too long for its site goes
    /// through a prefix.
    fn through_register(&self, site: (i64, i64)) -> bool {
        let Some((_, _, ran)) = self.whole(site) else {
            // A piece of it.
            return true;
        };
        let rest = ran.strip_prefix(&[0x0f, 0xae, 0xe8]).unwrap_or(ran);
        let rest = match rest {
            [0x2e | 0x3e, rest @ ..] => rest,
            rest => rest,
        };
        let rest = rest.strip_prefix(&[0x41]).unwrap_or(rest);
        match rest {
            // ff /2 and ff /4 with a register
            [0xff, 0xd0..=0xd7 | 0xe0..=0xe7, tail @ ..] => {
                all_nops(tail) || tail.iter().all(|b| *b == 0xcc)
            }
            // A jump on a condition around it, and calls of other thunks.
            [0x70..=0x7f, ..] | [0xe8 | 0xe9, ..] => true,
            _ => false,
        }
    }

    /// What stands for a call through the table of paravirtual operations: a direct call, or the instruction itself.
    fn paravirt(&self, begin: LinkAddr, ran: &[u8], entry: &impl Fn(LinkAddr) -> bool) -> bool {
        let Some(first) = insn::decode(ran, begin, 64) else {
            return false;
        };
        let tail = ran.get(usize::from(first.len)..).unwrap_or_default();
        match first.flow {
            Flow::Call(t) | Flow::Jump(t) => entry(t) && all_nops(tail),
            // CLI, STI, PUSHF and POP, MOV of control registers, MOV of the argument, XOR.
            Flow::Next => {
                const NATIVE: [&[u8]; 12] = [
                    &[0xfa],
                    &[0xfb],
                    &[0x9c, 0x58],
                    &[0x57, 0x9d],
                    &[0x48, 0x89, 0xf8],
                    &[0x89, 0xf8],
                    &[0x0f, 0x20],
                    &[0x0f, 0x22],
                    &[0x0f, 0x09],
                    &[0xc6, 0x07, 0x00],
                    &[0x31, 0xc0],
                    &[0x0f, 0x01],
                ];
                let native = NATIVE.iter().find_map(|n| ran.strip_prefix(*n));
                native.is_some_and(|rest| all_nops(rest) || rest.len() < 4) || all_nops(ran)
            }
            _ => false,
        }
    }

    fn same_function(&self, a: LinkAddr, b: LinkAddr) -> bool {
        let symbols = self.image.symbols();
        let of = |at| symbols.function(at).map(|id| symbols.name(id));
        let base = |name: &'_ str| name.trim_end_matches(".cold").to_owned();
        match (of(a), of(b)) {
            (Some(a), Some(b)) => base(a) == base(b),
            // Code without a name: of a fixup.
            _ => true,
        }
    }

    /// Whether what ran is `alt` put in its place: its replacement, then NOPs; or its own NOPs made longer. The end of
    /// what is shown of it.
    fn alternative(&self, alt: &Alternative) -> Option<usize> {
        let begin = alt.site.0.wrapping_sub(self.at.0) as i64;
        let from = usize::try_from(begin.max(0)).ok()?;
        let end = usize::try_from(begin + i64::from(alt.len))
            .ok()?
            .min(self.ran.len());
        let shown = self.ran.get(from..end)?;
        let cut = (from as i64 - begin) as usize;
        let new = self.image.code(alt.replacement);
        let new = new.get(..usize::from(alt.replacement_len))?;
        let mut moved = new.to_vec();
        rebase(&mut moved, alt);
        // A probe may sit on it.
        let mut shown = shown.to_vec();
        if let (0, Some(0xcc), Some(first)) = (cut, shown.first(), moved.first()) {
            shown[0] = *first;
        }
        let shown = &shown[..];
        let body = moved.get(cut..).unwrap_or_default();
        let body = &body[..body.len().min(shown.len())];
        let (head, tail) = shown.split_at(body.len());
        let complete = end as i64 == begin + i64::from(alt.len);
        let filled = |tail: &[u8]| {
            all_nops(tail)
                || tail.iter().all(|b| *b == 0xcc)
                || (!complete && begins_with_nops(tail))
                || cut > 0
        };
        if equal_but_for_addresses(body, head, self.slide) && filled(tail) {
            return Some(end);
        }
        // Calls of paravirtual operations are put in by where the table leads.
        let call = insn::decode(shown, alt.site, 64).filter(|_| cut == 0);
        if let Some(call) = call
            && let Flow::Call(to) = call.flow
            && new.first() == Some(&0xe8)
        {
            let symbols = self.image.symbols();
            let entry = symbols
                .nearest(to)
                .is_none_or(|id| symbols.get(id).addr == to);
            let rest = &shown[usize::from(call.len).min(shown.len())..];
            if entry && all_nops(rest) {
                return Some(end);
            }
        }
        // Not replaced, but with better NOPs.
        let own = self.own.get(from..end)?;
        let same = own.iter().zip(shown).take_while(|(a, b)| a == b).count();
        let (own, shown) = (&own[same..], &shown[same..]);
        let idle = all_nops(own) && (all_nops(shown) || !complete);
        (idle && cut == 0).then_some(end)
    }

    /// Whether byte `i` is of a field of the instruction at `site` that holds an address, or a constant of run time.
    fn by_field(&mut self, i: usize, site: (i64, i64)) -> Option<(usize, Patch)> {
        let end = (site.1.max(0) as usize).min(self.ran.len());
        let from = self.at.offset(site.0);
        for (at, len) in self
            .image
            .relocated(from.offset(-8), self.at.offset(site.1))
        {
            let begin = at.0.wrapping_sub(self.at.0) as i64;
            if begin <= i as i64 && (i as i64) < begin + i64::from(len) {
                let end = usize::try_from(begin + i64::from(len)).ok()?;
                return Some((end.min(self.ran.len()), Patch::ModuleRelocation));
            }
        }
        if self.runtime_constant(site) {
            return Some((end, Patch::RuntimeConstant));
        }
        // Fields begin behind the opcode, and are the last or last but one of an instruction.
        let first = (i as i64 - 3).max(site.0 + 1);
        for begin in first..=i as i64 {
            let Some(at) = usize::try_from(begin).ok().filter(|b| b + 4 <= end) else {
                continue;
            };
            let field = |code: &[u8]| {
                code.get(at..at + 4)
                    .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            };
            let (own, ran) = (field(self.own)?, field(self.ran)?);
            if let Some(slide) = self.moved(own, ran) {
                self.out.slide = Some(slide);
                return Some((at + 4, Patch::Kaslr));
            }
        }
        None
    }

    /// The slide by which `ran` is `own` moved, or not moved while the code around was: of per-CPU data.
    fn moved(&self, own: u32, ran: u32) -> Option<Slide> {
        /// The kernel moves by so much at least, and stays in a gigabyte.
        const STEP: u32 = 1 << 21;
        const ROOM: u32 = 1 << 30;
        let known = self.slide.or(self.out.slide);
        [ran.wrapping_sub(own), own.wrapping_sub(ran)]
            .into_iter()
            .find_map(|by| {
                let sane = by != 0 && by < ROOM && by.is_multiple_of(STEP);
                let slide = Slide(by.into());
                (sane && known.is_none_or(|k| k == slide)).then_some(slide)
            })
    }

    /// Whether the instruction at `site` holds one of the constants in sections `runtime_ptr_*` and `runtime_shift_*`:
    /// lists of distances to them.
    fn runtime_constant(&self, site: (i64, i64)) -> bool {
        let (from, to) = (self.at.offset(site.0), self.at.offset(site.1));
        let lists = self
            .image
            .sections()
            .iter()
            .filter(|s| s.name.starts_with("runtime_"));
        let mut places = lists.flat_map(|s| {
            let base = s.addr.unwrap_or_default();
            s.data.chunks_exact(4).enumerate().map(move |(n, b)| {
                let distance = i32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                base.offset(4 * n as i64 + i64::from(distance))
            })
        });
        places.any(|p| (from..to).contains(&p))
    }
}

/// The kinds in `all`, each once.
pub fn kinds(all: &[(Range<usize>, Patch)]) -> BTreeSet<Patch> {
    all.iter().map(|(_, p)| *p).collect()
}
