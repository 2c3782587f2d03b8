//! Streaming annotation: log lines in, the same lines out; a frame's line gains ` (file:line)` at its end, and
//! lines behind it that name inlined callers, or the origin of a frame that is not what it seems to be.
//!
//! An added line has the prefix of the line before it, then [`MARK`]. Nothing else is changed, so deleting what
//! was added gives the input back. A frame whose origin the caller must decide is held back, with the lines
//! behind it, until the caller's line has come.

use std::collections::VecDeque;
use std::io::{self, Write};

use super::line::{self, FrameLine, LineKind};
use crate::addr::{LinkAddr, Pc};
use crate::attribute::{Attribution, Basis, Caller, Certainty, attribute};
use crate::demangle::demangle;
use crate::insn::{self, CallBefore};
use crate::kernel::{Kernel, Located};
use crate::lines::{Inline, below};
use crate::query::{self, SymbolQuery};
use crate::symbolize;

/// Begins the text of every added line.
pub const MARK: &str = "  => ";

/// Lines held back at most while waiting for a caller.
const MAX_HELD: usize = 200;

/// A line held back, and the frame on it.
struct Held<'k, 'd> {
    bytes: Vec<u8>,
    frame: Option<Frame<'k, 'd>>,
}

/// A frame whose place is known.
struct Frame<'k, 'd> {
    located: Located<'k, 'd>,
    pc: Pc<LinkAddr>,
    prefix: usize,
    /// Whether its caller may tell more of it.
    undecided: bool,
}

/// Finds a module that the kernel given does not have.
pub type Modules<'k, 'd> = dyn Fn(&str) -> Option<&'k Kernel<'d>> + 'k;

/// The filter; see the module text.
pub struct Filter<'k, 'd> {
    kernel: &'k Kernel<'d>,
    module: &'k Modules<'k, 'd>,
    /// Whether to add source lines.
    pub lines: bool,
    /// Directories left out at the beginning of source paths.
    pub strip_prefix: &'k [String],
    held: VecDeque<Held<'k, 'd>>,
    /// Frames in fixup code.
    pub fixups: usize,
    /// Frames whose symbol or size no image has.
    pub unresolved: usize,
    /// The first of them, as printed.
    pub first_unresolved: Option<String>,
}

impl<'k, 'd> Filter<'k, 'd> {
    /// A filter that knows `kernel`, and asks `module` for the modules of frames that it lacks.
    pub fn new(kernel: &'k Kernel<'d>, module: &'k Modules<'k, 'd>) -> Self {
        Filter {
            kernel,
            module,
            lines: true,
            strip_prefix: &[],
            held: VecDeque::new(),
            fixups: 0,
            unresolved: 0,
            first_unresolved: None,
        }
    }

    /// Takes one line, its ending included, and writes what can be written.
    pub fn line(&mut self, bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
        let content = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        let frame = line::frame(content);
        let known = frame.and_then(|f| self.enter(&f));
        if !self.held.is_empty() {
            let vouched = frame.filter(|f| f.kind == LineKind::Frame);
            if let Some([caller]) = vouched.and_then(|f| <[_; 1]>::try_from(self.locate(&f)).ok()) {
                self.release(Some(caller), out)?;
            } else if self.held.len() >= MAX_HELD || ends_report(content) {
                self.release(None, out)?;
            }
        }
        let undecided = known.as_ref().is_some_and(|f| f.undecided);
        if undecided || !self.held.is_empty() {
            self.held.push_back(Held {
                bytes: bytes.to_vec(),
                frame: known,
            });
            return Ok(());
        }
        self.write(bytes, known, None, out)
    }

    /// Writes what is held back.
    pub fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.release(None, out)
    }

    /// The frame as a place; counts what lies in fixup code, and what cannot be resolved.
    fn enter(&mut self, f: &FrameLine<'_>) -> Option<Frame<'k, 'd>> {
        let located = match self.locate(f)[..] {
            [one] => one,
            [] => {
                self.unresolved += 1;
                let printed = || format!("{}+{:#x}/{:#x}", f.name, f.offset, f.size);
                self.first_unresolved.get_or_insert_with(printed);
                return None;
            }
            // Functions of one name and size: the text does not tell them apart.
            _ => return None,
        };
        let image = &located.placed.image;
        let pc = match f.kind {
            LineKind::Rip => Pc::Exact(located.link),
            LineKind::Frame | LineKind::Guess => return_or_exact(located),
        };
        let attribution = attribute(image, pc, None);
        let fixup = attribution.basis == Basis::Fixup;
        if fixup {
            self.fixups += 1;
        }
        Some(Frame {
            located,
            pc,
            prefix: f.prefix,
            undecided: fixup && attribution.certainty != Certainty::Exact,
        })
    }

    /// The places that a frame may be: one, or none when no image has the symbol in that size.
    fn locate(&self, f: &FrameLine<'_>) -> Vec<Located<'k, 'd>> {
        let query = SymbolQuery {
            module: Some(f.module.unwrap_or("vmlinux")),
            name: f.name,
            offset: f.offset,
            size: Some(f.size),
        };
        let other = f.module.filter(|m| self.kernel.image(m).is_none());
        let kernel = other.map_or(Some(self.kernel), self.module);
        let mut found = kernel
            .map(|k| query::resolve(k, &query))
            .unwrap_or_default();
        found.retain(|m| m.size_fits == Some(true));
        found.into_iter().map(|m| m.located).collect()
    }

    /// Writes the held lines; those that wait get `caller`, the first frame the unwinder vouches for behind them.
    fn release(&mut self, caller: Option<Located<'k, 'd>>, out: &mut dyn Write) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        for line in held {
            let caller = caller.map(|c| Caller::new(&c.placed.image, c.link));
            self.write(&line.bytes, line.frame, caller, out)?;
        }
        Ok(())
    }

    fn write(
        &self,
        bytes: &[u8],
        frame: Option<Frame<'k, 'd>>,
        caller: Option<Caller<'k, 'd>>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let Some(f) = frame else {
            return out.write_all(bytes);
        };
        let resolved = symbolize::resolve(f.located, f.pc, caller, self.lines);
        let fixup = resolved.attribution.basis == Basis::Fixup;
        let innermost = resolved.inlines.first().and_then(|i| self.source(i));
        let mut added = Vec::new();
        if fixup {
            let place = innermost.clone().unwrap_or_default();
            added.push(format!("{}{place}", explain(&resolved.attribution)));
        }
        for pair in resolved.inlines.windows(2) {
            let name = |i: &Inline<'_>| i.function.as_deref().unwrap_or("??").to_owned();
            let place = self.source(&pair[1]).unwrap_or_default();
            added.push(format!(
                "{} inlined into {}{place}",
                name(&pair[0]),
                name(&pair[1])
            ));
        }
        let content = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        let ending = &bytes[content.len()..];
        out.write_all(content)?;
        if let Some(place) = innermost.filter(|_| !fixup) {
            out.write_all(place.as_bytes())?;
        }
        for text in added {
            out.write_all(if ending.is_empty() { b"\n" } else { ending })?;
            out.write_all(&bytes[..f.prefix.min(bytes.len())])?;
            write!(out, "{MARK}{text}")?;
        }
        out.write_all(ending)
    }

    /// ` (file:line)`
    fn source(&self, i: &Inline<'_>) -> Option<String> {
        let file = below(i.file?, self.strip_prefix);
        Some(format!(" ({file}:{})", i.line?))
    }
}

/// A line behind which no frame of the same trace comes.
fn ends_report(line: &[u8]) -> bool {
    [&b"---[ end"[..], b"</TASK>"]
        .iter()
        .any(|m| memchr::memmem::find(line, m).is_some())
}

/// A number in a call trace is a return address, unless no call ends there and the byte before belongs to
/// something else: then it is the PC of an exception frame.
fn return_or_exact(located: Located<'_, '_>) -> Pc<LinkAddr> {
    let image = &located.placed.image;
    let (ret, exact) = (Pc::Return(located.link), Pc::Exact(located.link));
    let (before, at) = (attribute(image, ret, None), attribute(image, exact, None));
    let same = before.candidates == at.candidates
        && before.fixup.as_ref().map(|f| f.landing) == at.fixup.as_ref().map(|f| f.landing);
    if same {
        return ret;
    }
    let start = match image.fixups().blocks_at(ret.lookup()).first() {
        Some(block) => image.fixups().blocks()[*block as usize].landing,
        None => match image.symbols().function(ret.lookup()) {
            Some(id) => image.symbols().range(id).0,
            None => return exact,
        },
    };
    match insn::call_before(image, start, located.link) {
        CallBefore::None => exact,
        _ => ret,
    }
}

/// `copy_user_enhanced_fast_string (fixup of +0x12; extable, control-flow)`
fn explain(a: &Attribution<'_>) -> String {
    let Some(fixup) = &a.fixup else {
        return "fixup code".to_owned();
    };
    let mut evidence: Vec<_> = fixup
        .origins
        .iter()
        .flat_map(|o| &o.evidence)
        .map(|e| e.name())
        .collect();
    evidence.sort_unstable();
    evidence.dedup();
    let evidence = evidence.join(", ");
    match &a.function {
        Some(function) => {
            let mut places: Vec<String> = fixup
                .origins
                .iter()
                .map(|o| format!("+{:#x}", o.offset))
                .collect();
            places.dedup();
            let name = demangle(function.name);
            let places = shorten(&places);
            format!("{name} (in the fixup of its instruction at {places}; by {evidence})")
        }
        None if a.candidates.is_empty() => "fixup code of unknown origin".to_owned(),
        None => {
            let names: Vec<String> = a
                .candidates
                .iter()
                .map(|f| demangle(f.name).into_owned())
                .collect();
            format!(
                "one of {} (in a fixup they share; by {evidence})",
                names.join(", ")
            )
        }
    }
}

fn shorten(places: &[String]) -> String {
    match places {
        [first, _, _, _, ..] => format!("{first} or {} others", places.len() - 1),
        _ => places.join(" or "),
    }
}
