//! Whether the parts of a table agree in size: sections, and the symbols between which the kernel looks.

use crate::base::addr::{Address, LinkAddr};
use crate::formats::image::{ElfImage, ImageKind, Section};

/// Bytes of an address and of a row of ORC.
const ORC: [(&str, u64); 2] = [(".orc_unwind_ip", 4), (".orc_unwind", 6)];

/// How the parts of the ORC table disagree; `None` also where there is no table. A file that only keeps debug
/// information has sections without bytes: that is no table.
pub(super) fn orc_disagreement(image: &ElfImage<'_>) -> Option<String> {
    let [ips, rows] = ORC.map(|(name, _)| table(image, name));
    let (ips, rows) = match (ips, rows) {
        (None, None) => return None,
        (Some(_), None) => return Some("there is .orc_unwind_ip, and no .orc_unwind".to_owned()),
        (None, Some(_)) => return Some("there is .orc_unwind, and no .orc_unwind_ip".to_owned()),
        (Some(ips), Some(rows)) => (ips, rows),
    };
    let own = [(ips, ORC[0].1), (rows, ORC[1].1)];
    if let Some(why) = own.iter().find_map(|(s, size)| uneven(s, *size)) {
        return Some(why);
    }
    let (addresses, held) = (ips.size / ORC[0].1, rows.size / ORC[1].1);
    if addresses != held {
        return Some(format!(
            ".orc_unwind_ip holds {addresses} addresses, .orc_unwind {held} rows"
        ));
    }
    let marks = [
        "__start_orc_unwind_ip",
        "__stop_orc_unwind_ip",
        "__start_orc_unwind",
        "__stop_orc_unwind",
    ];
    let [a, b, c, d] = marked(image, marks);
    outside(ips, [a, b], [marks[0], marks[1]], ORC[0].1)
        .or_else(|| outside(rows, [c, d], [marks[2], marks[3]], ORC[1].1))
}

/// The same of the exception table, whose rows have `size` bytes.
pub(super) fn extable_disagreement(image: &ElfImage<'_>, size: u64) -> Option<String> {
    let section = table(image, "__ex_table")?;
    let marks = ["__start___ex_table", "__stop___ex_table"];
    uneven(section, size).or_else(|| outside(section, marked(image, marks), marks, size))
}

/// The section called `name`, if it is to have bytes.
pub(super) fn table<'i, 'd>(image: &'i ElfImage<'d>, name: &str) -> Option<&'i Section<'d>> {
    /// `SHT_NOBITS`
    const NOBITS: u32 = 8;
    let section = image.section(name)?;
    (section.kind != NOBITS && section.size > 0).then_some(section)
}

/// The symbols that mark where the kernel looks; modules have none.
fn marked<const N: usize>(image: &ElfImage<'_>, names: [&str; N]) -> [Option<LinkAddr>; N] {
    match image.kind() {
        ImageKind::Vmlinux => image.data_addresses(names),
        _ => [None; N],
    }
}

/// Whether the file ends within `section`, or the section within a row.
fn uneven(section: &Section<'_>, size: u64) -> Option<String> {
    let (name, bytes) = (section.name, section.size);
    if section.data.len() as u64 != bytes {
        return Some(format!(
            "{name} has {bytes} bytes, and the file ends before"
        ));
    }
    let rest = bytes % size;
    (rest != 0).then(|| format!("{name} has {bytes} bytes: {rest} behind the last row of {size}"))
}

/// How `section` differs from what lies between the symbols `marks`, which are called `names`.
fn outside(
    section: &Section<'_>,
    marks: [Option<LinkAddr>; 2],
    names: [&str; 2],
    size: u64,
) -> Option<String> {
    let start = section.addr?;
    let own = [start, start.offset(section.size as i64)];
    let wrong = (0..2).find(|i| marks[*i].is_some_and(|m| m != own[*i]))?;
    let [from, to] = [0, 1].map(|i| marks[i].unwrap_or(own[i]));
    let rows = section.size / size.max(1);
    Some(match to.since(from) {
        Some(bytes) => format!(
            "{} holds {rows} rows, and between {} and {} are {}",
            section.name,
            names[0],
            names[1],
            bytes / size.max(1)
        ),
        None => format!("{} lies outside {}", names[wrong], section.name),
    })
}
