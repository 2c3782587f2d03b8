//! fixtrace for Python: the front door of the library, with the interpreter free while it works. `fixtrace/__init__.py`
//! is what people import; `fixtrace/__init__.pyi` says what is there.
#![deny(unsafe_code)]

mod dump;
mod errors;
mod frame;
mod log;
mod memory;
mod options;
mod rows;
mod session;
mod stack;
mod twin;

use pyo3::prelude::*;

/// The compiled part of `fixtrace`.
#[pymodule]
fn _fixtrace(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    m.add("Error", m.py().get_type::<errors::FixtraceError>())?;
    m.add_class::<session::Session>()?;
    m.add_class::<frame::Frame>()?;
    m.add_class::<stack::Stack>()?;
    m.add_class::<dump::Dump>()?;
    m.add_class::<dump::Task>()?;
    m.add_class::<rows::Batch>()?;
    m.add_function(wrap_pyfunction!(log::reports, m)?)?;
    m.add_function(wrap_pyfunction!(rows::set_threads, m)?)?;
    Ok(())
}
