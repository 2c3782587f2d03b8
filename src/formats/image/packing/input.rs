//! Packed bytes as they are read, and how many of them were taken.

use std::io::{self, Read};

/// Bytes read at once.
const CHUNK: usize = 1 << 16;

/// See the module text.
pub(super) struct Input<R> {
    inner: R,
    buffer: Vec<u8>,
    /// Where in `buffer` the bytes begin that were not taken yet.
    from: usize,
    /// Bytes taken so far.
    taken: u64,
    /// Whether more was asked for than there is.
    pub(super) ended: bool,
    /// Why no more can be read, if it is not the end.
    pub(super) failed: Option<io::Error>,
}

impl<R: Read> Input<R> {
    pub(super) fn new(inner: R) -> Self {
        Input {
            inner,
            buffer: Vec::new(),
            from: 0,
            taken: 0,
            ended: false,
            failed: None,
        }
    }

    /// Bytes taken so far: the offset of the next one.
    pub(super) fn at(&self) -> u64 {
        self.taken
    }

    /// Bytes read so far.
    pub(super) fn end(&self) -> u64 {
        self.taken + (self.buffer.len() - self.from) as u64
    }

    /// What comes next: `least` bytes and whatever was read with them; fewer at the end.
    pub(super) fn ahead(&mut self, least: usize) -> &[u8] {
        while self.buffer.len() - self.from < least && !self.ended {
            self.buffer.drain(..self.from);
            self.from = 0;
            let len = self.buffer.len();
            self.buffer.resize(len + CHUNK, 0);
            let read = loop {
                match self.inner.read(&mut self.buffer[len..]) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    read => break read,
                }
            };
            let more = read.unwrap_or_else(|e| {
                self.failed = Some(e);
                0
            });
            self.buffer.truncate(len + more);
            self.ended = more == 0;
        }
        &self.buffer[self.from..]
    }

    /// Takes `len` of the bytes ahead.
    pub(super) fn consume(&mut self, len: usize) {
        let len = len.min(self.buffer.len() - self.from);
        self.from += len;
        self.taken += len as u64;
    }

    /// Takes the next byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = self.ahead(1).first().copied();
        self.consume(1);
        byte
    }

    /// Takes the next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let bytes = self.ahead(N).first_chunk().copied()?;
        self.consume(N);
        Some(bytes)
    }

    /// Takes `len` bytes, whatever they are.
    pub(super) fn skip(&mut self, mut len: u64) -> Option<()> {
        while len > 0 {
            let some = self
                .ahead(1)
                .len()
                .min(usize::try_from(len).unwrap_or(usize::MAX));
            if some == 0 {
                return None;
            }
            self.consume(some);
            len -= some as u64;
        }
        Some(())
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let ahead = self.ahead(1);
        let len = ahead.len().min(out.len());
        out[..len].copy_from_slice(&ahead[..len]);
        self.consume(len);
        Ok(len)
    }
}
