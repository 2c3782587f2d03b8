//! `--baseline` and `--write-baseline`: the file.

use std::path::Path;

use fixtrace::low::base::error::Error;
use fixtrace::low::base::output;
use fixtrace::low::products::validate::Baseline;

use crate::cli::exit::Failure;
use crate::cli::out;

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

/// Writes `baseline` to `path`: all of it or nothing.
pub fn write(path: &Path, baseline: &Baseline) -> Result<(), Failure> {
    let text = baseline.text();
    let written = output::put(path, &[], |out| {
        let written = out.write_all(text.as_bytes());
        written.map_err(|e| Error::io(path, e))
    });
    written.map_err(|e| out::failure(&e))
}
