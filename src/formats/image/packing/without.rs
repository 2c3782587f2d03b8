//! Built without decompressors.

use std::convert::Infallible;
use std::io::{self, Read};

use super::kind::Packing;
use crate::base::error::{Error, ErrorKind, Finding, Result};
use crate::base::limits::Limits;

/// The contents of a packed file, which there are none of.
pub struct Unpack<R>(Infallible, R);

impl<R: Read> Unpack<R> {
    /// Unpacks `input`.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn new(packing: Packing, _: R) -> Result<Self> {
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("{packing:?}: built without the feature `compression`"),
        ))
    }

    /// The same within limits.
    pub fn within(self, _: &Limits) -> Self {
        self
    }

    /// What was wrong so far.
    pub fn findings(&self) -> &[Finding] {
        match self.0 {}
    }

    /// Steps of work that what was read so far may take.
    pub fn steps(&self) -> u64 {
        match self.0 {}
    }

    /// Whether what was read so far is packed at all.
    pub fn begun(&self) -> bool {
        match self.0 {}
    }
}

impl<R: Read> Read for Unpack<R> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }
}
