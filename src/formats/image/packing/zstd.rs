//! A frame of a zstd file (RFC 8878).

use std::io::Read;

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::input::Input;
use super::out::Out;
use super::step::{Break, Step};

/// See the module text.
pub(super) struct Zstd {
    decoder: FrameDecoder,
}

impl Zstd {
    pub(super) fn new() -> Self {
        Zstd {
            decoder: FrameDecoder::new(),
        }
    }

    /// Reads the header of a frame; all of one that holds no data.
    pub(super) fn begin<R: Read>(&mut self, input: &mut Input<R>) -> Result<Step, Break> {
        use FrameDecoderError::ReadFrameHeaderError as Header;
        match self.decoder.reset(&mut *input) {
            Ok(()) => Ok(Step::More),
            Err(Header(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                let skipped = input.skip(u64::from(length));
                skipped.ok_or(Break::Cut("the rest of a frame"))?;
                Ok(Step::End)
            }
            Err(_) if input.ended => Err(Break::Cut("the rest of a frame's header")),
            Err(FrameDecoderError::WindowSizeTooBig { requested, max }) => {
                let what = format!("a window of {requested} bytes, more than {max}");
                Err(Break::Damaged(what))
            }
            Err(e) => Err(Break::Damaged(e.to_string())),
        }
    }

    /// Unpacks some more of a frame. What was unpacked before an error is in `out`, too.
    pub(super) fn more<R: Read>(
        &mut self,
        input: &mut Input<R>,
        out: &mut Out,
    ) -> Result<Step, Break> {
        let one = BlockDecodingStrategy::UptoBlocks(1);
        let read = self.decoder.decode_blocks(&mut *input, one);
        if let Err(e) = read {
            self.rest(out);
            return match input.ended {
                true => Err(Break::Cut("more of a frame")),
                false => Err(Break::Damaged(e.to_string())),
            };
        }
        // Memory takes all that is written.
        let _ = self.decoder.collect_to_writer(&mut *out);
        let (said, is) = (
            self.decoder.get_checksum_from_data(),
            self.decoder.get_calculated_checksum(),
        );
        match self.decoder.is_finished() {
            false => Ok(Step::More),
            true if said.is_some() && said != is => Ok(Step::Unsound),
            true => Ok(Step::End),
        }
    }

    /// Gives what is kept back for the blocks to come: an empty last block, and any checksum, end the frame.
    fn rest(&mut self, out: &mut Out) {
        const END: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];
        let all = BlockDecodingStrategy::All;
        if self.decoder.decode_blocks(&END[..], all).is_ok() {
            let _ = self.decoder.collect_to_writer(out);
        }
    }
}
