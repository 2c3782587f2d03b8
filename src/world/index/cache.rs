//! The directory of indexes: one per build-id, the oldest thrown out when they get too large.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::base::error::{Error, Result};
use crate::base::replace::{UNFINISHED, replace};
use crate::formats::image::note;

/// Ending of an index.
pub(crate) const ENDING: &str = "fxi";
/// An unfinished file of this age belongs to a writer that died.
const DEAD: Duration = Duration::from_secs(3600);
/// Use is noted this often; noting it every time would write to the disk for every question.
const NOTED: Duration = Duration::from_secs(600);

/// A directory of indexes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cache {
    /// Where they are.
    pub dir: PathBuf,
    /// Bytes that all of them may take.
    pub max: u64,
}

impl Cache {
    /// Where the index of the image with `build_id` is or would be.
    pub fn path(&self, build_id: &[u8]) -> Option<PathBuf> {
        // The name must be no other image's; nothing shorter is in use.
        (build_id.len() >= 4).then_some(())?;
        Some(self.dir.join(format!("{}.{ENDING}", note::hex(build_id))))
    }

    /// Writes the index `bytes` to `path`, and throws out others for it, the one least recently used first.
    ///
    /// # Errors
    ///
    /// When the directory or the file cannot be written.
    pub fn store(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        create(&self.dir).map_err(|e| Error::io(&self.dir, e))?;
        evict(&self.dir, path, self.max.saturating_sub(bytes.len() as u64));
        replace(path, bytes)
    }
}

/// Notes that the index `path` was used.
pub(crate) fn touch(path: &Path) {
    let age = |m: &fs::Metadata| SystemTime::now().duration_since(m.modified().ok()?).ok();
    let recent = fs::metadata(path).is_ok_and(|m| age(&m).is_none_or(|a| a < NOTED));
    if !recent {
        // A cache that cannot be written to is still good for reading.
        let file = File::options().append(true).open(path);
        let _ = file.and_then(|f| f.set_modified(SystemTime::now()));
    }
}

#[cfg(unix)]
fn create(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

#[cfg(not(unix))]
fn create(dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)
}

/// Deletes indexes in `dir` until those that stay, `except` left out, have at most `max` bytes.
fn evict(dir: &Path, except: &Path, max: u64) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    let now = SystemTime::now();
    let mut kept: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in entries.flatten() {
        let (path, Ok(meta)) = (entry.path(), entry.metadata()) else {
            continue;
        };
        let modified = meta.modified().unwrap_or(now);
        let age = now.duration_since(modified).unwrap_or_default();
        match path.extension().and_then(|e| e.to_str()) {
            Some(ENDING) if path != except => kept.push((modified, meta.len(), path)),
            Some(UNFINISHED) if age > DEAD => drop(fs::remove_file(&path)),
            _ => {}
        }
    }
    kept.sort();
    let mut total: u64 = kept.iter().map(|(_, len, _)| len).sum();
    for (_, len, path) in kept {
        if total <= max {
            break;
        }
        // Another process may have deleted it already.
        let _ = fs::remove_file(path);
        total -= len;
    }
}
