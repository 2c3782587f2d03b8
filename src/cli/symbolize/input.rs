//! What a file named as a log is: a log, plain or packed, or the dump of a kernel that has one.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use fixtrace::low::formats::image::Packing;
use fixtrace::low::world::memory::Dump;

use crate::cli::exit::Failure;

/// Bytes of a log when it is unpacked, at most.
const MAX_UNPACKED: u64 = 4 << 30;

/// Bytes that show what a file is.
const HEAD: usize = 4096;

/// What is in a file.
pub enum Input {
    /// A log: its first bytes, and what comes behind them.
    Log(Vec<u8>, Box<dyn Read>),
    /// A dump.
    Dump,
}

/// Opens `path`, and reads `ahead` bytes of it; a packed file whole.
pub fn input(path: &Path, ahead: u64) -> Result<Input, Failure> {
    let mut file = open(path)?;
    let mut text = Vec::new();
    (&mut file).take(HEAD as u64).read_to_end(&mut text)?;
    if Dump::recognises(&text) {
        return Ok(Input::Dump);
    }
    let mut rest: Box<dyn Read> = Box::new(io::empty());
    let packing = Packing::of(&text);
    match packing {
        Packing::Gzip | Packing::Xz | Packing::Zstd => {
            file.read_to_end(&mut text)?;
            let plain = packing.decompress(&text, MAX_UNPACKED);
            text = plain.map_err(|e| e.in_file(path))?;
            if Dump::recognises(&text) {
                return Ok(Input::Dump);
            }
        }
        _ => {
            let more = ahead.saturating_sub(text.len() as u64);
            (&mut file).take(more).read_to_end(&mut text)?;
            rest = Box::new(file);
        }
    }
    match binary(&text) {
        Some(what) => Err(not_a_log(&path.display().to_string(), what)),
        None => Ok(Input::Log(text, rest)),
    }
}

/// What `text` is if it is certainly no log: terminals are spared it.
pub fn binary(text: &[u8]) -> Option<&'static str> {
    let head = &text[..text.len().min(HEAD)];
    if Dump::recognises(head) {
        return Some("a dump");
    }
    if head.starts_with(b"\x7fELF") {
        return Some("an ELF file");
    }
    // A log that a serial line mangled may have some; no text has so many.
    let control = |b: &&u8| b.is_ascii_control() && !matches!(b, b'\t'..=b'\r' | 0x1b);
    let zeroes = head.iter().filter(|b| **b == 0).count();
    let odd = head.iter().filter(control).count() - zeroes;
    (odd * 10 > head.len()).then_some("a binary file")
}

/// The error for what is no log.
pub fn not_a_log(name: &str, what: &str) -> Failure {
    Failure::new(
        format!("{name}: is {what}, not a log"),
        "name a log, or the dump of a kernel by its file; unwind shows the stacks of dumps and cores",
    )
}

/// Opens `path` for reading.
pub fn open(path: &Path) -> Result<File, Failure> {
    let named =
        |e: io::Error| Failure::new(format!("{}: {e}", path.display()), "name a readable log");
    let file = File::open(path).map_err(named)?;
    match file.metadata().map_err(named)?.is_dir() {
        true => Err(Failure::new(
            format!("{}: is a directory", path.display()),
            "name a log, or use --json or --summary, which read directories",
        )),
        false => Ok(file),
    }
}
