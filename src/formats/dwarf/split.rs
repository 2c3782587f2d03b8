//! Debug information that lies in other files: split units (`.dwo`, `.dwp`) and the supplementary file that
//! `dwz -m` writes (`.gnu_debugaltlink`).

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use gimli::{DwarfPackage, DwoId, EndianSlice, LittleEndian, SectionId};

use super::sections::{Sections, Slice, load};
use crate::base::bytes::cstr_at;
use crate::base::error::Result;
use crate::base::gate::{Links, Spot, Why, within};
use crate::formats::image::{ElfImage, Storage, locate};

/// Where split units of one image are looked for.
pub(super) struct Split<'d> {
    image: Spot,
    debug_dirs: Vec<PathBuf>,
    storage: &'d Storage,
    package: OnceLock<Option<DwarfPackage<Slice<'d>>>>,
    /// Whether it was told that files lie where none is looked for.
    told: AtomicBool,
}

impl<'d> Split<'d> {
    pub(crate) fn new(image: &ElfImage<'d>) -> Self {
        Split {
            image: image.debug_spot(),
            debug_dirs: image.debug_dirs().to_vec(),
            storage: image.storage(),
            package: OnceLock::new(),
            told: AtomicBool::new(false),
        }
    }

    /// The sections of split unit `id`: from the package beside the image, or from the file that the skeleton
    /// names, where that lies beside or below the image or below a directory of debug files.
    pub(crate) fn find(
        &self,
        id: DwoId,
        comp_dir: &str,
        name: &str,
        main: &Sections<'d>,
    ) -> Option<Sections<'d>> {
        if let Some(package) = self.package()
            && let Ok(Some(found)) = package.find_cu(id, main)
        {
            return Some(found);
        }
        let named = Path::new(comp_dir).join(name);
        let places = split_file(&self.image, &self.debug_dirs, &named, Path::new(name));
        let Some(found) = self.storage.first_named(&places.spots) else {
            if places.elsewhere && !self.told.swap(true, Ordering::Relaxed) {
                let spot = Spot::of_file(&named);
                self.storage.refuse(spot.refused(Why::Elsewhere));
            }
            return None;
        };
        let image = ElfImage::open_named(&found, self.storage).ok()?;
        let mut sections = load(&image, |id: SectionId| id.dwo_name().unwrap_or_default()).ok()?;
        sections.make_dwo(main);
        Some(sections)
    }

    fn package(&self) -> Option<&DwarfPackage<Slice<'d>>> {
        self.package
            .get_or_init(|| {
                let path = self.image.path();
                let other = path.with_extension("dwp");
                let other = other
                    .file_name()
                    .and_then(|n| self.image.beside(n.as_ref()));
                let own = path.file_name().map(|n| self.image.beside(n.as_ref()));
                let own = own.flatten().map(|spot| spot.with_ending(".dwp"));
                let found = self.storage.first_named(own.iter().chain(&other))?;
                let image = ElfImage::open_named(&found, self.storage).ok()?;
                let section = |id: SectionId| -> gimli::Result<Slice<'d>> {
                    let data = id.dwo_name().map(|name| image.debug_section(name));
                    Ok(EndianSlice::new(
                        data.and_then(Result::ok).unwrap_or_default(),
                        LittleEndian,
                    ))
                };
                DwarfPackage::load(section, EndianSlice::default()).ok()
            })
            .as_ref()
    }
}

/// Where a file that debug information names may be.
struct Places {
    spots: Vec<Spot>,
    /// Whether it may not be read where it is by its name.
    elsewhere: bool,
}

impl Places {
    /// Those of the file that is called `path` where it was written: below the directory of `image`, or one of
    /// `debug_dirs`.
    fn of(path: &Path, image: &Spot, debug_dirs: &[PathBuf]) -> Self {
        let path = std::path::absolute(path).unwrap_or_default();
        let below = |dir: &Path| {
            let dir = std::path::absolute(dir).ok()?;
            within(path.strip_prefix(dir).ok()?)
        };
        let own = below(&image.dir()).and_then(|inner| image.beside(&inner));
        let debug = |dir: &PathBuf| Some(Spot::new(dir, below(dir)?, Links::Beneath));
        let spots: Vec<Spot> = own
            .into_iter()
            .chain(debug_dirs.iter().filter_map(debug))
            .collect();
        Places {
            elsewhere: spots.is_empty(),
            spots,
        }
    }

    fn add(&mut self, spot: Option<Spot>) {
        let new = spot.filter(|spot| !self.spots.contains(spot));
        self.spots.extend(new);
    }
}

/// Where the split file `name` may be, which was written to `path`; else it is beside the image, by its name or the last
/// part of that.
fn split_file(image: &Spot, debug_dirs: &[PathBuf], path: &Path, name: &Path) -> Places {
    let mut places = Places::of(path, image, debug_dirs);
    let inner = within(name).filter(|_| name.is_relative());
    places.add(inner.and_then(|inner| image.beside(&inner)));
    places.add(
        name.file_name()
            .and_then(|base| image.beside(base.as_ref())),
    );
    places
}

/// The supplementary file that `image` names, if its build-id is the one wanted.
pub(super) fn supplementary<'d>(image: &ElfImage<'d>) -> Result<Option<ElfImage<'d>>> {
    let link = image.debug_section(".gnu_debugaltlink")?;
    let Some((name, id)) = cstr_at(link, 0)
        .and_then(|name| Some((str::from_utf8(name).ok()?, link.get(name.len() + 1..)?)))
    else {
        return Ok(None);
    };
    let storage = image.storage();
    let (debug, dirs) = (image.debug_spot(), image.debug_dirs());
    let places = alternates(&debug, dirs, Path::new(name));
    let by_id = by_build_id(&debug.path(), dirs, id);
    for spot in places.spots.iter().chain(&by_id) {
        let Some(found) = storage.named(spot) else {
            continue;
        };
        let found = ElfImage::open_named(&found, storage)?;
        if found.build_id() == Some(id) {
            return Ok(Some(found));
        }
    }
    if places.elsewhere {
        let spot = Spot::of_file(&debug.dir().join(name));
        storage.refuse(spot.refused(Why::Elsewhere));
    }
    Ok(None)
}

/// Where the supplementary file `name` of the debug file at `debug` may be. A relative name counts from the debug file,
/// and stays beneath its directory, or beneath that of debug files which it lies in; an absolute one is that of a file in
/// such a directory. By the last part of its name it may be beside the debug file.
fn alternates(debug: &Spot, debug_dirs: &[PathBuf], name: &Path) -> Places {
    let mut places = match name.is_relative() {
        true => {
            let spot = debug.clone().or_within(debug_dirs).beside(name);
            Places {
                elsewhere: spot.is_none(),
                spots: spot.into_iter().collect(),
            }
        }
        false => Places::of(name, debug, debug_dirs),
    };
    // Debug files that were copied with their whole directory name each other as before.
    let usual = name.strip_prefix("/usr/lib/debug").ok().and_then(within);
    if let Some(inner) = usual {
        places.elsewhere = false;
        for dir in debug_dirs {
            places.add(Some(Spot::new(dir, &inner, Links::Beneath)));
        }
    }
    places.add(
        name.file_name()
            .and_then(|base| debug.beside(base.as_ref())),
    );
    places
}

/// Where the file with build-id `id` may be: in the directories of debug files, or in one above `debug`.
fn by_build_id(debug: &Path, debug_dirs: &[PathBuf], id: &[u8]) -> Vec<Spot> {
    let Some(name) = locate::build_id_name(id) else {
        return Vec::new();
    };
    // A debug file mostly lies below the directory that has `.build-id`.
    let above = debug.ancestors().skip(1).filter(|dir| {
        let top = dir.parent().is_none() && dir.has_root();
        !top && !dir.ends_with(".build-id")
    });
    let above = above.map(|dir| Spot::new(dir, &name, Links::Beneath));
    let given = debug_dirs
        .iter()
        .map(|dir| Spot::new(dir, &name, Links::Anywhere));
    above.chain(given).collect()
}
