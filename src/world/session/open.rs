//! Opening images: out of their indexes, or with their debug files.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::find::Vmlinux;
use super::noticed::Noticed;
use super::options::{Indexes, Wanted};
use super::view::View;
use crate::base::addr::Slide;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::gate::Spot;
use crate::formats::image::peek::Peek;
use crate::formats::image::symtab::SymbolSource;
use crate::formats::image::{ElfImage, ImageKind, Named, locate};
use crate::formats::orc::NoOrc;
use crate::formats::sizes;
use crate::world::image::Image;
use crate::world::index::{self, Header, Origin, cache};

impl<'d> View<'_, 'd> {
    /// See [`super::Session::open_images`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_images(&self, wanted: Wanted<'_>) -> Result<()> {
        let options = self.options();
        let asked = Wanted {
            release: options.release.as_deref(),
            build_id: options.build_id.as_deref(),
        };
        // What was asked for need not be what the input is of.
        let wanted = if asked.is_empty() { wanted } else { asked };
        if let Some(found) = self.vmlinux(wanted)? {
            let image = self.open_vmlinux(&found, options.symbols.as_deref())?;
            self.check_release(&image, wanted.release)?;
            self.add(image.into(), Some(options.slide.unwrap_or(Slide(0))));
        }
        for module in &options.modules {
            let image = self.open(&module.path, None)?;
            self.add(image.into(), module.at);
        }
        if options.details {
            let kernel = self.kernel();
            kernel.images().iter().for_each(|p| self.describe(&p.image));
        }
        Ok(())
    }

    /// Opens one image, out of its index when there is one; `symbols` stand for its own. It is not kept.
    ///
    /// # Errors
    ///
    /// When it cannot be read or is no image; `Contradiction` for symbols of an index, which has its own.
    pub fn open(&self, path: &Path, symbols: Option<&Path>) -> Result<Image<'d>> {
        if is_index(path) {
            no_symbols_beside(path, symbols)?;
            return index::open(path, self.storage());
        }
        let bytes = self.storage().open(path)?;
        self.read(&Spot::of_file(path), path, bytes, symbols)
    }

    /// The same of the kernel's image.
    fn open_vmlinux(&self, found: &Vmlinux<'d>, symbols: Option<&Path>) -> Result<Image<'d>> {
        match found {
            Vmlinux::Given(path) => self.open(path, symbols),
            Vmlinux::Found(named) => self.open_named(named, symbols),
        }
    }

    /// The same of a file that an input named.
    pub(super) fn open_named(
        &self,
        named: &Named<'d>,
        symbols: Option<&Path>,
    ) -> Result<Image<'d>> {
        let path = named.spot.path();
        if index::is_index(named.bytes) {
            no_symbols_beside(&path, symbols)?;
            return index::open_bytes(named.bytes, &path, self.storage());
        }
        let bytes = self.storage().unpack(named.bytes);
        self.read(
            &named.spot,
            &path,
            bytes.map_err(|e| e.in_file(&path))?,
            symbols,
        )
    }

    /// The image of the ELF file `bytes`, which is `path` at `spot`.
    fn read(
        &self,
        spot: &Spot,
        path: &Path,
        bytes: &'d [u8],
        symbols: Option<&Path>,
    ) -> Result<Image<'d>> {
        let (options, storage) = (self.options(), self.storage());
        // Other symbols give other tables: such an image is not the one that the cache knows by its build-id.
        let cached = match symbols {
            None if options.indexes != Indexes::Ignore => self.cached(spot, path, bytes),
            _ => None,
        };
        let unusable = match cached {
            Some((_, Ok(image))) => {
                self.detail(|| Noticed::FromIndex {
                    image: path.to_owned(),
                });
                return Ok(image);
            }
            Some((index, Err(why))) => {
                self.notice(Noticed::IndexUnusable { index, why });
                true
            }
            None => false,
        };
        let mut image = self.parse(spot, path, bytes, symbols.is_some())?;
        if let Some(symbols) = symbols {
            let text = storage.map(symbols)?;
            sizes::use_symbol_text(&mut image, text).map_err(|e| e.in_file(symbols))?;
        }
        let image = Image::new(image);
        let asked = options.indexes == Indexes::UseAndWrite;
        let kept = match symbols {
            None if unusable || asked => self.remember(&image),
            // Asked for by its build-id it would be taken for the image with its own symbols.
            Some(_) if asked => Err(Error::new(
                ErrorKind::Contradiction,
                "has symbols of another file",
            )),
            _ => Ok(()),
        };
        if let Err(e) = kept {
            self.notice(Noticed::IndexUnwritten(e.in_file(path)));
        }
        Ok(image)
    }

    /// Notes `what` if details are asked for.
    fn detail(&self, what: impl FnOnce() -> Noticed) {
        if self.options().details {
            self.notice(what());
        }
    }

    /// The index in the cache of the ELF file `bytes`: its path, and the image or why it is of no use.
    fn cached(
        &self,
        spot: &Spot,
        path: &Path,
        bytes: &'d [u8],
    ) -> Option<(PathBuf, std::result::Result<Image<'d>, String>)> {
        let (options, storage) = (self.options(), self.storage());
        let peek = Peek::new(bytes).ok()?;
        let place = options.cache.as_ref()?.path(peek.build_id?);
        let place = place.filter(|p| p.is_file())?;
        let debug = peek.debug_file(spot, &options.debug_dirs, options.debuginfod(), storage);
        let debug_size = debug.as_ref().map(|d| d.bytes.len() as u64);
        let read = || -> std::result::Result<Image<'d>, String> {
            let stored = storage.map(&place).map_err(|e| e.to_string())?;
            let header = Header::parse(stored).map_err(|e| e.to_string())?;
            if Some(&header.build_id[..]) != peek.build_id {
                return Err("index of another build-id".to_owned());
            }
            if header.source_size != bytes.len() as u64 {
                return Err("index of an image of another size".to_owned());
            }
            // Lines of a debug file that is gone since are still good.
            if debug_size.is_some_and(|size| size != header.debug_size) {
                return Err("index of another debug file".to_owned());
            }
            if header.no_lines && options.indexes == Indexes::UseAndWrite {
                return Err("index without source lines".to_owned());
            }
            let origin = Origin {
                path: path.to_owned(),
                bytes,
                debug,
                debug_dirs: options.debug_dirs.clone(),
            };
            index::open_beside(stored, header, origin, storage).map_err(|e| e.to_string())
        };
        let image = read();
        if image.is_ok() {
            cache::touch(&place);
        }
        Some((place, image))
    }

    /// Writes the index of `image` into the cache.
    fn remember(&self, image: &Image<'_>) -> Result<()> {
        let none = |what| Error::new(ErrorKind::Unsupported, what);
        let cache = self.options().cache.as_ref();
        let cache = cache.ok_or_else(|| none("there is no directory for indexes"))?;
        let id = image.build_id();
        let id = id.ok_or_else(|| none("has no build-id that an index could be found by"))?;
        let place = cache.path(id);
        let place = place.ok_or_else(|| none("has too short a build-id to be found by"))?;
        cache.store(&place, &index::write(image, &index::Options::default())?)
    }

    /// Parses one image, and opens its debug file when it has no symbols or no DWARF of its own.
    fn parse(
        &self,
        spot: &Spot,
        path: &Path,
        bytes: &'d [u8],
        other_symbols: bool,
    ) -> Result<ElfImage<'d>> {
        let (options, storage) = (self.options(), self.storage());
        let mut image = ElfImage::parse(bytes, path, storage)?.at(spot);
        image.look_in(&options.debug_dirs);
        if image.symbols().source() == SymbolSource::None || !image.has_debug_info() {
            let link = image.debuglink().map(|(name, _)| name);
            let files = locate::debug_files(
                image.build_id(),
                link,
                spot,
                &options.debug_dirs,
                options.debuginfod(),
            );
            for file in files.iter().filter_map(|spot| storage.named(spot)) {
                let debug = ElfImage::open_named(&file, storage);
                match debug.and_then(|debug| image.use_debug_file(debug)) {
                    Ok(()) => {
                        self.detail(|| Noticed::DebugFile {
                            image: path.to_owned(),
                            file: file.spot.path(),
                        });
                        break;
                    }
                    Err(e) => self.notice(Noticed::DebugFileUnusable(e)),
                }
            }
        }
        if image.symbols().source() == SymbolSource::None && !other_symbols {
            self.notice(Noticed::NoSymbols {
                image: path.to_owned(),
            });
        }
        Ok(image)
    }

    /// Refuses an image whose banner names another release than the input.
    ///
    /// # Errors
    ///
    /// `WrongImage`, unless the session was told to use such images.
    pub fn check_release(&self, image: &ElfImage<'_>, release: Option<&str>) -> Result<()> {
        let (Some(wanted), Some(found)) = (release, image.release()) else {
            return Ok(());
        };
        if wanted == found {
            return Ok(());
        }
        if self.options().force {
            self.notice(Noticed::OtherRelease {
                image: image.path().to_owned(),
                found: found.to_owned(),
                wanted: wanted.to_owned(),
            });
            return Ok(());
        }
        let what = format!("is Linux {found}, the input is of {wanted}");
        Err(Error::new(ErrorKind::WrongImage, what).in_file(image.path()))
    }

    /// Notes what is used, and what is odd about it.
    pub(super) fn describe(&self, image: &Image<'_>) {
        let name = || image.name().to_owned();
        self.notice(Noticed::Image {
            name: name(),
            path: image.path().to_owned(),
            release: image.release().map(str::to_owned),
            build_id: image.build_id().map(<[u8]>::to_vec),
        });
        match image.orc() {
            Ok(Some(orc)) => {
                self.notice(Noticed::Orc {
                    name: name(),
                    version: orc.version(),
                    by: orc.rung(),
                });
                for finding in orc.findings() {
                    self.notice(Noticed::Odd {
                        name: None,
                        finding: finding.clone(),
                    });
                }
            }
            Ok(None) => self.notice(Noticed::NoOrc {
                name: name(),
                why: NoOrc::of(image),
            }),
            Err(e) => self.notice(Noticed::OrcUnreadable(e)),
        }
        let lists = [
            image.findings(),
            image.extable().findings(),
            image.fixups().findings(),
        ];
        for finding in lists.into_iter().flatten() {
            self.notice(Noticed::Odd {
                name: Some(name()),
                finding: finding.clone(),
            });
        }
        if image.kind() == ImageKind::Other {
            self.notice(Noticed::OtherKind { name: name() });
        }
    }
}

/// Refuses symbols for an index.
fn no_symbols_beside(index: &Path, symbols: Option<&Path>) -> Result<()> {
    match symbols {
        Some(_) => {
            let what = "an index has its symbols already";
            Err(Error::new(ErrorKind::Contradiction, what).in_file(index))
        }
        None => Ok(()),
    }
}

/// Whether the file at `path` begins as an index. Pipes cannot be looked into without taking from them.
fn is_index(path: &Path) -> bool {
    let mut first = [0; 4];
    let regular = std::fs::metadata(path).is_ok_and(|m| m.is_file());
    let mut read = || std::fs::File::open(path)?.read_exact(&mut first);
    regular && read().is_ok() && index::is_index(&first)
}
