//! Memory that a Python function reads.

use std::sync::Mutex;

use fixtrace::{Addr, Memory, Unreadable};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Memory that `read(address, length)` reads: it gives the bytes, or `None` where there are none. What it raises ends the
/// walk, and is raised once that is over.
pub struct Read {
    read: Py<PyAny>,
    raised: Mutex<Option<PyErr>>,
}

impl Read {
    pub fn new(read: Py<PyAny>) -> Self {
        Read {
            read,
            raised: Mutex::new(None),
        }
    }

    /// What it raised.
    pub fn finish(self) -> PyResult<()> {
        match self.raised.into_inner().unwrap_or_else(|e| e.into_inner()) {
            Some(e) => Err(e),
            None => Ok(()),
        }
    }

    fn has_raised(&self) -> bool {
        self.raised.lock().is_ok_and(|r| r.is_some())
    }

    fn asked(&self, py: Python<'_>, at: Addr, buf: &mut [u8]) -> PyResult<bool> {
        let found = self.read.call1(py, (at.0, buf.len()))?;
        let found = found.bind(py);
        if found.is_none() {
            return Ok(false);
        }
        let bytes = match found.cast::<PyBytes>() {
            Ok(bytes) => bytes.as_bytes().to_vec(),
            Err(_) => found.extract::<Vec<u8>>()?,
        };
        match bytes.len().cmp(&buf.len()) {
            std::cmp::Ordering::Less => Ok(false),
            std::cmp::Ordering::Equal => {
                buf.copy_from_slice(&bytes);
                Ok(true)
            }
            std::cmp::Ordering::Greater => Err(PyValueError::new_err(format!(
                "read({:#x}, {}) gave {} bytes",
                at.0,
                buf.len(),
                bytes.len()
            ))),
        }
    }
}

impl Memory for Read {
    fn read(&self, at: Addr, buf: &mut [u8]) -> Result<(), Unreadable> {
        if self.has_raised() {
            return Err(Unreadable::NotMapped);
        }
        match Python::attach(|py| self.asked(py, at, buf)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Unreadable::NotMapped),
            Err(e) => {
                *self.raised.lock().unwrap_or_else(|e| e.into_inner()) = Some(e);
                Err(Unreadable::NotMapped)
            }
        }
    }
}
