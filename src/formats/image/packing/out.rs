//! Unpacked bytes on their way.

use std::io::{self, Write};

/// Bytes that are unpacked at once, about.
const CHUNK: usize = 1 << 17;

/// Unpacked bytes that were not read yet.
#[derive(Default)]
pub(super) struct Out {
    bytes: Vec<u8>,
    from: usize,
    to: usize,
}

impl Out {
    /// Where more can be written.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.bytes.is_empty() {
            self.bytes = vec![0; CHUNK];
        }
        &mut self.bytes[self.to..]
    }

    /// So many bytes were written there; gives them.
    pub(super) fn wrote(&mut self, len: usize) -> &[u8] {
        let from = self.to;
        self.to = self.bytes.len().min(from.saturating_add(len));
        &self.bytes[from..self.to]
    }

    /// Whether all were read.
    pub(super) fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// Begins anew; what was read is gone.
    pub(super) fn clear(&mut self) {
        (self.from, self.to) = (0, 0);
    }

    /// Gives as many of them as fit.
    pub(super) fn read(&mut self, out: &mut [u8]) -> usize {
        let rest = &self.bytes[self.from..self.to];
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        self.from += len;
        len
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.truncate(self.to);
        self.bytes.extend_from_slice(bytes);
        self.to = self.bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
