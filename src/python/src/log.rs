//! Logs: text or bytes.

use fixtrace::Limits;
use fixtrace::low::products::report::json;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::errors::raised;
use crate::twin::object;

/// A log, as it was given.
#[derive(FromPyObject)]
pub enum Text {
    /// Text.
    #[pyo3(transparent)]
    Str(String),
    /// Bytes of it, of any encoding.
    #[pyo3(transparent)]
    Bytes(Vec<u8>),
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        match self {
            Text::Str(text) => text.as_bytes(),
            Text::Bytes(bytes) => bytes,
        }
    }
}

impl Text {
    /// `bytes` as this is.
    pub fn like<'py>(&self, py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyAny> {
        match self {
            // What was added to text is text.
            Text::Str(_) => PyString::new(py, &String::from_utf8_lossy(bytes)).into_any(),
            Text::Bytes(_) => PyBytes::new(py, bytes).into_any(),
        }
    }
}

/// The reports of `log`, told without any image: dicts of fixtrace.oops/1.
#[pyfunction]
#[pyo3(signature = (log, name=None))]
pub fn reports<'py>(
    py: Python<'py>,
    log: Text,
    name: Option<String>,
) -> PyResult<Bound<'py, PyList>> {
    of(py, None, &log, name.as_deref())
}

/// The reports of `log`, told by what `session` has.
pub fn of<'py>(
    py: Python<'py>,
    session: Option<&fixtrace::Session>,
    log: &Text,
    name: Option<&str>,
) -> PyResult<Bound<'py, PyList>> {
    let limits = Limits::default();
    let found = py.detach(|| {
        json::reports::each(session, log.as_ref(), &limits, name, |report| {
            json::value(report)
        })
    });
    let dicts = PyList::empty(py);
    for report in found.map_err(|e| raised(&e))? {
        dicts.append(object(py, &report)?)?;
    }
    Ok(dicts)
}
