//! Opening beneath a root where the system has no means for it: a file whose path, once links are followed, is beneath.

use std::fs::{self, File};

use super::refused::Why;
use super::spot::{Links, Spot};
use super::wanted::{Expected, Kind, Seen, Trouble};

/// Opens what `spot` is, if it is `expected`.
pub(super) fn open(spot: &Spot, expected: Expected) -> Result<File, Trouble> {
    let root = fs::canonicalize(&spot.root).map_err(Trouble::Io)?;
    let path = fs::canonicalize(spot.root.join(&spot.name)).map_err(Trouble::Io)?;
    if spot.links != Links::Anywhere && !path.starts_with(&root) {
        return Err(Why::LeadsOut(spot.root.clone()).into());
    }
    for place in ["/proc", "/sys", "/dev"] {
        if path.starts_with(place) {
            return Err(Why::Below(place).into());
        }
    }
    expected.check(&seen(&fs::metadata(&path).map_err(Trouble::Io)?))?;
    let file = File::open(&path).map_err(Trouble::Io)?;
    expected.check(&seen(&file.metadata().map_err(Trouble::Io)?))?;
    Ok(file)
}

fn seen(meta: &fs::Metadata) -> Seen {
    let kind = match (meta.is_file(), meta.is_dir()) {
        (true, _) => Kind::File,
        (_, true) => Kind::Directory,
        _ => Kind::Other("a device or a pipe"),
    };
    Seen {
        kind,
        size: meta.len(),
    }
}
