//! A stream of an xz file.

use std::io::Read;

use lzma_rust2::{Action, Status, XzStream};

use super::input::Input;
use super::out::Out;
use super::step::{Break, Step};

/// KiB that unpacking may take: the largest window of `xz -9` is a sixteenth of it.
pub(super) const MAX_MEMORY: u32 = 1 << 20;

/// Packed bytes handed over at once. What they unpack to is lost where they are damaged.
const FEED: usize = 1 << 10;

/// See the module text.
pub(super) struct Xz {
    stream: XzStream,
}

impl Xz {
    pub(super) fn new() -> Self {
        Xz {
            stream: XzStream::new_mem_limit(false, MAX_MEMORY),
        }
    }

    /// Begins with another stream.
    pub(super) fn begin(&mut self) {
        *self = Xz::new();
    }

    /// Unpacks some more of a stream. What was unpacked before an error is in `out`, too.
    pub(super) fn more<R: Read>(
        &mut self,
        input: &mut Input<R>,
        out: &mut Out,
    ) -> Result<Step, Break> {
        let packed = input.ahead(1);
        let packed = &packed[..packed.len().min(FEED)];
        let action = match packed.is_empty() {
            true => Action::Finish,
            false => Action::Run,
        };
        let (took, gave) = (self.stream.total_in(), self.stream.total_out());
        let status = self.stream.process(packed, out.room(), action);
        input.consume((self.stream.total_in() - took) as usize);
        out.wrote((self.stream.total_out() - gave) as usize);
        match status {
            Ok(result) if result.status == Status::StreamEnd => Ok(Step::End),
            Ok(result) if result.bytes_consumed + result.bytes_produced > 0 => Ok(Step::More),
            Ok(_) | Err(_) if action == Action::Finish => Err(Break::Cut("more of a stream")),
            Ok(_) => Err(Break::Damaged("it does not go on".to_owned())),
            Err(e) => Err(Break::Damaged(e.to_string())),
        }
    }
}
