//! Debug information that lies in other files: split units (`.dwo`, `.dwp`) and the supplementary file that
//! `dwz -m` writes (`.gnu_debugaltlink`).

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gimli::{DwarfPackage, DwoId, EndianSlice, LittleEndian, SectionId};

use super::sections::{Sections, Slice, load};
use crate::base::bytes::cstr_at;
use crate::base::error::Result;
use crate::formats::image::{ElfImage, Storage};

/// Where split units of one image are looked for.
pub(super) struct Split<'d> {
    path: PathBuf,
    storage: &'d Storage,
    package: OnceLock<Option<DwarfPackage<Slice<'d>>>>,
}

impl<'d> Split<'d> {
    pub(crate) fn new(image: &ElfImage<'d>) -> Self {
        Split {
            path: image.debug_path().to_owned(),
            storage: image.storage(),
            package: OnceLock::new(),
        }
    }

    /// The sections of split unit `id`: from the package beside the image, or from the file that the skeleton
    /// names, relative to its build directory or beside the image.
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
        let beside = self.path.parent().unwrap_or(Path::new(""));
        let base = Path::new(name).file_name().unwrap_or_default();
        let places = [
            Path::new(comp_dir).join(name),
            beside.join(name),
            beside.join(base),
        ];
        let path = places.into_iter().find(|p| p.is_file())?;
        let image = self.open(&path)?;
        let mut sections = load(&image, |id: SectionId| id.dwo_name().unwrap_or_default()).ok()?;
        sections.make_dwo(main);
        Some(sections)
    }

    fn package(&self) -> Option<&DwarfPackage<Slice<'d>>> {
        self.package
            .get_or_init(|| {
                let mut named = self.path.clone().into_os_string();
                named.push(".dwp");
                let path = [PathBuf::from(named), self.path.with_extension("dwp")]
                    .into_iter()
                    .find(|p| p.is_file())?;
                let image = self.open(&path)?;
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

    fn open(&self, path: &Path) -> Option<ElfImage<'d>> {
        ElfImage::open(path, self.storage).ok()
    }
}

/// The supplementary file that `image` names, if its build-id is the one wanted.
pub(super) fn supplementary<'d>(image: &ElfImage<'d>) -> Result<Option<ElfImage<'d>>> {
    let link = image.debug_section(".gnu_debugaltlink")?;
    let Some((name, id)) = cstr_at(link, 0)
        .and_then(|name| Some((str::from_utf8(name).ok()?, link.get(name.len() + 1..)?)))
    else {
        return Ok(None);
    };
    let beside = image.debug_path().parent().unwrap_or(Path::new(""));
    let mut places = vec![beside.join(name)];
    places.extend(Path::new(name).file_name().map(|base| beside.join(base)));
    // A debug file mostly lies below the directory that has `.build-id`.
    let above = image.debug_path().ancestors().skip(1);
    let dirs = above.chain(image.debug_dirs().iter().map(PathBuf::as_path));
    places.extend(dirs.filter_map(|dir| by_build_id(dir, id)));
    for path in places.iter().filter(|p| p.is_file()) {
        let found = ElfImage::open(path, image.storage())?;
        if found.build_id() == Some(id) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// `DIR/.build-id/xx/yyyy.debug`
fn by_build_id(dir: &Path, id: &[u8]) -> Option<PathBuf> {
    let hex = crate::formats::image::note::hex(id);
    let (first, rest) = hex.split_at_checked(2)?;
    Some(
        dir.join(".build-id")
            .join(first)
            .join(format!("{rest}.debug")),
    )
}
