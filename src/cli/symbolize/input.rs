//! What is named as a log: a log, plain or packed, or the dump of a kernel that has one.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use fixtrace::low::base::limits::Limits;
use fixtrace::low::formats::image::Packing;
use fixtrace::low::formats::image::packing::Unpack;
use fixtrace::low::world::memory::Dump;

use crate::cli::exit::Failure;

/// Bytes that show what a file is.
const HEAD: usize = 4096;

/// What standard input is called.
pub const STDIN: &str = "standard input";

/// Where bytes come from.
pub type Bytes = Box<dyn Read + Send + Sync>;

/// What is in a file.
pub enum Input {
    /// A log.
    Log(Stream),
    /// A dump.
    Dump,
}

/// A log as it is read, unpacked on the way. Where it cannot be read any further it ends.
pub struct Stream {
    /// What it is called.
    pub name: String,
    /// Its first bytes, which were read already, and how many of them were given.
    head: Vec<u8>,
    given: usize,
    rest: Rest,
    /// Bytes read so far.
    read: u64,
    /// Why a plain one ends too early.
    failed: Option<String>,
}

/// The bytes behind the first ones.
enum Rest {
    Plain(Bytes),
    Packed(Box<Unpack<Bytes>>),
}

impl Stream {
    /// The log that begins with `first`, more than that being in `rest`.
    fn new(name: String, first: Vec<u8>, rest: Bytes, limits: &Limits) -> Result<Self, Failure> {
        let packing = Packing::of(&first);
        let (head, rest) = match packing {
            Packing::Gzip | Packing::Xz | Packing::Zstd => {
                let all: Bytes = Box::new(Cursor::new(first).chain(rest));
                let unpacked = Unpack::new(packing, all)
                    .map(|unpack| unpack.within(limits))
                    .map_err(|e| Failure::from(e.in_file(Path::new(&name))))?;
                (Vec::new(), Rest::Packed(Box::new(unpacked)))
            }
            _ => (first, Rest::Plain(rest)),
        };
        Ok(Stream {
            name,
            read: head.len() as u64,
            head,
            given: 0,
            rest,
            failed: None,
        })
    }

    /// The log that comes from `input`, called `name`: waits for the first of it only.
    pub fn live(name: &str, mut input: Bytes, limits: &Limits) -> Result<Self, Failure> {
        let named = |e: io::Error| Failure::new(format!("{name}: {e}"), "name a readable log");
        let mut first = Vec::new();
        // What is packed may come byte by byte.
        while Packing::may_show(&first) {
            let mut some = vec![0; HEAD];
            let len = match input.read(&mut some) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(named)?,
            };
            if len == 0 {
                break;
            }
            first.extend_from_slice(&some[..len]);
        }
        let mut stream = Stream::new(name.to_owned(), first, input, limits)?;
        if let Rest::Packed(_) = stream.rest {
            stream.look(1);
        }
        stream.checked()
    }

    /// Whether it is not packed.
    pub fn is_plain(&self) -> bool {
        matches!(self.rest, Rest::Plain(_))
    }

    /// Steps of work that what was read of it so far may take. What is not packed is as long as what it takes.
    pub fn steps(&self) -> u64 {
        match &self.rest {
            Rest::Plain(_) => u64::MAX,
            Rest::Packed(bytes) => bytes.steps(),
        }
    }

    /// Its first bytes: `least` of them if it has so many.
    fn look(&mut self, least: usize) -> &[u8] {
        let mut some = vec![0; HEAD];
        while self.head.len() < least {
            let len = self.more(&mut some);
            if len == 0 {
                break;
            }
            self.head.extend_from_slice(&some[..len]);
        }
        &self.head
    }

    /// Reads on behind the first bytes.
    fn more(&mut self, out: &mut [u8]) -> usize {
        let read = loop {
            let read = match &mut self.rest {
                Rest::Plain(bytes) => bytes.read(out),
                Rest::Packed(bytes) => bytes.read(out),
            };
            if !matches!(&read, Err(e) if e.kind() == io::ErrorKind::Interrupted) {
                break read;
            }
        };
        let len = read.unwrap_or_else(|e| {
            self.failed = Some(format!(
                "offset {:#x}: cannot be read further: {e}",
                self.read
            ));
            0
        });
        self.read += len as u64;
        len
    }

    /// Refuses what is certainly no log, which terminals are spared, and what nothing of can be read.
    fn checked(self) -> Result<Self, Failure> {
        if let Some(what) = binary(&self.head) {
            return Err(not_a_log(&self.name, what));
        }
        match (&self.rest, self.missing(None)) {
            (Rest::Packed(bytes), Some(why)) if !bytes.begun() => {
                Err(Failure::new(why, "name a readable log"))
            }
            _ => Ok(self),
        }
    }

    /// What is missing of it, once it was read to its end; its reports were read up to line `spent`, from 0, if that was too
    /// much work.
    pub fn missing(&self, spent: Option<u64>) -> Option<String> {
        let packed = match &self.rest {
            Rest::Plain(_) => &[][..],
            Rest::Packed(bytes) => bytes.findings(),
        };
        let all = packed.iter().map(ToString::to_string);
        let spent = spent.map(|line| {
            let so_few = "is too much work for so few packed bytes (limit work)";
            format!(
                "line {}: {so_few}: no report is read from here on",
                line + 1
            )
        });
        let all: Vec<_> = all.chain(self.failed.clone()).chain(spent).collect();
        (!all.is_empty()).then(|| format!("{}: {}", self.name, all.join("; ")))
    }
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let ahead = self.head.get(self.given..).unwrap_or_default();
        if ahead.is_empty() {
            return Ok(self.more(out));
        }
        let len = ahead.len().min(out.len());
        out[..len].copy_from_slice(&ahead[..len]);
        self.given += len;
        Ok(len)
    }
}

/// Opens `path`.
pub fn input(path: &Path, limits: &Limits) -> Result<Input, Failure> {
    let named =
        |e: io::Error| Failure::new(format!("{}: {e}", path.display()), "name a readable log");
    let mut file = open(path)?;
    let mut first = Vec::new();
    let head = (&mut file).take(HEAD as u64).read_to_end(&mut first);
    head.map_err(named)?;
    if Dump::recognises(&first) {
        return Ok(Input::Dump);
    }
    let mut log = Stream::new(path.display().to_string(), first, Box::new(file), limits)?;
    if Dump::recognises(log.look(HEAD)) {
        return Ok(Input::Dump);
    }
    log.checked().map(Input::Log)
}

/// What `text` is if it is certainly no log.
fn binary(text: &[u8]) -> Option<&'static str> {
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
fn not_a_log(name: &str, what: &str) -> Failure {
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
