//! `--baseline` and `--write-baseline`: the file.

use std::path::{Path, PathBuf};

use fixtrace::low::products::validate::Baseline;
use fixtrace::low::world::index::file;

use crate::cli::exit::Failure;

/// Reads the file at `path`.
pub fn read(path: &Path) -> Result<Baseline, Failure> {
    let bad = |what: String| {
        let what = format!("{}: {what}", path.display());
        Failure::new(what, "name a file that --write-baseline wrote")
    };
    let bytes = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| bad("is no text".to_owned()))?;
    Baseline::parse(&text).map_err(|e| bad(e.to_string()))
}

/// Whether a file can be put at `path`: before the work, not behind it.
pub fn writable(path: &Path) -> Result<PathBuf, Failure> {
    let bad = |what: String| {
        let what = format!("{}: {what}", path.display());
        Failure::new(what, "name a file with --write-baseline")
    };
    // A link to a file is followed, so that the file changes and not the link.
    let place = match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_symlink() => path.canonicalize().map_err(|e| bad(e.to_string()))?,
        Ok(_) => path.to_owned(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(path.to_owned()),
        Err(e) => return Err(bad(e.to_string())),
    };
    match place.is_file() {
        true => Ok(place),
        false => Err(bad("is no regular file".to_owned())),
    }
}

/// Writes `baseline` to `path`: all of it or nothing.
pub fn write(path: &Path, baseline: &Baseline) -> Result<(), Failure> {
    let place = writable(path)?;
    Ok(file::replace(&place, baseline.text().as_bytes())?)
}
