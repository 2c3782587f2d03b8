//! What an index tells of its image as a whole: names, release, sections, imports.

use crate::base::addr::LinkAddr;
use crate::base::column::{Stream, put_varint};
use crate::base::strings::{StringPool, Strings};
use crate::formats::image::{ElfImage, Section};

/// A small section is kept whole if attribution or identification reads it; longer ones are not small.
const MAX_KEPT: usize = 1 << 16;

/// Names, sections and imports of an image.
#[derive(Default)]
pub struct Meta<'d> {
    /// `vmlinux`, or the module's name.
    pub name: &'d str,
    /// Kernel release.
    pub release: Option<&'d str>,
    /// All sections, in header order.
    pub sections: Vec<Section<'d>>,
    /// Names of undefined symbols (modules only).
    pub imports: Vec<&'d str>,
}

/// Sections whose bytes are kept.
fn is_kept(s: &Section<'_>) -> bool {
    let named = s.name.starts_with(".note") || matches!(s.name, ".modinfo" | ".gnu_debuglink");
    named && s.data.len() <= MAX_KEPT
}

/// Packs what is told of `image`, whose sections are to be `sections`: the stream, and the bytes kept.
pub(super) fn pack(
    image: &ElfImage<'_>,
    sections: &[Section<'_>],
    strings: &mut StringPool,
) -> (Vec<u8>, Vec<u8>) {
    let (mut out, mut kept) = (Vec::new(), Vec::new());
    let mut put = |n: u64| put_varint(&mut out, n);
    put(strings.add(image.name()).into());
    put(strings.add(image.release().unwrap_or_default()).into());
    put(sections.len() as u64);
    for s in sections {
        put(strings.add(s.name).into());
        put(s.kind.into());
        put(s.flags);
        // An address and whether there is one.
        put(s.addr.is_some().into());
        put(s.addr.unwrap_or_default().0);
        put(s.size);
        put(s.offset);
        put(s.entsize);
        let data = if is_kept(s) { s.data } else { &[] };
        put(data.len() as u64);
        kept.extend_from_slice(data);
    }
    let imports = image.imports();
    put(imports.len() as u64);
    for name in imports {
        put(strings.add(name).into());
    }
    (out, kept)
}

/// Reads what [`pack`] wrote; `None` when it is damaged.
pub(super) fn read<'d>(bytes: &'d [u8], kept: &'d [u8], strings: Strings<'d>) -> Option<Meta<'d>> {
    let mut s = Stream::new(bytes);
    let text = |s: &mut Stream<'d>| strings.get(s.u32()?);
    let (name, release) = (text(&mut s)?, text(&mut s)?);
    let mut kept_at = 0usize;
    let mut sections = Vec::new();
    for _ in 0..s.count()? {
        let (name, kind, flags) = (text(&mut s)?, s.u32()?, s.varint()?);
        let (loaded, addr, size) = (s.varint()? != 0, s.varint()?, s.varint()?);
        let (offset, entsize, len) = (s.varint()?, s.varint()?, s.u32()? as usize);
        let end = kept_at.checked_add(len)?;
        sections.push(Section {
            name,
            addr: loaded.then_some(LinkAddr(addr)),
            size,
            flags,
            kind,
            offset,
            entsize,
            data: kept.get(kept_at..end)?,
        });
        kept_at = end;
    }
    let imports = (0..s.count()?)
        .map(|_| text(&mut s))
        .collect::<Option<Vec<_>>>()?;
    let whole = s.is_done() && kept_at == kept.len();
    whole.then_some(Meta {
        name,
        release: Some(release).filter(|r| !r.is_empty()),
        sections,
        imports,
    })
}
