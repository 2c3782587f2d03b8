//! `fixtrace index`

use std::io::Write;
use std::path::Path;

use fixtrace::low::formats::image::{ImageKind, Storage, note};
use fixtrace::low::products::report::json::{Value, json};
use fixtrace::low::world::image::Image;
use fixtrace::low::world::index::format::Entry;
use fixtrace::low::world::index::{self, Header, Options, file, verify};
use fixtrace::low::world::session::{self, Session, View};

use super::args::{Images, Index};
use super::exit::{Exit, Failure};
use super::{open, out};

/// Runs the verb.
pub fn run(args: &Index) -> Result<Exit, Failure> {
    if args.info {
        return args.images.iter().try_fold(Exit::Done, |exit, path| {
            Ok(exit.max(info(path, args.json)?))
        });
    }
    if args.verify {
        return args.images.iter().try_fold(Exit::Done, |exit, path| {
            Ok(exit.max(check(path, args.json)?))
        });
    }
    if args.output.is_some() && args.images.len() > 1 {
        return Err(Failure::new(
            "-o takes one image",
            "leave -o out: each index goes into the cache",
        ));
    }
    let only = functions(&args.only)?;
    if args.output.is_none() && (!only.is_empty() || args.symbols.is_some()) {
        return Err(Failure::new(
            "such an index is not for the cache",
            "name a file with -o",
        ));
    }
    let options = Options {
        no_lines: args.no_lines,
        only,
    };
    let images = Images {
        debug_dirs: args.debug_dirs.clone(),
        verbose: args.verbose,
        quiet: args.quiet,
        no_index: true,
        ..Images::default()
    };
    let mut failed = 0;
    for path in &args.images {
        match one(args, &images, &options, path) {
            Err(e) if args.images.len() > 1 => {
                failed += 1;
                eprintln!("fixtrace: {}", e.message);
            }
            done => done?,
        }
    }
    Ok(match failed {
        0 => Exit::Done,
        n if n == args.images.len() => Exit::Usage,
        _ => Exit::Partial,
    })
}

/// Writes the index of the image at `path`.
fn one(args: &Index, images: &Images, options: &Options, path: &Path) -> Result<(), Failure> {
    let session = Session::new(open::options(images));
    session::with(&session, |view| {
        let tables = view.open(path, args.symbols.as_deref());
        open::say(images, view.noticed());
        let written = write(args, options, &tables.map_err(|e| open::failure(&e))?, view);
        // Debug information is read as it is written.
        open::say(images, view.noticed());
        written
    })
}

/// Writes the index of `tables` to where it belongs.
fn write(
    args: &Index,
    options: &Options,
    tables: &Image<'_>,
    view: View<'_, '_>,
) -> Result<(), Failure> {
    let bytes = index::write(tables, options)?;
    let into = match (&args.output, tables.build_id()) {
        (Some(path), _) => {
            file::replace(path, &bytes)?;
            path.clone()
        }
        (None, Some(id)) => {
            let cache = view.options().cache.as_ref().ok_or_else(no_cache)?;
            let path = cache.path(id).ok_or_else(no_cache)?;
            cache.store(&path, &bytes)?;
            path
        }
        (None, None) => {
            return Err(Failure::new(
                format!(
                    "{}: has no build-id to be found by",
                    tables.path().display()
                ),
                "name a file with -o",
            ));
        }
    };
    if args.verbose {
        eprintln!("fixtrace: {}: {} bytes", into.display(), bytes.len());
    }
    Ok(())
}

fn no_cache() -> Failure {
    Failure::new(
        "no directory for indexes",
        "set XDG_CACHE_HOME or HOME, or name a file with -o",
    )
}

/// Names given by `--only`; `@FILE` stands for those in FILE, separated by white space or commas.
fn functions(only: &[String]) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for name in only {
        match name.strip_prefix('@') {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|e| {
                    Failure::new(format!("{path}: {e}"), "name a file with function names")
                })?;
                let words = text.split(|c: char| c == ',' || c.is_whitespace());
                names.extend(words.filter(|w| !w.is_empty()).map(str::to_owned));
            }
            None => names.push(name.clone()),
        }
    }
    Ok(names)
}

/// Prints header and sections.
fn info(path: &Path, json: bool) -> Result<Exit, Failure> {
    let storage = Storage::new();
    let bytes = storage.map(path)?;
    let header = Header::parse(bytes).map_err(|e| e.in_file(path))?;
    let tables = index::open_bytes(bytes, path, &storage)?;
    let mut out = out::standard();
    let id = (!header.build_id.is_empty()).then(|| note::hex(&header.build_id));
    let kind = match header.kind {
        ImageKind::Vmlinux => "vmlinux",
        ImageKind::Module => "module",
        ImageKind::Vdso => "vdso",
        _ => "other",
    };
    if json {
        let section = |s: &Entry| {
            json!({
                "id": s.id.0, "name": s.id.name(), "offset": s.offset, "size": s.len,
                "checksum": format!("{:#010x}", s.checksum),
            })
        };
        let object = json!({
            "schema": "fixtrace.index/1",
            "path": path.display().to_string(),
            "version": index::VERSION,
            "image": tables.name(),
            "kind": kind,
            "bits": header.bits,
            "release": tables.release(),
            "build_id": id,
            "partial": header.partial,
            "no_lines": header.no_lines,
            "source_size": header.source_size,
            "debug_size": header.debug_size,
            "size": bytes.len(),
            "sections": header.sections.iter().map(section).collect::<Vec<Value>>(),
        });
        writeln!(out, "{object}")?;
        out.flush()?;
        return Ok(Exit::Done);
    }
    let unknown = || "-".to_owned();
    let partial = if header.partial {
        ", some functions only"
    } else {
        ""
    };
    let lines = [
        (
            "image",
            format!("{} ({kind}, {} bits{partial})", tables.name(), header.bits),
        ),
        (
            "release",
            tables.release().map_or_else(unknown, str::to_owned),
        ),
        ("build-id", id.unwrap_or_else(unknown)),
        ("version", index::VERSION.to_string()),
        ("size", bytes.len().to_string()),
        ("size of the image", header.source_size.to_string()),
        ("size of its debug file", header.debug_size.to_string()),
    ];
    for (key, value) in lines {
        writeln!(out, "{key:<24} {value}")?;
    }
    writeln!(out)?;
    for s in &header.sections {
        writeln!(
            out,
            "{:<24} {:>10} bytes at {:#x}",
            s.id.name(),
            s.len,
            s.offset
        )?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// Checks every byte and prints what is wrong.
fn check(path: &Path, json: bool) -> Result<Exit, Failure> {
    let storage = Storage::new();
    let bytes = storage.map(path)?;
    let found = verify::verify(bytes);
    let mut out = out::standard();
    if json {
        let object = json!({
            "schema": "fixtrace.index-check/1",
            "path": path.display().to_string(),
            "findings": found,
        });
        writeln!(out, "{object}")?;
    } else {
        for finding in &found {
            writeln!(out, "{}: {finding}", path.display())?;
        }
    }
    out.flush()?;
    Ok(if found.is_empty() {
        Exit::Done
    } else {
        Exit::Negative
    })
}
