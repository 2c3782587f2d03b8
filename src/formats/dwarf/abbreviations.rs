//! Tables of abbreviations. Units may share one: it is not read for each of them anew.

#[cfg(feature = "validate")]
use std::sync::OnceLock;
use std::sync::{Arc, Mutex};

use gimli::{Abbreviations, DebugAbbrev, DebugAbbrevOffset, Section as _};

use super::sections::Slice;
use crate::base::column::Stream;
use crate::base::parallel::locked;
use crate::base::work::Work;

/// Tables kept, and bytes of them (beside the last) together: units that share one mostly follow each other.
const KEPT: usize = 16;
const KEPT_BYTES: usize = 1 << 18;

/// Steps of work that a byte of a table counts for: abbreviations are allocated one by one.
const STEPS: u64 = 16;

/// A table, and what it takes to read it.
pub(super) struct Table {
    pub all: Arc<Abbreviations>,
    /// Bytes of it.
    len: usize,
    /// Whether no entry refers to those of other units.
    #[cfg(feature = "validate")]
    alone: OnceLock<bool>,
}

/// The tables read last.
#[derive(Default)]
pub(super) struct Tables(Mutex<Vec<(Key, Arc<Table>)>>);

/// Where a section is in memory, and where a table is in it: sections of several files are at hand.
type Key = (usize, usize);

impl Tables {
    /// The table at `offset` of `section`.
    ///
    /// # Errors
    ///
    /// When it is broken, or no more work may be done.
    pub(crate) fn get(
        &self,
        section: &DebugAbbrev<Slice<'_>>,
        offset: DebugAbbrevOffset,
        work: &Work,
    ) -> gimli::Result<Arc<Table>> {
        let bytes = section.reader().slice();
        let key = (bytes.as_ptr() as usize, offset.0);
        let known = locked(&self.0);
        if let Some((_, table)) = known.iter().find(|(k, _)| *k == key) {
            return Ok(table.clone());
        }
        drop(known);
        // To measure a table is work, too.
        if work.is_used_up() {
            return Err(gimli::Error::TooManyIterations);
        }
        let own = bytes.get(offset.0..).unwrap_or_default();
        let len = own.len() - after(own).len();
        if !work.take(STEPS * len as u64) {
            return Err(gimli::Error::TooManyIterations);
        }
        let table = Arc::new(Table {
            all: Arc::new(section.abbreviations(offset)?),
            len,
            #[cfg(feature = "validate")]
            alone: OnceLock::new(),
        });
        let mut known = locked(&self.0);
        let mut bytes: usize = known.iter().map(|(_, t)| t.len).sum();
        while !known.is_empty() && (known.len() >= KEPT || bytes > KEPT_BYTES) {
            bytes -= known.remove(0).1.len;
        }
        known.push((key, table.clone()));
        Ok(table)
    }
}

impl Table {
    /// Whether no entry refers to those of other units or files, and none stands for one there (DWARF 5, section 7.5.3);
    /// `own` are the bytes from the table on.
    #[cfg(feature = "validate")]
    pub(crate) fn stands_alone(&self, own: &[u8]) -> bool {
        let away = |name: u64, form: gimli::DwForm| {
            let away = matches!(
                form,
                gimli::DW_FORM_ref_addr
                    | gimli::DW_FORM_GNU_ref_alt
                    | gimli::DW_FORM_ref_sup4
                    | gimli::DW_FORM_ref_sup8
                    | gimli::DW_FORM_strp_sup
                    | gimli::DW_FORM_GNU_strp_alt
            );
            away || name == u64::from(gimli::DW_AT_GNU_dwo_name.0)
        };
        *self.alone.get_or_init(|| {
            let mut met = false;
            let end = walk(own, |name, form| met |= away(name, form));
            end.is_some() && !met
        })
    }
}

/// What stands behind the table at the beginning of `bytes`; nothing, where that is broken.
fn after(bytes: &[u8]) -> &[u8] {
    walk(bytes, |_, _| {}).unwrap_or_default()
}

/// Goes through the table at the beginning of `bytes` (DWARF 5, section 7.5.3), calls `each` with the attributes, and
/// gives what stands behind it.
fn walk(bytes: &[u8], mut each: impl FnMut(u64, gimli::DwForm)) -> Option<&[u8]> {
    let mut all = Stream::new(bytes);
    while all.varint()? != 0 {
        all.varint()?;
        all.byte()?;
        loop {
            let (name, form) = (all.varint()?, all.varint()?);
            let form = gimli::DwForm(u16::try_from(form).ok()?);
            if form == gimli::DW_FORM_implicit_const {
                all.leb128()?;
            }
            if name == 0 && form.0 == 0 {
                break;
            }
            each(name, form);
        }
    }
    Some(all.rest())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gimli::{EndianSlice, LittleEndian};

    /// Two tables of one abbreviation each, one of them with a reference to another unit.
    const TWO: &[u8] = &[
        1, 0x11, 0, 0x03, 0x08, 0, 0, 0, 1, 0x2e, 0, 0x31, 0x10, 0, 0, 0, 9,
    ];

    fn tables(work: u64) -> (Tables, Work, DebugAbbrev<Slice<'static>>) {
        let section = DebugAbbrev::from(EndianSlice::new(TWO, LittleEndian));
        (Tables::default(), Work::of(work), section)
    }

    #[test]
    fn a_table_is_read_once_and_counted_by_its_bytes() {
        let (tables, work, section) = tables(16 * STEPS);
        for at in [0, 8, 0, 8, 0] {
            let table = tables.get(&section, DebugAbbrevOffset(at), &work).unwrap();
            assert_eq!(table.len, 8);
        }
        // Another one would be the third.
        let at = DebugAbbrevOffset(16);
        assert!(tables.get(&section, at, &work).is_err() && work.is_used_up());
    }

    #[cfg(feature = "validate")]
    #[test]
    fn a_reference_to_another_unit_is_seen() {
        let (tables, work, section) = tables(100 * STEPS);
        let alone = |at: usize| {
            let table = tables.get(&section, DebugAbbrevOffset(at), &work).unwrap();
            table.stands_alone(&TWO[at..])
        };
        assert_eq!([alone(0), alone(8)], [true, false]);
    }
}
