//! The tables of patched places, packed for an index: those of the code that it keeps.

use crate::base::addr::LinkAddr;
use crate::base::column::GroupWriter;
use crate::formats::image::ElfImage;
use crate::formats::image::sites::stored::{ALL, COPIED, JUMPS, PARAVIRT};

/// Packs the tables of `image`, as far as `kept` says that the code is kept; what is more than 4 GiB from `base` is left
/// out.
pub(crate) fn pack(
    image: &ElfImage<'_>,
    base: u64,
    kept: impl Fn(LinkAddr) -> bool,
) -> GroupWriter {
    let near = |at: LinkAddr| u32::try_from(at.0.checked_sub(base)?).ok();
    let place = |at: &LinkAddr| near(*at).filter(|_| kept(*at));
    let mut has = 0u64;
    let mut columns: Vec<Vec<u32>> = Vec::new();
    for site in ALL {
        let found = image.read_places(site);
        has |= u64::from(found.is_some()) << site as usize;
        columns.push(found.iter().flatten().filter_map(place).collect());
    }
    let jumps = image.read_jumps();
    has |= u64::from(jumps.is_some()) << JUMPS;
    let rows = jumps.iter().flatten();
    let rows = rows.filter_map(|(code, target)| Some((place(code)?, near(*target)?)));
    let (code, target) = rows.unzip();
    columns.extend([code, target]);
    let paravirt = image.read_paravirt();
    has |= u64::from(paravirt.is_some()) << PARAVIRT;
    let rows = paravirt.iter().flatten();
    let (at, lens) = rows
        .filter_map(|(at, len)| Some((place(at)?, u32::from(*len))))
        .unzip();
    columns.extend([at, lens]);
    columns.push(image.read_constants().iter().filter_map(place).collect());
    let templates = COPIED.map(|b| {
        let found = image
            .between(b)
            .and_then(|(at, code)| Some((near(at)?, code)));
        found.unwrap_or_default()
    });
    columns.push(templates.iter().map(|(at, _)| *at).collect());
    columns.push(
        templates
            .iter()
            .map(|(_, code)| code.len() as u32)
            .collect(),
    );
    let mut group = GroupWriter::default();
    group.scalar(base).scalar(has);
    for column in &columns {
        group.column(column);
    }
    group.raw(
        templates
            .iter()
            .flat_map(|(_, code)| *code)
            .copied()
            .collect(),
        1,
    );
    group
}
