//! Reports of many logs as rows, or as columns, which tables are made of.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use fixtrace::low::base::parallel;
use fixtrace::low::products::report::json;
use fixtrace::{Row, RowFrame};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::log::Text;
use crate::options::options;
use crate::twin::object;

/// At most so many threads at a time from now on, in the whole process; 0 for as many as there are processors.
#[pyfunction]
pub fn set_threads(threads: usize) {
    parallel::limit(threads);
}

/// Makes rows of logs; images are opened once, by what the logs say unless they are named as for a Session.
#[pyclass(frozen, module = "fixtrace")]
pub struct Batch {
    batch: fixtrace::Batch,
    /// What was noticed since that was asked last; each once.
    noticed: Mutex<BTreeSet<String>>,
}

/// Things that are noticed, at most.
const MOST: usize = 4096;

#[pymethods]
impl Batch {
    #[new]
    #[pyo3(signature = (vmlinux=None, *, verdicts=false, **named))]
    fn new(
        vmlinux: Option<PathBuf>,
        verdicts: bool,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let batch = fixtrace::Batch::new(options(vmlinux, named)?);
        Ok(Batch {
            batch: match verdicts {
                true => batch.verdicts(),
                false => batch,
            },
            noticed: Mutex::default(),
        })
    }

    /// What was noticed of images since this was asked last: those that are not found, or are of another kernel.
    fn noticed(&self) -> Vec<String> {
        let noticed = self.noticed.lock();
        let mut noticed = noticed.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *noticed).into_iter().collect()
    }

    /// A row for each report of `texts`, log after log: dicts of fixtrace.row/1.
    fn rows<'py>(&self, py: Python<'py>, texts: Vec<Text>) -> PyResult<Bound<'py, PyList>> {
        let rows = self.made(py, &texts);
        let all = PyList::empty(py);
        for row in &rows {
            all.append(object(py, &json::row::Row::new(row))?)?;
        }
        Ok(all)
    }

    /// The same as columns, for tables: a list for each field; of lists their offsets, with their items beside.
    fn _columns<'py>(&self, py: Python<'py>, texts: Vec<Text>) -> PyResult<Bound<'py, PyDict>> {
        let rows = self.made(py, &texts);
        let all = PyDict::new(py);
        macro_rules! plain {
            ($of:ident, $before:literal: $($field:ident),*) => {$(
                let column = PyList::new(py, $of.iter().map(|row| &row.$field))?;
                all.set_item(concat!($before, stringify!($field)), column)?;
            )*};
        }
        macro_rules! lists {
            ($of:ident, $before:literal: $($field:ident),*) => {$(
                let name = concat!($before, stringify!($field));
                all.set_item(name, offsets($of.iter().map(|row| row.$field.len())))?;
                let items = $of.iter().flat_map(|row| &row.$field);
                all.set_item(format!("{name}[]"), PyList::new(py, items.collect::<Vec<_>>())?)?;
            )*};
        }
        plain!(rows, "": log, line, kind, title, culprit, what, release, build_id, pid, comm, cpu, reliable, complete);
        lists!(rows, "": signature, functions, doubts);
        all.set_item("frames", offsets(rows.iter().map(|row| row.frames.len())))?;
        let frames: Vec<&RowFrame> = rows.iter().flat_map(|row| &row.frames).collect();
        plain!(frames, "frames.": printed, guess, function, image, basis, certainty);
        lists!(frames, "frames.": candidates);
        Ok(all)
    }
}

impl Batch {
    fn made(&self, py: Python<'_>, texts: &[Text]) -> Vec<Row> {
        py.detach(|| {
            let (rows, new) = self.batch.rows(texts);
            let noticed = self.noticed.lock();
            let mut noticed = noticed.unwrap_or_else(PoisonError::into_inner);
            let free = MOST.saturating_sub(noticed.len());
            noticed.extend(new.iter().take(free).map(ToString::to_string));
            rows
        })
    }
}

/// Where lists of these `lengths` begin in one list of their items, and where the last one ends.
fn offsets(lengths: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut all = vec![0];
    let mut end = 0;
    for length in lengths {
        end += length;
        all.push(end);
    }
    all
}
