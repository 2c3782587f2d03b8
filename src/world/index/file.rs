//! Writing a file so that others see all of it or nothing.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::base::error::{Error, Result};

/// Ending of a file that is being written.
pub(crate) const UNFINISHED: &str = "tmp";

/// Writes `bytes` to a temporary file beside `path`, then gives it that name. Of several writers the last one
/// wins; readers keep what they have mapped.
///
/// # Errors
/// `Io` where the system refuses; the old file is then as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}-{number}.{UNFINISHED}", std::process::id()));
    let unfinished = path.with_file_name(name);
    let done = write(&unfinished, bytes).and_then(|()| std::fs::rename(&unfinished, path));
    done.map_err(|e| {
        // What could not be finished is of no use to anyone.
        let _ = std::fs::remove_file(&unfinished);
        Error::io(path, e)
    })
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file: File = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
