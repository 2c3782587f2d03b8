//! `fixtrace symbolize`

mod batch;
mod outcome;
mod source;
mod text;

use std::io::Read;
use std::path::Path;

use fixtrace::low::formats::image::Packing;
use fixtrace::low::world::session;

use super::args::Symbolize;
use super::exit::{Exit, Failure};
use super::open;

/// Bytes of a log when it is unpacked, at most.
const MAX_UNPACKED: u64 = 4 << 30;

/// Runs the verb.
pub fn run(args: &Symbolize) -> Result<Exit, Failure> {
    match args.json || args.summary {
        true => batch::run(args),
        false => text::run(args),
    }
}

/// What `args` ask for.
fn options(args: &Symbolize) -> session::Options {
    let mut options = open::options(&args.images);
    options.lines = !args.no_lines;
    options
}

/// Opens a log for reading.
fn open_log(path: &Path) -> Result<Box<dyn Read>, Failure> {
    Ok(Box::new(text::open_file(path)?))
}

/// Whether a log is packed by gzip, xz or zstd.
fn is_packed(log: &[u8]) -> bool {
    matches!(
        Packing::of(log),
        Packing::Gzip | Packing::Xz | Packing::Zstd
    )
}

/// The log in `packed`.
fn unpack(packed: Vec<u8>, path: &Path) -> Result<Vec<u8>, Failure> {
    let plain = Packing::of(&packed).decompress(&packed, MAX_UNPACKED);
    Ok(plain.map_err(|e| e.in_file(path))?)
}
