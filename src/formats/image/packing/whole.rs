//! Packed bytes that are at hand, unpacked at once.

use super::Unpack;
use super::kind::Packing;
#[cfg(feature = "compression")]
use super::xz::MAX_MEMORY;
use crate::base::error::{Error, ErrorKind, Finding, Result};

impl Packing {
    /// Unpacks one stream (bytes behind it are ignored), at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// When the stream is broken, longer than `limit`, or none of these.
    #[cfg(feature = "compression")]
    pub fn decompress(self, bytes: &[u8], limit: u64) -> Result<Vec<u8>> {
        self.first(bytes, limit).map(|(out, _)| out)
    }

    /// The same, and what stands behind the stream, where that can be told.
    #[cfg(feature = "compression")]
    fn first(self, bytes: &[u8], limit: u64) -> Result<(Vec<u8>, &[u8])> {
        use std::io::Read;
        let corrupt =
            |e: String| Error::new(ErrorKind::Malformed, format!("broken {self:?} stream: {e}"));
        let mut out = Vec::new();
        let mut behind = &bytes[bytes.len()..];
        let read = match self {
            Packing::Gzip => {
                let mut reader =
                    flate2::bufread::GzDecoder::new(bytes).take(limit.saturating_add(1));
                let read = reader.read_to_end(&mut out);
                behind = reader.into_inner().into_inner();
                read
            }
            Packing::Zlib => flate2::read::ZlibDecoder::new(bytes)
                .take(limit.saturating_add(1))
                .read_to_end(&mut out),
            Packing::Lz4 => {
                return unpack_lz4(bytes, limit)
                    .map(|out| (out, behind))
                    .ok_or_else(|| corrupt("a block does not decode".to_owned()));
            }
            Packing::Xz => {
                let mut reader = lzma_rust2::XzReader::new_mem_limit(bytes, false, MAX_MEMORY)
                    .take(limit.saturating_add(1));
                let read = reader.read_to_end(&mut out);
                behind = reader.into_inner().into_inner();
                read
            }
            Packing::Zstd => {
                let mut reader = ruzstd::decoding::StreamingDecoder::new(bytes)
                    .map_err(|e| corrupt(e.to_string()))?
                    .take(limit.saturating_add(1));
                let read = reader.read_to_end(&mut out);
                behind = reader.into_inner().into_inner();
                read
            }
            _ => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "not a compressed stream",
                ));
            }
        };
        read.map_err(|e| corrupt(e.to_string()))?;
        Ok((within(out, limit)?, behind))
    }

    /// Unpacks all members of a file, at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// When one of them is cut or damaged, something else stands behind them, or they have more than `limit` bytes.
    pub(crate) fn decompress_all(self, bytes: &[u8], limit: u64) -> Result<Vec<u8>> {
        let (out, unpack) = self.members(bytes, limit)?;
        match unpack.findings() {
            [finding, ..] => {
                let e = Error::new(ErrorKind::Malformed, &*finding.message);
                Err(finding.place.offset.into_iter().fold(e, Error::at))
            }
            [] => within(out, limit),
        }
    }

    /// Unpacks all members of a file, whatever stands behind them, at most `limit` bytes: modules have their signature
    /// there, the kernel's build the unpacked size.
    ///
    /// # Errors
    ///
    /// When one of them is cut or damaged, or they have more than `limit` bytes.
    #[cfg(feature = "compression")]
    pub(crate) fn decompress_file(self, bytes: &[u8], limit: u64) -> Result<Vec<u8>> {
        // Nearly all have one member.
        let (out, behind) = self.first(bytes, limit)?;
        let padding = behind.iter().take_while(|b| **b == 0).count();
        let members = matches!(self, Packing::Gzip | Packing::Xz | Packing::Zstd);
        if !members || Packing::of(&behind[padding..]) != self {
            return Ok(out);
        }
        drop(out);
        let (out, unpack) = self.members(bytes, limit)?;
        match unpack.findings() {
            [finding, ..] if !unpack.is_whole() => {
                let what = format!("broken {self:?} stream: {}", finding.message);
                let e = Error::new(ErrorKind::Malformed, what);
                Err(finding.place.offset.into_iter().fold(e, Error::at))
            }
            _ => within(out, limit),
        }
    }

    /// Unpacks a file as far as it can be, `limit` bytes at most; and says why that is not all.
    ///
    /// # Errors
    ///
    /// When it is not packed at all, or nothing can be unpacked.
    pub(crate) fn decompress_part(
        self,
        bytes: &[u8],
        limit: u64,
    ) -> Result<(Vec<u8>, Option<Finding>)> {
        let (mut out, unpack) = self.members(bytes, limit)?;
        if out.len() as u64 > limit {
            out.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            return Ok((out, Some(Finding::new("packed file", 0, beyond(limit)))));
        }
        match unpack.findings() {
            [finding, ..] if out.is_empty() => {
                let e = Error::new(ErrorKind::Malformed, &*finding.message);
                Err(finding.place.offset.into_iter().fold(e, Error::at))
            }
            [finding, ..] => Ok((out, Some(finding.clone()))),
            [] => Ok((out, None)),
        }
    }

    /// The contents of all members of a file, one byte more than `limit` at most.
    fn members(self, bytes: &[u8], limit: u64) -> Result<(Vec<u8>, Unpack<&[u8]>)> {
        use std::io::Read;
        /// A buffer that grows is copied; one that is taken at once takes no memory before it is filled.
        const AT_ONCE: u64 = 1 << 30;
        let mut unpack = Unpack::new(self, bytes)?;
        let most = limit.saturating_add(1);
        let mut out = Vec::new();
        // Where there is no room for that it grows.
        let _ = out.try_reserve_exact(usize::try_from(most.min(AT_ONCE)).unwrap_or_default());
        let read = (&mut unpack).take(most).read_to_end(&mut out);
        // Nothing fails but memory.
        read.map_err(|e| Error::new(ErrorKind::Io, e.to_string()))?;
        out.shrink_to_fit();
        Ok((out, unpack))
    }

    /// Unpacks one stream of zlib or zstd into `out`; gives the number of bytes written, or `None` where the stream is
    /// damaged or `out` too small. For pages: much cheaper than [`Packing::decompress`].
    #[cfg(feature = "compression")]
    pub(crate) fn decompress_into(self, bytes: &[u8], out: &mut [u8]) -> Option<usize> {
        /// Larger than any page. A frame of one page announces no more than the page.
        const WINDOW: u64 = 1 << 20;
        match self {
            Packing::Zlib => {
                let mut stream = flate2::Decompress::new(true);
                let all = flate2::FlushDecompress::Finish;
                let end = stream.decompress(bytes, out, all).ok()?;
                (end == flate2::Status::StreamEnd).then_some(stream.total_out() as usize)
            }
            Packing::Zstd => {
                let mut decoder = ruzstd::decoding::FrameDecoder::new();
                decoder.set_max_window_size(WINDOW);
                decoder.decode_all(bytes, out).ok()
            }
            _ => None,
        }
    }

    /// Built without decompressors.
    #[cfg(not(feature = "compression"))]
    pub(crate) fn decompress_into(self, _: &[u8], _: &mut [u8]) -> Option<usize> {
        None
    }

    /// Built without decompressors.
    ///
    /// # Errors
    ///
    /// Always.
    #[cfg(not(feature = "compression"))]
    pub(crate) fn decompress_file(self, bytes: &[u8], limit: u64) -> Result<Vec<u8>> {
        self.decompress(bytes, limit)
    }

    /// Built without decompressors.
    ///
    /// # Errors
    ///
    /// Always.
    #[cfg(not(feature = "compression"))]
    pub fn decompress(self, _: &[u8], _: u64) -> Result<Vec<u8>> {
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("{self:?}: built without the feature `compression`"),
        ))
    }
}

fn beyond(limit: u64) -> String {
    format!("unpacks to more than {limit} bytes (limits unpacked, unpack-ratio)")
}

/// `out`, if it has no more than `limit` bytes.
fn within(out: Vec<u8>, limit: u64) -> Result<Vec<u8>> {
    match out.len() as u64 > limit {
        true => Err(Error::new(ErrorKind::BeyondLimit, beyond(limit))),
        false => Ok(out),
    }
}

/// The legacy LZ4 frame: a magic number, then blocks of at most 8 MiB, each behind its packed size. The kernel's
/// build appends the unpacked size, which no block follows (scripts/Makefile.lib `cmd_lz4`).
#[cfg(feature = "compression")]
fn unpack_lz4(bytes: &[u8], limit: u64) -> Option<Vec<u8>> {
    const BLOCK: usize = 8 << 20;
    let mut out = Vec::new();
    let mut block = vec![0; BLOCK];
    let mut at = 4;
    while let Some(len) = crate::base::bytes::u32_at(bytes, at) {
        at += 4;
        if at == bytes.len() {
            break;
        }
        let packed = bytes.get(at..at.checked_add(len as usize)?)?;
        let unpacked = lz4_flex::block::decompress_into(packed, &mut block).ok()?;
        out.extend_from_slice(block.get(..unpacked)?);
        at += packed.len();
        if out.len() as u64 > limit {
            return None;
        }
    }
    Some(out)
}
