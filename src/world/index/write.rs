//! Writing an index: every table packed, then all put together.

use super::format::{Header, SectionId, assemble};
use super::select::{Selection, inside};
use super::{cfi, code, data, fixups, meta, only, orc, symbols};
use crate::base::addr::{Address, LinkAddr};
use crate::base::column::GroupWriter;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::strings::StringPool;
use crate::formats::callsites::CallSites;
use crate::formats::image::stored::{Excerpts, Stored};
use crate::formats::image::tables::pack;
use crate::formats::image::{ElfImage, Section};
use crate::world::image::Image;

/// What an index is to hold.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// No source lines.
    pub no_lines: bool,
    /// Only these functions, with what their answers need; all when empty.
    pub only: Vec<String>,
}

/// The index of `tables`.
///
/// # Errors
/// When the image is out of an index itself, has no function that is named in `options`, has source lines that cannot
/// be read, or a table of 4 GiB.
pub fn write(tables: &Image<'_>, options: &Options) -> Result<Vec<u8>> {
    let refuse = |what: String| Error::new(ErrorKind::Unsupported, what).in_file(tables.path());
    if tables.is_excerpt() {
        return Err(refuse("is an index already".to_owned()));
    }
    let keep = if options.only.is_empty() {
        Selection::all(tables)
    } else {
        let (selection, missing) = only::select(tables, &options.only);
        if !missing.is_empty() {
            let what = format!("no function {}", missing.join(", "));
            return Err(Error::new(ErrorKind::UnknownSymbol, what).in_file(tables.path()));
        }
        selection
    };
    if tables.fixups().is_cut() {
        return Err(refuse(
            "fixup code that is not followed in whole (limit work)".to_owned(),
        ));
    }
    // Names may share their ends in the image; here they do not.
    let most = tables
        .file_size()
        .saturating_mul(32)
        .saturating_add(64 << 20);
    let mut strings = StringPool::within(usize::try_from(most).unwrap_or(usize::MAX));
    let files = tables.symbols().source_files();
    let sections = sections(tables, &keep);
    let (meta, kept) = meta::pack(tables, &sections, &mut strings);
    let base = tables.text_sections().filter_map(|s| s.addr).min();
    let base = base.unwrap_or_default().0;
    let code = code::gather(tables, &keep);
    let group = |group: GroupWriter| {
        let whole = group.finish();
        whole.ok_or_else(|| refuse("a table of 4 GiB".to_owned()))
    };
    let mut out = vec![
        (SectionId::META, meta),
        (SectionId::KEPT, kept),
        (
            SectionId::SYMBOLS,
            group(symbols::pack(tables.symbols(), &files, &keep, &mut strings))?,
        ),
        (
            SectionId::EXTABLE,
            fixups::pack_extable(tables.extable(), &keep),
        ),
        (
            SectionId::FIXUPS,
            fixups::pack_fixups(tables.fixups(), &keep),
        ),
        (SectionId::CODE, group(Excerpts::pack(base, &code.pieces))?),
        (
            SectionId::CALLS,
            group(CallSites::pack(base, &code.callers.calls))?,
        ),
        (
            SectionId::ALTERNATIVES,
            group(Stored::pack_alternatives(base, &code.alternatives))?,
        ),
    ];
    let pieces = code.pieces.iter();
    let ranges: Vec<_> = pieces
        .map(|(at, bytes)| (*at, at.offset(bytes.len() as i64)))
        .collect();
    let kept = |at| inside(&ranges, at);
    out.push((SectionId::SITES, group(pack::pack(tables, base, kept))?));
    // A broken ORC table stays an error of the image; its index has none.
    if let Ok(Some(table)) = tables.orc() {
        out.push((SectionId::ORC, group(orc::pack(table, &keep))?));
    }
    if let Some(rows) = cfi::pack(tables, &keep) {
        out.push((SectionId::CFI, rows));
    }
    if let Some((symbols, types)) = data::pack(tables, &mut strings) {
        out.push((SectionId::DATA, symbols));
        out.push((SectionId::TYPES, types));
    }
    if !options.no_lines {
        let lines = tables.lines()?;
        let packed = lines.and_then(|l| l.pack(keep.ranges.as_deref(), &mut strings));
        if let Some(packed) = packed {
            out.push((SectionId::LINES, group(packed)?));
        }
    }
    if strings.is_full() {
        return Err(refuse(format!("names of more than {most} bytes together")));
    }
    out.insert(0, (SectionId::STRINGS, strings.finish()));
    let header = Header {
        kind: tables.kind(),
        bits: tables.bits(),
        build_id: tables.build_id().unwrap_or_default().to_vec(),
        partial: keep.ranges.is_some(),
        no_lines: options.no_lines,
        source_size: tables.file_size(),
        debug_size: debug_size(tables),
        sections: Vec::new(),
    };
    if header.build_id.len() > 32 {
        return Err(refuse("its build-id is longer than 32 bytes".to_owned()));
    }
    Ok(assemble(&header, &out))
}

/// Bytes of the separate debug file on disk; 0 when there is none.
fn debug_size(image: &ElfImage<'_>) -> u64 {
    if image.debug_path() == image.path() {
        return 0;
    }
    std::fs::metadata(image.debug_path()).map_or(0, |m| m.len())
}

/// The image's sections; of text only the pieces that are kept, each a section of the same name.
fn sections<'d>(image: &ElfImage<'d>, keep: &Selection) -> Vec<Section<'d>> {
    let Some(ranges) = &keep.ranges else {
        return image.sections().to_vec();
    };
    let mut out = Vec::new();
    for s in image.sections() {
        let Some(addr) = s.addr.filter(|_| s.is_text()) else {
            out.push(*s);
            continue;
        };
        let end = LinkAddr(addr.0.saturating_add(s.size));
        for (from, to) in ranges {
            let (from, to) = ((*from).max(addr), (*to).min(end));
            if from < to {
                out.push(Section {
                    addr: Some(from),
                    size: to.0 - from.0,
                    offset: s.offset + (from.0 - addr.0),
                    data: &[],
                    ..*s
                });
            }
        }
    }
    out
}
