//! file:line and inlined calls of a link address; the only place that names the crate `addr2line`.

use addr2line::{Context, LookupResult};
use gimli::{EndianSlice, LittleEndian, SectionId};

use crate::addr::LinkAddr;
use crate::error::{Error, ErrorKind, Result};
use crate::image::Image;

/// One level of a call chain that the compiler inlined.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inline {
    /// The function, demangled.
    pub function: Option<String>,
    /// The source file as DWARF names it, without `./`.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
}

/// The DWARF of one image.
pub struct Lines<'d> {
    context: Context<EndianSlice<'d, LittleEndian>>,
}

impl<'d> Lines<'d> {
    /// Reads the unit headers of `image`; `None` when it has no DWARF.
    pub fn of(image: &Image<'d>) -> Result<Option<Self>> {
        if !image.has_debug_info() {
            return Ok(None);
        }
        let load = |id: SectionId| {
            image
                .debug_section(id.name())
                .map(|data| EndianSlice::new(data, LittleEndian))
        };
        let dwarf = gimli::Dwarf::load(load)?;
        let broken = |e: gimli::Error| {
            Error::new(ErrorKind::Malformed, format!("DWARF: {e}")).in_file(image.path())
        };
        Context::from_dwarf(dwarf)
            .map(|context| Some(Lines { context }))
            .map_err(broken)
    }

    /// The calls that `at` lies in, innermost first; the last is the physical function. Empty when DWARF has
    /// nothing there.
    pub fn at(&self, at: LinkAddr) -> Vec<Inline> {
        let LookupResult::Output(Ok(mut frames)) = self.context.find_frames(at.0) else {
            return Vec::new();
        };
        let mut chain = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref().and_then(|f| f.raw_name().ok());
            let location = frame.location.as_ref();
            chain.push(Inline {
                function: name.map(|n| demangle(&n)),
                file: location
                    .and_then(|l| l.file)
                    .map(|f| f.strip_prefix("./").unwrap_or(f).to_owned()),
                line: location.and_then(|l| l.line),
                column: location.and_then(|l| l.column).filter(|c| *c > 0),
            });
        }
        chain
    }
}

/// A Rust symbol as its author wrote it; any other name as it is.
pub fn demangle(name: &str) -> String {
    match rustc_demangle::try_demangle(name) {
        Ok(demangled) => format!("{demangled:#}"),
        Err(_) => name.to_owned(),
    }
}
