//! The ORC table: for every text address, where the frame is.

mod absent;
pub mod distinct;
pub mod entry;
mod raw;
pub mod version;

pub use absent::NoOrc;
use distinct::Distinct;
pub use entry::{OrcEntry, OrcKind, OrcReg};
pub use raw::{ENTRY_SIZE, RawEntry};
pub use version::{OrcVersion, Rung, SpIndirect};

use crate::base::addr::{Address, LinkAddr};
use crate::base::error::{Error, ErrorKind, Finding, Result};
use crate::base::table::Table;
use crate::formats::image::{ElfImage, ImageKind};
use crate::formats::types::btf::Btf;

/// The ORC table of one image.
pub struct OrcTable<'d> {
    version: OrcVersion,
    rung: Rung,
    keys: Table<'d>,
    rows: Rows<'d>,
    sp_indirect: SpIndirect,
    contradiction: Option<Contradiction>,
    findings: Vec<Finding>,
}

/// What a witness says of the format, and what the rows look like instead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contradiction {
    /// The witness.
    pub rung: Rung,
    /// The version that it says.
    pub said: OrcVersion,
    /// The version that the rows have.
    pub rows: OrcVersion,
}

/// Where the rows are.
enum Rows<'d> {
    /// In `.orc_unwind`, and the row there per row of the table when the file's order is another.
    Section(&'d [RawEntry], Option<Vec<u32>>),
    /// Numbers of distinct rows, in an index.
    Distinct(Distinct<'d>),
}

/// What is known of a table before its rows are read; all parts may be missing.
#[derive(Clone, Copy, Default)]
pub struct Hints<'a> {
    /// The version of the kernel's rows, which loaded this module.
    pub version: Option<OrcVersion>,
    /// Content of `.orc_header`.
    pub header: Option<&'a [u8]>,
    /// Members of `struct orc_entry`.
    pub members: Option<&'a [&'a str]>,
    /// Bytes of `orc_fp_entry`.
    pub fp_entry: Option<&'a RawEntry>,
    /// Kernel release.
    pub release: Option<&'a str>,
}

impl<'d> OrcTable<'d> {
    /// Reads the table of `image`; `None` when it has none.
    pub(crate) fn of(image: &ElfImage<'d>) -> Result<Option<Self>> {
        Self::of_version(image, None)
    }

    /// The same of a module, whose kernel's table has rows of this version.
    pub(crate) fn of_version(
        image: &ElfImage<'d>,
        version: Option<OrcVersion>,
    ) -> Result<Option<Self>> {
        let (Some(ips), Some(rows)) = (
            image.section(".orc_unwind_ip"),
            image.section(".orc_unwind"),
        ) else {
            return Ok(None);
        };
        let header = image.section(".orc_header").map(|s| s.data);
        // BTF costs a walk over all types: only asked for when the header does not decide.
        let members = match header.and_then(version::by_hash) {
            Some(_) => None,
            None => image.section(".BTF").and_then(|s| {
                let btf = Btf::parse(s.data)?;
                Some(btf.member_names(btf.composite("orc_entry")?))
            }),
        };
        let hints = Hints {
            version,
            header,
            members: members.as_deref(),
            fp_entry: None,
            release: image.release(),
        };
        let fp_entry = image
            .data_symbol("orc_fp_entry")
            .and_then(|b| b.first_chunk());
        let hints = Hints { fp_entry, ..hints };
        let sorted_by_loader = image.kind() == ImageKind::Module;
        Self::parse(
            ips.addr.unwrap_or_default(),
            ips.data,
            rows.data,
            hints,
            sorted_by_loader,
        )
        .map(Some)
    }

    /// Parses `.orc_unwind_ip` (linked at `ip_addr`) and `.orc_unwind`. A table whose rows are not sorted is
    /// sorted; unless `unsorted_expected`, that is a finding.
    ///
    /// # Errors
    ///
    /// When the sections do not fit each other, the rows reach over 4 GiB, or their version cannot be told.
    pub fn parse(
        ip_addr: LinkAddr,
        ips: &[u8],
        rows: &'d [u8],
        hints: Hints<'_>,
        unsorted_expected: bool,
    ) -> Result<Self> {
        let (rows, rest) = rows.as_chunks::<ENTRY_SIZE>();
        let slots = ips.len() / 4;
        if !rest.is_empty() || !ips.len().is_multiple_of(4) || slots != rows.len() {
            let what = format!(
                "{} bytes of rows do not match {} bytes of addresses",
                rows.len() * 6 + rest.len(),
                ips.len()
            );
            return Err(Error::new(ErrorKind::Malformed, what)
                .in_section(".orc_unwind")
                .at(0));
        }
        let mut findings = Vec::new();
        let (version, rung, contradiction) = detect(rows, hints, &mut findings)?;
        let (values, _) = ips.as_chunks::<4>();
        let slot = (0i64..).map(|row| ip_addr.offset(row * 4));
        let at = values.iter().zip(slot);
        let at: Vec<u64> = at
            .map(|(value, slot)| slot.offset(i32::from_le_bytes(*value).into()).0)
            .collect();
        let base = at.iter().copied().min().unwrap_or(0);
        let top = at.iter().copied().max().unwrap_or(0);
        if top - base > u64::from(u32::MAX) {
            return Err(Error::new(
                ErrorKind::Malformed,
                format!("addresses reach from {base:#x} to {top:#x}, over 4 GiB"),
            )
            .in_section(".orc_unwind_ip")
            .at(0));
        }
        let sorted = at.is_sorted();
        let keys: Vec<u32> = at.iter().map(|at| (at - base) as u32).collect();
        drop(at);
        let terminates = |row: usize| {
            let row = rows.get(row);
            row.is_some_and(|row| OrcEntry::decode(row, version).is_terminator())
        };
        // Rightmost of equal addresses wins a lookup, so terminators go first (lib: `orc_sort_cmp()`).
        let ties_right = || {
            let mut pairs = keys.windows(2).zip(1..);
            pairs.all(|(pair, row)| pair[0] != pair[1] || !terminates(row))
        };
        let (keys, order) = if sorted && ties_right() {
            (keys, None)
        } else {
            if !sorted && !unsorted_expected {
                findings.push(Finding::new(
                    ".orc_unwind_ip",
                    0,
                    "rows are not sorted; sorted them",
                ));
            }
            let mut order: Vec<(u32, bool, u32)> = keys
                .iter()
                .zip(0u32..)
                .map(|(key, row)| (*key, !terminates(row as usize), row))
                .collect();
            // By row last: a stable order.
            order.sort_unstable();
            let keys = order.iter().map(|(key, ..)| *key).collect();
            (keys, Some(order.into_iter().map(|(.., row)| row).collect()))
        };
        let keys = Table::new(base, keys).unwrap_or_default();
        Ok(OrcTable {
            version,
            rung,
            keys,
            rows: Rows::Section(rows, order),
            sp_indirect: SpIndirect::of_release(hints.release),
            contradiction,
            findings,
        })
    }

    /// A table out of an index.
    pub(crate) fn from_distinct(
        version: OrcVersion,
        rung: Rung,
        keys: Table<'d>,
        rows: Distinct<'d>,
        release: Option<&str>,
    ) -> Self {
        OrcTable {
            version,
            rung,
            keys,
            rows: Rows::Distinct(rows),
            sp_indirect: SpIndirect::of_release(release),
            contradiction: None,
            findings: Vec::new(),
        }
    }

    /// What SP_INDIRECT rows mean, by the release.
    pub fn sp_indirect(&self) -> SpIndirect {
        self.sp_indirect
    }

    /// The format of the rows.
    pub fn version(&self) -> OrcVersion {
        self.version
    }

    /// Which witness decided on the format.
    pub fn rung(&self) -> Rung {
        self.rung
    }

    /// The witness that should decide on the format, where the rows look like another.
    pub fn contradiction(&self) -> Option<Contradiction> {
        self.contradiction
    }

    /// Oddities met.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys, as a table.
    pub fn keys(&self) -> &Table<'d> {
        &self.keys
    }

    /// Row `row` in address order, as stored.
    pub fn raw(&self, row: usize) -> Option<&'d RawEntry> {
        match &self.rows {
            Rows::Section(rows, Some(order)) => rows.get(*order.get(row)? as usize),
            Rows::Section(rows, None) => rows.get(row),
            Rows::Distinct(rows) => rows.get(row),
        }
    }

    /// Row `row` in address order, and its address.
    pub fn row(&self, row: usize) -> Option<(LinkAddr, OrcEntry)> {
        Some((
            LinkAddr(self.keys.address(row)?),
            OrcEntry::decode(self.raw(row)?, self.version),
        ))
    }

    /// All rows in address order.
    pub fn iter(&self) -> impl Iterator<Item = (LinkAddr, OrcEntry)> + '_ {
        let rows = self.keys.addresses().enumerate();
        rows.filter_map(|(r, at)| {
            Some((LinkAddr(at), OrcEntry::decode(self.raw(r)?, self.version)))
        })
    }

    /// The row that covers `at`, and its number.
    pub fn find(&self, at: LinkAddr) -> Option<(usize, OrcEntry)> {
        let row = self.keys.find(at.0)?;
        Some((row, OrcEntry::decode(self.raw(row)?, self.version)))
    }
}

/// Goes down the ladder; a contradiction between the rung that decides and the rows is a finding.
fn detect(
    rows: &[RawEntry],
    hints: Hints<'_>,
    findings: &mut Vec<Finding>,
) -> Result<(OrcVersion, Rung, Option<Contradiction>)> {
    let by_rows = version::by_rows(rows);
    let by_hash = hints.header.and_then(version::by_hash);
    if let (Some(header), None) = (hints.header, by_hash) {
        let what = format!(
            "unknown format hash {}",
            crate::formats::image::note::hex(&header[..header.len().min(20)])
        );
        findings.push(Finding::new(".orc_header", 0, what));
    }
    let found = (by_hash.map(|v| (v, Rung::Header)))
        .or_else(|| Some((hints.version?, Rung::Vmlinux)))
        .or_else(|| Some((version::by_members(hints.members?, by_rows)?, Rung::Btf)))
        .or_else(|| Some((version::by_fp_entry(hints.fp_entry?)?, Rung::FpEntry)))
        .or_else(|| Some((version::by_release(hints.release?)?, Rung::Release)))
        .or_else(|| Some((by_rows?, Rung::Rows)));
    let Some((decided, rung)) = found else {
        let what = "neither header, BTF, orc_fp_entry, release nor the rows tell the format";
        return Err(Error::new(ErrorKind::Unsupported, what)
            .in_section(".orc_unwind")
            .at(0));
    };
    // Rows can only tell the three register layouts apart for sure.
    let Some(rows) = by_rows.filter(|rows| rows.class() != decided.class()) else {
        return Ok((decided, rung, None));
    };
    let contradiction = Some(Contradiction {
        rung,
        said: decided,
        rows,
    });
    if matches!(rung, Rung::Header | Rung::Vmlinux) {
        findings.push(Finding::new(
            ".orc_unwind",
            0,
            format!("{rung} says version {decided}, but the rows look like version {rows}"),
        ));
        return Ok((decided, rung, contradiction));
    }
    findings.push(Finding::new(
        ".orc_unwind",
        0,
        format!("{rung} says version {decided}, but the rows are version {rows}; taken as {rows}"),
    ));
    Ok((rows, Rung::Rows, contradiction))
}

#[cfg(test)]
mod tests;
