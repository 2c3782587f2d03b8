//! `fixtrace symbolize`

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use fixtrace::image::Storage;
use fixtrace::kernel::Kernel;
use fixtrace::oops::filter::Filter;
use fixtrace::oops::line;

use typed_arena::Arena;

use super::args::Symbolize;
use super::exit::{Exit, Failure};
use super::{open, out};

/// A longer line is passed on in pieces, bytes.
const MAX_LINE: u64 = 1 << 20;

/// Runs the verb.
pub fn run(args: &Symbolize) -> Result<Exit, Failure> {
    let mut out = out::writer(&args.out)?;
    let mut exit = Exit::Done;
    if args.logs.is_empty() {
        exit = log(args, &mut std::io::stdin().lock(), true, &mut *out)?;
    }
    for path in &args.logs {
        let named = |e: std::io::Error| {
            Failure::new(format!("{}: {e}", path.display()), "name a readable log")
        };
        let file = File::open(path).map_err(named)?;
        if file.metadata().map_err(named)?.is_dir() {
            return Err(Failure::new(
                format!("{}: is a directory", path.display()),
                "name a log",
            ));
        }
        exit = exit.max(log(
            args,
            &mut BufReader::with_capacity(1 << 16, file),
            false,
            &mut *out,
        )?);
    }
    out.flush()?;
    Ok(exit)
}

/// Filters one log. Nothing is opened before the first frame: by then the log has named its release.
fn log(
    args: &Symbolize,
    input: &mut dyn BufRead,
    live: bool,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut release = None;
    let mut line = Vec::new();
    loop {
        if !next_line(input, &mut line)? {
            return Ok(Exit::Done);
        }
        if release.is_none() {
            release = line::release(trim(&line)).map(str::to_owned);
        }
        if line::frame(trim(&line)).is_some() {
            break;
        }
        out.write_all(&line)?;
        flush_if(live, out)?;
    }
    let storage = Storage::new();
    let kernel = match open::kernel(&args.images, release.as_deref(), &storage) {
        Ok(kernel) => kernel,
        Err(e) => {
            // The log still passes: a filter in a pipe must not eat its input.
            out.write_all(&line)?;
            std::io::copy(input, out)?;
            out.flush()?;
            return Err(e);
        }
    };
    let release = args.images.release.clone().or(release);
    let found = Arena::new();
    let cache: RefCell<BTreeMap<String, Option<&Kernel<'_>>>> = RefCell::default();
    let module = |name: &str| {
        let release = release.as_deref()?;
        *cache
            .borrow_mut()
            .entry(name.to_owned())
            .or_insert_with(|| {
                let image = open::find_module(&args.images, name, release, &storage)?;
                let mut kernel = Kernel::new();
                kernel.add(image, None);
                Some(&*found.alloc(kernel))
            })
    };
    let mut filter = Filter::new(&kernel, &module);
    filter.lines = !args.no_lines;
    filter.strip_prefix = &args.out.strip_prefix;
    loop {
        filter.line(&line, out)?;
        flush_if(live, out)?;
        if !next_line(input, &mut line)? {
            break;
        }
    }
    filter.finish(out)?;
    out.flush()?;
    if filter.unresolved > 0 {
        let first = filter.first_unresolved.unwrap_or_default();
        let what = format!(
            "{} frames are of symbols that no image given has (first: {first})",
            filter.unresolved
        );
        open::warn(&args.images, &what);
        return Ok(Exit::Partial);
    }
    Ok(Exit::Done)
}

fn flush_if(live: bool, out: &mut dyn Write) -> Result<(), Failure> {
    if live {
        out.flush()?;
    }
    Ok(())
}

/// Reads one line (or a piece of [`MAX_LINE`] bytes); false at the end.
fn next_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<bool, Failure> {
    line.clear();
    Ok(std::io::Read::take(input, MAX_LINE).read_until(b'\n', line)? > 0)
}

fn trim(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
