//! Errors of the library as exceptions.

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(
    _fixtrace,
    FixtraceError,
    PyException,
    "What went wrong, with the file and the place in it. `kind` names it: `NotFound`, `WrongImage`, …"
);

/// `e` as an exception.
pub fn raised(e: &fixtrace::Error) -> PyErr {
    let error = FixtraceError::new_err(e.to_string());
    Python::attach(|py| {
        let kind = format!("{:?}", e.kind());
        // An instance takes attributes.
        let _ = error.value(py).setattr("kind", kind);
    });
    error
}
