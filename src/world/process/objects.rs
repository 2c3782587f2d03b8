//! The files mapped into a process: which are the ones at hand, and where they run.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::base::addr::{Addr, Address, LinkAddr, Slide};
use crate::base::error::{Finding, Place, Result};
use crate::base::gate::{Links, Refused, Spot, Why};
use crate::formats::cfi::user::Rows;
use crate::formats::image::note::{build_id, hex};
use crate::formats::image::peek::Peek;
use crate::formats::image::{ElfImage, Storage};
use crate::world::image::Image;
use crate::world::kernel::{Located, Placed};
use crate::world::memory::Memory;
use crate::world::memory::segments::{self, ET_CORE, PT_LOAD, PT_NOTE, Segment};
use crate::world::session;

const PAGE: u64 = 4096;
/// The path of the vDSO among [`Mapping`]s, as `/proc/PID/maps` has it: its file is in memory only.
pub(crate) const VDSO: &str = "[vdso]";

/// A piece of a file that was mapped.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mapping {
    /// First address.
    pub start: Addr,
    /// One past the last.
    pub end: Addr,
    /// Bytes from the beginning of the file to what is at `start`.
    pub offset: u64,
    /// The file; `[vdso]` for the vDSO.
    pub path: String,
    /// The file's build-id if the mapping's owner knows it; else it is read from memory.
    pub build_id: Option<Vec<u8>>,
    /// Whether the process is known to have been able to write there: memory that is missing need not be as the file.
    pub writable: bool,
}

/// Where files are looked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Directories with debug files, laid out as /usr/lib/debug.
    pub debug_dirs: Vec<PathBuf>,
    /// The cache of debuginfod.
    pub debuginfod_cache: Option<PathBuf>,
    /// Below what mapped files lie, when the process is of another machine.
    pub sysroot: Option<PathBuf>,
    /// Use files that are not, or cannot be shown to be, those that were mapped.
    pub force: bool,
}

/// A mapped file that is a program or library.
struct Object<'d> {
    spot: Spot,
    path: PathBuf,
    start: Addr,
    end: Addr,
    slide: Slide,
    file: &'d [u8],
    loaded: OnceLock<std::result::Result<Loaded<'d>, String>>,
}

/// A program or library that was parsed.
#[non_exhaustive]
pub struct Loaded<'d> {
    /// Its image, and where it runs.
    pub placed: Placed<'d>,
    /// Its call-frame information.
    pub(crate) rows: Rows<'d>,
}

/// The programs and libraries of one process. Each is parsed when first a PC lies in it.
pub struct Objects<'d> {
    /// Sorted by address.
    objects: Vec<Object<'d>>,
    /// Pieces of those files: first address, end, and the file from there on.
    pieces: Vec<(Addr, Addr, &'d [u8])>,
    findings: Vec<Finding>,
    options: Options,
    storage: &'d Storage,
}

/// What a mapped file is, by its first page.
struct Header {
    segments: Vec<Segment>,
    build_id: Option<Vec<u8>>,
}

impl<'d> Objects<'d> {
    /// Finds the files of `mappings` on disk, and the vDSO in `memory`. A file whose build-id is not that of
    /// the one mapped (read from `memory`) is left out with a finding, unless `options` force it.
    pub(crate) fn find(
        mappings: &[Mapping],
        memory: &dyn Memory,
        options: &Options,
        storage: &'d Storage,
    ) -> Self {
        let mut found = Objects {
            objects: Vec::new(),
            pieces: Vec::new(),
            findings: Vec::new(),
            options: options.clone(),
            storage,
        };
        let mut told = HashSet::new();
        let mut sorted: Vec<&Mapping> = mappings.iter().collect();
        sorted.sort_by_key(|m| m.start);
        for mapping in sorted {
            let last = found.objects.last();
            let inside = last.filter(|o| {
                mapping.start < o.end && found.options.spot_of(&mapping.path) == o.spot
            });
            let file = match inside {
                Some(object) => object.file,
                None if mapping.offset == 0 => match found.open(mapping, memory) {
                    Ok(object) => {
                        let file = object.file;
                        found.objects.push(object);
                        file
                    }
                    Err(what) => {
                        if let Some(message) = what
                            && told.insert((&mapping.path, message.clone()))
                        {
                            found.findings.push(finding(&mapping.path, message));
                        }
                        continue;
                    }
                },
                None => continue,
            };
            let piece = usize::try_from(mapping.offset)
                .ok()
                .and_then(|o| file.get(o..));
            if let Some(bytes) = piece.filter(|_| !mapping.writable) {
                found.pieces.push((mapping.start, mapping.end, bytes));
            }
        }
        found
    }

    /// The object that `mapping` is the beginning of. `Err(None)` for a file that is no program.
    fn open(
        &self,
        mapping: &Mapping,
        memory: &dyn Memory,
    ) -> std::result::Result<Object<'d>, Option<String>> {
        let in_memory = header(mapping, memory);
        let vdso = mapping.path == VDSO;
        let spot = self.options.spot_of(&mapping.path);
        let path = match vdso {
            true => PathBuf::from(VDSO),
            false => spot.path(),
        };
        let file = match vdso {
            true => self.storage.own(copy(mapping, memory)),
            false => match self.storage.admit(&spot) {
                Ok(Some(named)) => named.bytes,
                Ok(None) => return Err(in_memory.map(|_| "the file is not there".to_owned())),
                Err(refused) => {
                    let ordinary = in_memory.is_none() && is_data(&refused);
                    return Err((!ordinary).then(|| refused.why.to_string()));
                }
            },
        };
        let (kind, on_disk) = segments::read(file).ok_or(None)?;
        if kind == ET_CORE {
            return Err(None);
        }
        if !vdso && !self.options.force {
            same(mapping, in_memory.as_ref(), file, &on_disk, memory).map_err(Some)?;
        }
        let loads = on_disk.iter().filter(|s| s.kind == PT_LOAD);
        let first = loads.clone().find(|s| s.offset < PAGE).ok_or(None)?;
        let slide = Slide(
            mapping
                .start
                .0
                .wrapping_sub(first.addr.wrapping_sub(first.offset)),
        );
        let end = loads
            .filter_map(|s| s.addr.checked_add(s.size))
            .map(|end| slide.runtime(LinkAddr(end)))
            .filter(|end| *end > mapping.start)
            .max();
        Ok(Object {
            spot,
            path,
            start: mapping.start,
            end: end.unwrap_or(mapping.end),
            slide,
            file,
            loaded: OnceLock::new(),
        })
    }

    /// What was odd with the files, those parsed so far included.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let broken = self.objects.iter().filter_map(|o| {
            let error = o.loaded.get()?.as_ref().err()?;
            Some(finding(&o.path.to_string_lossy(), error.clone()))
        });
        self.findings.iter().cloned().chain(broken).collect()
    }

    /// Files in use: path, first address, end.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, Addr, Addr)> {
        self.objects.iter().map(|o| (&*o.path, o.start, o.end))
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = (Addr, Addr, &'d [u8])> + '_ {
        self.pieces.iter().copied()
    }

    /// The object around `at`, and where in it that is.
    pub(crate) fn loaded(&self, at: Addr) -> Option<(&Loaded<'d>, LinkAddr)> {
        let next = self.objects.partition_point(|o| o.start <= at);
        let object = self.objects.get(next.checked_sub(1)?)?;
        if at >= object.end {
            return None;
        }
        let load = || self.load(object).map_err(|e| e.to_string());
        let loaded = object.loaded.get_or_init(load).as_ref().ok()?;
        Some((loaded, object.slide.link(at)))
    }

    fn load(&self, object: &Object<'d>) -> Result<Loaded<'d>> {
        let image = ElfImage::parse(object.file, &object.path, self.storage)?;
        let mut image = image.at(&object.spot);
        let options = &self.options;
        image.look_in(&options.debug_dirs);
        let debug = Peek::new(object.file)?.debug_file(
            &object.spot,
            &options.debug_dirs,
            options.debuginfod_cache.as_deref(),
            self.storage,
        );
        // A debug file that does not fit leaves the image as it is.
        let debug = debug.and_then(|file| ElfImage::open_named(&file, self.storage).ok());
        let _ = debug.map(|debug| image.use_debug_file(debug));
        let rows = Rows::of(&image);
        let placed = Placed {
            image: Image::new(image).into(),
            slide: Some(object.slide),
        };
        Ok(Loaded { placed, rows })
    }

    /// The image whose text holds `at`.
    pub fn locate(&self, at: Addr) -> Option<Located<'_, 'd>> {
        let (loaded, link) = self.loaded(at)?;
        loaded.placed.image.text_section(link)?;
        Some(loaded.placed.at(link))
    }
}

impl From<&session::Options> for Options {
    fn from(options: &session::Options) -> Self {
        Options {
            debug_dirs: options.debug_dirs.clone(),
            debuginfod_cache: options.debuginfod_cache.clone(),
            sysroot: options.sysroot.clone(),
            force: options.force,
        }
    }
}

impl Options {
    /// Where the mapped file `path` is: below the root of its machine, or else on this one.
    fn spot_of(&self, path: &str) -> Spot {
        match &self.sysroot {
            Some(root) => Spot::new(root, path, Links::Rooted),
            None => Spot::system(path),
        }
    }
}

/// Whether it is usual that a process has mapped this, and no program: a device, or data of any size.
fn is_data(refused: &Refused) -> bool {
    let device = matches!(refused.why, Why::NotRegular(_) | Why::Below(_));
    device && refused.path.starts_with("/dev") || matches!(refused.why, Why::TooLarge { .. })
}

fn finding(path: &str, message: String) -> Finding {
    Finding {
        place: Place {
            file: Some(PathBuf::from(path)),
            ..Place::default()
        },
        message,
    }
}

/// The build-id of the program or library that `mapping` is the beginning of, as `memory` has it.
pub(crate) fn mapped_build_id(mapping: &Mapping, memory: &dyn Memory) -> Option<Vec<u8>> {
    header(mapping, memory)?.build_id
}

/// The first page of a mapped program, as `memory` has it.
fn header(mapping: &Mapping, memory: &dyn Memory) -> Option<Header> {
    /// Notes of programs have some hundred bytes.
    const NOTES: u64 = 1 << 16;
    let mut page = [0; PAGE as usize];
    memory.read(mapping.start, &mut page).ok()?;
    let (_, segments) = segments::read(&page)?;
    let first = segments
        .iter()
        .find(|s| s.kind == PT_LOAD && s.offset < PAGE)?;
    let base = first.addr.wrapping_sub(first.offset);
    let notes = segments.iter().filter(|s| s.kind == PT_NOTE);
    let found = notes.filter_map(|s| {
        let mut bytes = vec![0; usize::try_from(s.file_size.min(NOTES)).ok()?];
        let at = mapping.start.offset(s.addr.wrapping_sub(base) as i64);
        memory.read(at, &mut bytes).ok()?;
        build_id(&bytes).map(<[u8]>::to_vec)
    });
    let build_id = found.last();
    Some(Header { segments, build_id })
}

/// Why the file `on_disk` is not the one that was mapped, or may not be.
fn same(
    mapping: &Mapping,
    in_memory: Option<&Header>,
    file: &[u8],
    on_disk: &[Segment],
    memory: &dyn Memory,
) -> std::result::Result<(), String> {
    let notes = on_disk.iter().filter(|s| s.kind == PT_NOTE);
    let own = notes.filter_map(|s| build_id(s.bytes(file))).next();
    let known = in_memory.and_then(|h| h.build_id.as_deref());
    match (mapping.build_id.as_deref().or(known), own) {
        (Some(known), Some(own)) if known == own => Ok(()),
        (Some(known), Some(own)) => Err(format!(
            "build-id {} is not that of the file that was mapped, {}; not used",
            hex(own),
            hex(known)
        )),
        (Some(known), None) => Err(format!(
            "has no build-id, the file that was mapped had {}; not used",
            hex(known)
        )),
        (None, Some(_)) if in_memory.is_some_and(|h| h.segments != on_disk) => {
            Err("is not the file that was mapped: other program headers; not used".to_owned())
        }
        (None, _) if in_memory.is_some() => {
            // Without a build-id the first pages must be alike.
            let mut page = [0; PAGE as usize];
            let alike = memory.read(mapping.start, &mut page).is_ok()
                && file
                    .get(..page.len().min(file.len()))
                    .is_some_and(|f| page.starts_with(f));
            match alike {
                true => Ok(()),
                false => Err(
                    "is not the file that was mapped: its first page differs; not used".to_owned(),
                ),
            }
        }
        _ => Err("the memory has no build-id to know the mapped file by; not used".to_owned()),
    }
}

/// The mapping's bytes, page by page as far as they can be read; 64 KiB at most.
fn copy(mapping: &Mapping, memory: &dyn Memory) -> Vec<u8> {
    let mut all = Vec::new();
    let mut page = [0; PAGE as usize];
    for number in 0..16 {
        let at = mapping.start.offset((number * PAGE) as i64);
        if at >= mapping.end || memory.read(at, &mut page).is_err() {
            break;
        }
        all.extend_from_slice(&page);
    }
    all
}
