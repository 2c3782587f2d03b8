//! A process as its core file has it.

use std::path::{Path, PathBuf};

use super::memory::CoreMemory;
use super::notes::{Notes, Signal, Thread};
use super::objects::{Mapping, Objects, Options, VDSO};
use crate::base::addr::Addr;
use crate::base::error::{Error, ErrorKind, Finding, Result};
use crate::formats::image::Storage;
use crate::formats::image::note::{self, Note};
use crate::world::memory::segments::{self, ET_CORE, PT_NOTE};

/// A process in a core file.
pub struct ProcessCore<'d> {
    path: PathBuf,
    notes: Notes,
    /// Whether some of the notes were not read.
    shared: bool,
    memory: CoreMemory<'d>,
    objects: Objects<'d>,
}

impl<'d> ProcessCore<'d> {
    /// Whether the file that `bytes` are of is the core of a process; dumps of kernels are `ET_CORE`, too.
    pub fn recognises(bytes: &[u8]) -> bool {
        let Some((ET_CORE, segments)) = segments::read(bytes) else {
            return false;
        };
        let mut found = Notes::default();
        for note in described(bytes, &segments).0 {
            if matches!(note.name, b"VMCOREINFO" | b"QEMU") {
                return false;
            }
            found.take(note);
        }
        found.of_process
    }

    /// Opens the core file `path` and finds the files that were mapped.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is no x86-64 core file, or holds no thread.
    pub fn open(path: &Path, options: &Options, storage: &'d Storage) -> Result<Self> {
        let bytes = storage.plain(path)?;
        Self::parse(bytes, options, storage)
            .map(|core| ProcessCore {
                path: path.to_owned(),
                ..core
            })
            .map_err(|e| e.in_file(path))
    }

    /// [`ProcessCore::open`] for a file whose `bytes` are at hand.
    ///
    /// # Errors
    /// As [`ProcessCore::open`], but for reading.
    pub fn parse(bytes: &'d [u8], options: &Options, storage: &'d Storage) -> Result<Self> {
        segments::not_foreign(bytes).map_err(|e| e.at(18))?;
        let (kind, segments) = segments::read(bytes).ok_or_else(|| {
            Error::new(ErrorKind::NotAnElf, "not an x86-64 ELF file of 64 bits").at(0)
        })?;
        if kind != ET_CORE {
            let what = format!("ELF type {kind} is not a core file");
            return Err(Error::new(ErrorKind::Unsupported, what).at(16));
        }
        let mut notes = Notes::default();
        let (described, shared) = described(bytes, &segments);
        for note in described {
            notes.take(note);
        }
        if shared {
            let what =
                "segments of notes share bytes of the file: they are read as far as it is long";
            notes.findings.push(Finding::new("PT_NOTE", 0, what));
        }
        notes.mappings.sort_by_key(|m| m.start);
        if notes.threads.is_empty() {
            let what = "no thread is in its notes (NT_PRSTATUS)";
            return Err(Error::new(ErrorKind::Malformed, what));
        }
        if let Some(at) = notes.vdso {
            notes.mappings.push(Mapping {
                start: at,
                end: Addr(u64::MAX),
                path: VDSO.to_owned(),
                ..Mapping::default()
            });
        }
        let mut memory = CoreMemory::new(bytes, &segments);
        let objects = Objects::find(&notes.mappings, &memory, options, storage);
        memory.back_with(objects.pieces());
        Ok(ProcessCore {
            path: PathBuf::new(),
            notes,
            shared,
            memory,
            objects,
        })
    }

    /// Whether something of it is left out.
    pub(crate) fn is_cut(&self) -> bool {
        self.shared
    }

    /// The core file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Process id.
    pub(crate) fn pid(&self) -> u32 {
        self.notes.pid
    }

    /// Name of the process, at most 15 characters.
    pub(crate) fn comm(&self) -> &str {
        &self.notes.comm
    }

    /// Its arguments, at most 79 characters.
    pub fn args(&self) -> &str {
        &self.notes.args
    }

    /// The signal that ended it; `None` for a core that was taken of a living process.
    pub fn signal(&self) -> Option<Signal> {
        let first = self.notes.threads.first().map_or(0, |t| t.signal);
        let by_thread = (first != 0).then_some(Signal {
            number: first.into(),
            code: 0,
            fault: None,
        });
        self.notes.signal.or(by_thread)
    }

    /// Its threads: the one that took the signal comes first.
    pub fn threads(&self) -> &[Thread] {
        &self.notes.threads
    }

    /// Files that were mapped, by address; the vDSO last.
    pub fn mappings(&self) -> &[Mapping] {
        &self.notes.mappings
    }

    /// Its memory.
    pub fn memory(&self) -> &CoreMemory<'d> {
        &self.memory
    }

    /// The programs and libraries found, by which frames are named.
    pub fn objects(&self) -> &Objects<'d> {
        &self.objects
    }

    /// What was odd: in the file, and with the files that were mapped (those looked into so far included).
    pub fn findings(&self) -> Vec<Finding> {
        let own = self.notes.findings.iter().cloned();
        own.chain(self.objects.findings()).collect()
    }
}

/// The notes in `segments` of the file `bytes`, and whether there are more: segments that share bytes of the file are read
/// until that is as much as the file has.
fn described<'d>(
    bytes: &'d [u8],
    segments: &[segments::Segment],
) -> (impl Iterator<Item = Note<'d>> + use<'d>, bool) {
    let mut left = bytes.len();
    let mut all = Vec::new();
    let mut shared = false;
    for segment in segments.iter().filter(|s| s.kind == PT_NOTE) {
        let notes = segment.bytes(bytes);
        match left.checked_sub(notes.len()) {
            Some(rest) => left = rest,
            None => {
                shared = true;
                break;
            }
        }
        all.push(notes);
    }
    (all.into_iter().flat_map(note::notes), shared)
}
