//! JSON objects as dicts.

use fixtrace::low::products::report::json::Serialize;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// `value` as Python has it.
pub fn object<'py>(py: Python<'py>, value: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    pythonize::pythonize(py, value).map_err(|e| PyValueError::new_err(e.to_string()))
}
