//! A member of a gzip file (RFC 1952).

use std::io::Read;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::input::Input;
use super::out::Out;
use super::step::{Break, Step};

/// See the module text.
pub(super) struct Gzip {
    deflate: Decompress,
    sum: Crc,
}

impl Gzip {
    pub(super) fn new() -> Self {
        Gzip {
            deflate: Decompress::new(false),
            sum: Crc::new(),
        }
    }

    /// Reads the header of a member.
    pub(super) fn begin<R: Read>(&mut self, input: &mut Input<R>) -> Result<(), Break> {
        /// Bits of the flags: what follows the fixed part.
        const HEADER_SUM: u8 = 2;
        const EXTRA: u8 = 4;
        const NAME: u8 = 8;
        const COMMENT: u8 = 16;
        let cut = || Break::Cut("the rest of a member's header");
        let fixed: [u8; 10] = input.array().ok_or_else(cut)?;
        let (method, flags) = (fixed[2], fixed[3]);
        if method != 8 || flags & 0xe0 != 0 {
            return Err(Break::Damaged("no header of a member".to_owned()));
        }
        if flags & EXTRA != 0 {
            let len = u16::from_le_bytes(input.array().ok_or_else(cut)?);
            input.skip(u64::from(len)).ok_or_else(cut)?;
        }
        for text in [NAME, COMMENT] {
            while flags & text != 0 && input.byte().ok_or_else(cut)? != 0 {}
        }
        if flags & HEADER_SUM != 0 {
            input.skip(2).ok_or_else(cut)?;
        }
        self.deflate.reset(false);
        self.sum.reset();
        Ok(())
    }

    /// Unpacks some more of a member. What was unpacked before an error is in `out`, too.
    pub(super) fn more<R: Read>(
        &mut self,
        input: &mut Input<R>,
        out: &mut Out,
    ) -> Result<Step, Break> {
        let packed = input.ahead(1);
        let ended = packed.is_empty();
        let (took, gave) = (self.deflate.total_in(), self.deflate.total_out());
        let status = (self.deflate).decompress(packed, out.room(), FlushDecompress::None);
        input.consume((self.deflate.total_in() - took) as usize);
        let unpacked = out.wrote((self.deflate.total_out() - gave) as usize);
        self.sum.update(unpacked);
        match status {
            Err(_) => Err(Break::Damaged("damaged data".to_owned())),
            Ok(Status::StreamEnd) => self.end(input),
            Ok(_) if ended && out.is_empty() => Err(Break::Cut("more of a member")),
            Ok(_) => Ok(Step::More),
        }
    }

    /// Reads what stands behind the data of a member.
    fn end<R: Read>(&self, input: &mut Input<R>) -> Result<Step, Break> {
        let cut = || Break::Cut("the checksum of a member");
        let sum = u32::from_le_bytes(input.array().ok_or_else(cut)?);
        let len = u32::from_le_bytes(input.array().ok_or_else(cut)?);
        match sum == self.sum.sum() && len == self.sum.amount() {
            true => Ok(Step::End),
            false => Ok(Step::Unsound),
        }
    }
}
