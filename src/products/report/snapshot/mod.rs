//! A world and the memory that its walks read, in one small file: what travels of a dump of gigabytes.
//!
//! The file is a line `fixtrace snapshot 1 N`, N bytes of JSON, and then the memory, piece after piece as the JSON
//! lists them. All addresses in the JSON are hexadecimal strings.

mod machine;

use std::io::Write;

use serde::{Deserialize, Serialize};

use machine::{Machine, plain};

use crate::base::addr::{Addr, Slide};
use crate::base::error::{Error, ErrorKind, Finding, Result};
use crate::base::regs::{Reg, Regs};
use crate::formats::image::note::hex;
use crate::world::dump::{
    Cpu, Generated, Generator, Hijacked, Loaded, Source, Stack, StackKind, Start, Stopped, Tables,
    Task, Tracer, World,
};
use crate::world::memory::Pieces;

/// How a snapshot begins.
const MAGIC: &[u8] = b"fixtrace snapshot 1 ";

/// The name of the header's form.
const SCHEMA: &str = "fixtrace.snapshot/1";

/// Whether `bytes` begin as a snapshot does.
pub(crate) fn is_snapshot(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// A snapshot.
pub struct Snapshot<'d> {
    /// What was there.
    pub world: World,
    /// What was read of its memory.
    pub memory: Pieces<'d>,
    /// Whether text that is not in `memory` is as in the images; see [`WithText`](crate::world::kernel::WithText).
    pub without_text: bool,
}

/// Writes `world` and `memory` to `out`; `without_text` says whether text that the images have, too, was left out.
///
/// # Errors
/// `Io` where `out` does not take it.
pub fn write(
    world: &World,
    memory: &[(Addr, Vec<u8>)],
    without_text: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let header = Header {
        schema: SCHEMA.to_owned(),
        without_text,
        release: world.release.clone(),
        images: world.images.iter().map(Image::of).collect(),
        cpus: world.cpus.iter().map(Processor::of).collect(),
        tasks: world.tasks.iter().map(Thread::of).collect(),
        generated: world.generated.iter().map(Made::of).collect(),
        unlisted: world.unlisted,
        findings: world.findings.iter().map(|f| f.message.clone()).collect(),
        system: world.system.as_ref().map(Machine::of),
        memory: memory
            .iter()
            .map(|(at, bytes)| (Hex(at.0), bytes.len() as u64))
            .collect(),
    };
    let failed = |e: String| Error::new(ErrorKind::Io, e);
    let json = serde_json::to_vec(&header).map_err(|e| failed(e.to_string()))?;
    let mut put = |bytes: &[u8]| out.write_all(bytes).map_err(|e| failed(e.to_string()));
    put(MAGIC)?;
    put(format!("{}\n", json.len()).as_bytes())?;
    put(&json)?;
    memory.iter().try_for_each(|(_, bytes)| put(bytes))
}

/// Reads what `write` wrote. Memory behind the end of a file that was cut is missing, and a finding says so.
///
/// # Errors
/// When the header is cut short, broken, or of another form.
pub fn read(bytes: &[u8]) -> Result<Snapshot<'_>> {
    let broken = |at: usize, what: &str| Error::new(ErrorKind::Malformed, what).at(at as u64);
    let rest = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| broken(0, "no snapshot"))?;
    let line = rest.iter().take(20).position(|b| *b == b'\n');
    let length = line.and_then(|end| str::from_utf8(&rest[..end]).ok()?.parse::<usize>().ok());
    let (Some(end), Some(length)) = (line, length) else {
        return Err(broken(MAGIC.len(), "expected the length of the header"));
    };
    let start = MAGIC.len() + end + 1;
    let json = start
        .checked_add(length)
        .and_then(|end| bytes.get(start..end));
    let json = json.ok_or_else(|| {
        let what = format!("the header of {length} bytes is cut short");
        Error::new(ErrorKind::Truncated, what).at(start as u64)
    })?;
    let header: Header = serde_json::from_slice(json)
        .map_err(|e| broken(start + e.column().saturating_sub(1), &e.to_string()))?;
    if header.schema != SCHEMA {
        let what = format!("a header of form {:?}, expected {SCHEMA:?}", header.schema);
        return Err(Error::new(ErrorKind::Unsupported, what).at(start as u64));
    }
    let mut world = World {
        release: header.release,
        images: header.images.into_iter().map(Image::into).collect(),
        cpus: header.cpus.into_iter().map(Processor::into).collect(),
        tasks: header.tasks.into_iter().map(Thread::into).collect(),
        generated: header
            .generated
            .into_iter()
            .filter_map(Made::into)
            .collect(),
        system: header.system.map(Machine::into),
        unlisted: header.unlisted,
        findings: Vec::new(),
    };
    for message in header.findings {
        world.findings.push(Finding::new("snapshot", 0, message));
    }
    let mut at = start + length;
    let mut pieces = Vec::new();
    for (addr, len) in header.memory {
        let end = usize::try_from(len)
            .ok()
            .and_then(|len| at.checked_add(len));
        let Some(piece) = end.and_then(|end| bytes.get(at..end)) else {
            let what = format!("memory from {:#x} on is cut off", addr.0);
            world
                .findings
                .push(Finding::new("snapshot", at as u64, what));
            break;
        };
        pieces.push((Addr(addr.0), piece));
        at += piece.len();
    }
    for cpu in &mut world.cpus {
        cpu.task = cpu.task.filter(|t| *t < world.tasks.len());
    }
    Ok(Snapshot {
        world,
        memory: Pieces::new(pieces),
        without_text: header.without_text,
    })
}

/// A number, in hexadecimal.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Hex(u64);

impl From<Hex> for String {
    fn from(hex: Hex) -> String {
        format!("{:#x}", hex.0)
    }
}

impl TryFrom<String> for Hex {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Hex, String> {
        let digits = text.strip_prefix("0x").unwrap_or_default();
        u64::from_str_radix(digits, 16)
            .map(Hex)
            .map_err(|_| format!("{text:?} is no hexadecimal number"))
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    schema: String,
    #[serde(default)]
    without_text: bool,
    release: Option<String>,
    images: Vec<Image>,
    cpus: Vec<Processor>,
    tasks: Vec<Thread>,
    generated: Vec<Made>,
    #[serde(default)]
    system: Option<Machine>,
    #[serde(default)]
    unlisted: bool,
    findings: Vec<String>,
    memory: Vec<(Hex, u64)>,
}

#[derive(Serialize, Deserialize)]
struct Image {
    name: String,
    build_id: Option<String>,
    slide: Hex,
    sections: Vec<(String, Hex)>,
    text: (Hex, Hex),
    #[serde(default)]
    tables: Option<Places>,
}

/// Where a module's tables are.
#[derive(Serialize, Deserialize)]
struct Places {
    init: Option<(Hex, Hex)>,
    orc: Option<(Hex, Hex, u32)>,
    extable: Option<(Hex, u32)>,
    symbols: Option<(Hex, u32, Hex)>,
}

impl Places {
    fn of(t: &Tables) -> Self {
        let hex = |at: Addr| Hex(at.0);
        Places {
            init: t.init.map(|(a, b)| (hex(a), hex(b))),
            orc: t.orc.map(|(ips, rows, n)| (hex(ips), hex(rows), n)),
            extable: t.extable.map(|(at, n)| (hex(at), n)),
            symbols: t.symbols.map(|(at, n, names)| (hex(at), n, hex(names))),
        }
    }

    fn into(self) -> Tables {
        let at = |hex: Hex| Addr(hex.0);
        Tables {
            init: self.init.map(|(a, b)| (at(a), at(b))),
            orc: self.orc.map(|(ips, rows, n)| (at(ips), at(rows), n)),
            extable: self.extable.map(|(a, n)| (at(a), n)),
            symbols: self.symbols.map(|(a, n, names)| (at(a), n, at(names))),
        }
    }
}

impl Image {
    fn of(l: &Loaded) -> Self {
        Image {
            name: l.name.clone(),
            build_id: l.build_id.as_deref().map(hex),
            slide: Hex(l.slide.0),
            sections: l
                .sections
                .iter()
                .map(|(name, at)| (name.clone(), Hex(at.0)))
                .collect(),
            text: (Hex(l.text.0.0), Hex(l.text.1.0)),
            tables: l.tables.as_ref().map(Places::of),
        }
    }

    fn into(self) -> Loaded {
        Loaded {
            name: self.name,
            build_id: self.build_id.as_deref().and_then(unhex),
            slide: Slide(self.slide.0),
            sections: self
                .sections
                .into_iter()
                .map(|(name, at)| (name, Addr(at.0)))
                .collect(),
            text: (Addr(self.text.0.0), Addr(self.text.1.0)),
            tables: self.tables.map(Places::into),
        }
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().map(byte).collect()
}

#[derive(Serialize, Deserialize)]
struct Registers {
    ip: Hex,
    cs: Option<u16>,
    general: Vec<(u8, Hex)>,
}

impl Registers {
    fn of(regs: &Regs) -> Self {
        let numbered = (0u8..).zip(Reg::all());
        Registers {
            ip: Hex(regs.ip),
            cs: regs.cs,
            general: numbered
                .filter_map(|(n, r)| Some((n, Hex(regs.get(r)?))))
                .collect(),
        }
    }

    fn into(self) -> Regs {
        let mut regs = Regs::default();
        regs.ip = self.ip.0;
        regs.cs = self.cs;
        for (number, value) in self.general {
            regs.set(Reg::from_low_bits(number.into()), value.0);
        }
        regs
    }
}

#[derive(Serialize, Deserialize)]
struct Range {
    kind: String,
    low: Hex,
    high: Hex,
}

impl Range {
    fn of(s: &Stack) -> Self {
        Range {
            kind: s.kind.name().to_owned(),
            low: Hex(s.low.0),
            high: Hex(s.high.0),
        }
    }

    fn into(self) -> Option<Stack> {
        Some(Stack {
            kind: StackKind::from_name(&self.kind)?,
            low: Addr(self.low.0),
            high: Addr(self.high.0),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Processor {
    number: u32,
    task: Option<usize>,
    regs: Option<Registers>,
    #[serde(default)]
    source: Option<String>,
    stacks: Vec<Range>,
}

impl Processor {
    fn of(c: &Cpu) -> Self {
        Processor {
            number: c.number,
            task: c.task,
            regs: c.regs.as_ref().map(Registers::of),
            source: c.source.map(|s| s.name().to_owned()),
            stacks: c.stacks.iter().map(Range::of).collect(),
        }
    }

    fn into(self) -> Cpu {
        Cpu {
            number: self.number,
            task: self.task,
            regs: self.regs.map(Registers::into),
            source: self.source.as_deref().and_then(Source::from_name),
            stacks: self.stacks.into_iter().filter_map(Range::into).collect(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Thread {
    address: Hex,
    pid: u32,
    tgid: u32,
    comm: String,
    state: char,
    cpu: u32,
    running: bool,
    #[serde(default)]
    stopped: Option<String>,
    #[serde(default)]
    source: Option<String>,
    stack: Option<Range>,
    start: Option<(Registers, bool)>,
    hijacked: Vec<Taken>,
    #[serde(default)]
    partial: bool,
}

impl Thread {
    fn of(t: &Task) -> Self {
        Thread {
            address: Hex(t.address.0),
            pid: t.pid,
            tgid: t.tgid,
            comm: t.comm.clone(),
            state: t.state,
            cpu: t.cpu,
            running: t.running,
            stopped: t.stopped.map(|s| s.name().to_owned()),
            source: t.source.map(|s| s.name().to_owned()),
            stack: t.stack.as_ref().map(Range::of),
            start: t.start.as_ref().map(|s| (Registers::of(&s.regs), s.exact)),
            hijacked: t.hijacked.iter().map(Taken::of).collect(),
            partial: t.partial,
        }
    }

    fn into(self) -> Task {
        Task {
            address: Addr(self.address.0),
            pid: self.pid,
            tgid: self.tgid,
            comm: plain(self.comm),
            state: self.state,
            cpu: self.cpu,
            running: self.running,
            stopped: self.stopped.as_deref().and_then(Stopped::from_name),
            source: self.source.as_deref().and_then(Source::from_name),
            stack: self.stack.and_then(Range::into),
            start: self.start.map(|(regs, exact)| Start {
                regs: regs.into(),
                exact,
            }),
            unread: None,
            partial: self.partial,
            hijacked: self.hijacked.into_iter().filter_map(Taken::into).collect(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Taken {
    slot: Option<Hex>,
    ret: Hex,
    by: String,
}

impl Taken {
    fn of(h: &Hijacked) -> Self {
        Taken {
            slot: h.slot.map(|a| Hex(a.0)),
            ret: Hex(h.ret.0),
            by: h.by.name().to_owned(),
        }
    }

    fn into(self) -> Option<Hijacked> {
        let all = [Tracer::FunctionGraph, Tracer::Kretprobe, Tracer::Rethook];
        Some(Hijacked {
            slot: self.slot.map(|h| Addr(h.0)),
            ret: Addr(self.ret.0),
            by: all.into_iter().find(|t| t.name() == self.by)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Made {
    start: Hex,
    end: Hex,
    name: String,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    framed: Option<(u32, u32)>,
}

impl Made {
    fn of(g: &Generated) -> Self {
        Made {
            start: Hex(g.start.0),
            end: Hex(g.end.0),
            name: g.name.clone(),
            kind: g.kind.name().to_owned(),
            framed: g.framed,
        }
    }

    fn into(self) -> Option<Generated> {
        Some(Generated {
            start: Addr(self.start.0),
            end: Addr(self.end.0),
            name: self.name,
            kind: Generator::from_name(&self.kind)?,
            framed: self.framed,
        })
    }
}
