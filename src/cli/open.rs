//! Finding and opening the images that a run needs.

use std::io::Read;
use std::path::{Path, PathBuf};

use fixtrace::low::base::addr::Slide;
use fixtrace::low::base::error::{Error, ErrorKind};
use fixtrace::low::formats::image::peek::Peek;
use fixtrace::low::formats::image::symtab::SymbolSource;
use fixtrace::low::formats::image::{ElfImage, ImageKind, Storage, locate, note};
use fixtrace::low::world::image::Image;
use fixtrace::low::world::index::{self, Header, Options, Origin};
use fixtrace::low::world::kernel::Kernel;

use super::args::Images;
use super::cache;
use super::exit::Failure;

/// Directories with debug files: those given, or the system's.
pub fn debug_dirs(args: &Images) -> Vec<PathBuf> {
    if args.debug_dirs.is_empty() {
        vec![PathBuf::from("/usr/lib/debug")]
    } else {
        args.debug_dirs.clone()
    }
}

/// Says something on stderr unless `--quiet`.
pub fn warn(args: &Images, text: &str) {
    if !args.quiet {
        eprintln!("fixtrace: {text}");
    }
}

/// Says whose debug information was asked for and could not be read.
pub fn warn_of_lines(args: &Images, kernel: &Kernel<'_>) {
    for error in kernel.images().iter().filter_map(|p| p.image.lines_error()) {
        warn(args, &format!("{error}; no source lines"));
    }
}

fn verbose(args: &Images, text: &str) {
    if args.verbose {
        eprintln!("fixtrace: {text}");
    }
}

/// Opens the vmlinux and modules named, or found by `release`.
pub fn kernel<'d>(
    args: &Images,
    release: Option<&str>,
    storage: &'d Storage,
) -> Result<Kernel<'d>, Failure> {
    let mut kernel = Kernel::new();
    let release = args.release.as_deref().or(release);
    let path = match (&args.vmlinux, release) {
        (Some(path), _) => Some(path.clone()),
        (None, Some(release)) => Some(find_vmlinux(args, release)?),
        (None, None) if args.modules.is_empty() => {
            return Err(Failure::new(
                "no kernel image",
                "pass --vmlinux FILE or --release REL",
            ));
        }
        (None, None) => None,
    };
    if let Some(path) = path {
        let image = tables(args, &path, args.symbols.as_deref(), storage)?;
        check_release(args, &image, release)?;
        kernel.add(image, Some(Slide(args.slide.unwrap_or(0))));
    }
    for module in &args.modules {
        let (image, slide) = open_module(args, module, storage)?;
        kernel.add(image, slide);
    }
    for placed in kernel.images() {
        describe(args, &placed.image);
    }
    Ok(kernel)
}

fn open_module<'d>(
    args: &Images,
    text: &str,
    storage: &'d Storage,
) -> Result<(Image<'d>, Option<Slide>), Failure> {
    // A file name may hold an @ itself: only a hexadecimal tail is an address.
    let (path, slide) = match text.rsplit_once('@') {
        Some((path, addr)) => match super::args::parse_hex(addr) {
            Ok(addr) => (path, Some(Slide(addr))),
            Err(_) => (text, None),
        },
        None => (text, None),
    };
    Ok((tables(args, Path::new(path), None, storage)?, slide))
}

/// Opens one image, out of its index when there is one; `symbols` stand for its own.
pub fn tables<'d>(
    args: &Images,
    path: &Path,
    symbols: Option<&Path>,
    storage: &'d Storage,
) -> Result<Image<'d>, Failure> {
    if is_index(path) {
        return match symbols {
            Some(_) => Err(Failure::new(
                format!("{}: an index has its symbols already", path.display()),
                "leave --symbols out, or pass the image",
            )),
            None => Ok(index::open(path, storage)?),
        };
    }
    let bytes = storage.open(path)?;
    // Other symbols give other tables: such an image is not the one that the cache knows by its build-id.
    let cached = match symbols {
        None if !args.no_index => cached(args, path, bytes, storage),
        _ => None,
    };
    let unusable = match cached {
        Some((_, Ok(image))) => {
            verbose(args, &format!("{}: from its index", path.display()));
            return Ok(image);
        }
        Some((path, Err(why))) => {
            warn(args, &format!("{}: {why}; not used", path.display()));
            true
        }
        None => false,
    };
    let mut image = open(args, path, bytes, symbols.is_some(), storage)?;
    if let Some(symbols) = symbols {
        let text = storage.map(symbols)?;
        image
            .use_symbol_text(text)
            .map_err(|e| e.in_file(symbols))?;
    }
    let image = Image::new(image);
    if (unusable || args.index)
        && symbols.is_none()
        && let Err(e) = remember(&image)
    {
        warn(args, &format!("{e}; no index written"));
    }
    Ok(image)
}

/// Whether the file at `path` begins as an index. Pipes cannot be looked into without taking from them.
fn is_index(path: &Path) -> bool {
    let mut first = [0; 4];
    let regular = std::fs::metadata(path).is_ok_and(|m| m.is_file());
    let mut read = || std::fs::File::open(path)?.read_exact(&mut first);
    regular && read().is_ok() && index::is_index(&first)
}

/// The index in the cache of the ELF file `bytes`: its path, and the image or why it is of no use.
fn cached<'d>(
    args: &Images,
    path: &Path,
    bytes: &'d [u8],
    storage: &'d Storage,
) -> Option<(PathBuf, Result<Image<'d>, String>)> {
    let peek = Peek::new(bytes).ok()?;
    let place = cache::path(peek.build_id?).filter(|p| p.is_file())?;
    let debug = peek.debug_file(path, &debug_dirs(args), debuginfod_cache().as_deref());
    let debug_size = debug
        .as_ref()
        .and_then(|d| Some(std::fs::metadata(d).ok()?.len()));
    let read = || -> Result<Image<'d>, String> {
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
        if header.no_lines && args.index {
            return Err("index without source lines".to_owned());
        }
        let origin = Origin {
            path: path.to_owned(),
            bytes,
            debug,
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
fn remember(image: &Image<'_>) -> fixtrace::low::base::error::Result<()> {
    let place = image.build_id().and_then(cache::path);
    // An image out of its index is there already.
    if let Some(place) = place {
        cache::store(&place, &index::write(image, &Options::default())?)?;
    }
    Ok(())
}

/// The directory that debuginfod keeps what it fetched in.
pub fn debuginfod_cache() -> Option<PathBuf> {
    std::env::var_os("DEBUGINFOD_CACHE_PATH").map(PathBuf::from)
}

/// Parses one image, and opens its debug file when it has no symbols or no DWARF of its own.
fn open<'d>(
    args: &Images,
    path: &Path,
    bytes: &'d [u8],
    other_symbols: bool,
    storage: &'d Storage,
) -> Result<ElfImage<'d>, Failure> {
    let mut image = ElfImage::parse(bytes, path, storage)?;
    image.look_in(&debug_dirs(args));
    if image.symbols().source() == SymbolSource::None || !image.has_debug_info() {
        let link = image.debuglink().map(|(name, _)| name);
        let files = locate::debug_files(
            image.build_id(),
            link,
            path,
            &debug_dirs(args),
            debuginfod_cache().as_deref(),
        );
        for file in files.iter().filter(|f| f.is_file()) {
            match ElfImage::open(file, storage).and_then(|debug| image.use_debug_file(debug)) {
                Ok(()) => {
                    verbose(
                        args,
                        &format!("{}: debug file {}", path.display(), file.display()),
                    );
                    break;
                }
                Err(e) => warn(args, &format!("{e}; not used")),
            }
        }
    }
    if image.symbols().source() == SymbolSource::None && !other_symbols {
        warn(
            args,
            &format!(
                "{}: no symbols (pass --symbols System.map, or a file with .symtab)",
                path.display()
            ),
        );
    }
    Ok(image)
}

fn find_vmlinux(args: &Images, release: &str) -> Result<PathBuf, Failure> {
    // A release goes into paths.
    if release.contains('/') || release.contains("..") {
        return Err(Failure::new(
            format!("{release:?} is no kernel release"),
            "pass --vmlinux FILE",
        ));
    }
    let tried = locate::vmlinux(release, &debug_dirs(args));
    for path in &tried {
        for packed in locate::PACKED {
            let candidate = PathBuf::from(format!("{}{packed}", path.display()));
            if candidate.is_file() {
                return Ok(candidate);
            }
        }
    }
    let list: Vec<String> = tried
        .iter()
        .map(|p| format!("\n  {}", p.display()))
        .collect();
    let e = Error::new(
        ErrorKind::NotFound,
        format!("no vmlinux of {release}; tried{}", list.concat()),
    );
    Err(Failure::new(
        e.to_string(),
        "pass --vmlinux FILE, or --debug-dir DIR where DIR/boot/vmlinux-REL is",
    ))
}

/// Refuses an image whose banner names another release than the input.
pub fn check_release(
    args: &Images,
    image: &ElfImage<'_>,
    release: Option<&str>,
) -> Result<(), Failure> {
    let (Some(wanted), Some(found)) = (release, image.release()) else {
        return Ok(());
    };
    if wanted == found {
        return Ok(());
    }
    let what = format!(
        "{}: is Linux {found}, the input is of {wanted}",
        image.path().display()
    );
    if args.force {
        warn(args, &format!("{what}; used all the same"));
        return Ok(());
    }
    Err(Failure::new(
        what,
        "pass the vmlinux of that release, or --force",
    ))
}

/// Finds a module of `release` by name, below `/` and the debug directories.
pub fn find_module<'d>(
    args: &Images,
    name: &str,
    release: &str,
    storage: &'d Storage,
) -> Option<Image<'d>> {
    let mut dirs = vec![PathBuf::from("/")];
    dirs.extend(debug_dirs(args));
    let path = locate::module(name, release, &dirs)?;
    match tables(args, &path, None, storage) {
        Ok(image) => {
            describe(args, &image);
            Some(image)
        }
        Err(e) => {
            warn(args, &e.message);
            None
        }
    }
}

/// With `--verbose`: what is used, and what is odd about it.
fn describe(args: &Images, image: &Image<'_>) {
    if !args.verbose {
        return;
    }
    let id = image.build_id().map_or("no build-id".to_owned(), |id| {
        format!("build-id {}", note::hex(id))
    });
    let release = image.release().unwrap_or("release unknown");
    verbose(
        args,
        &format!(
            "{}: {} ({release}, {id})",
            image.name(),
            image.path().display()
        ),
    );
    match image.orc() {
        Ok(Some(orc)) => {
            verbose(
                args,
                &format!(
                    "{}: ORC version {} by {}",
                    image.name(),
                    orc.version(),
                    orc.rung()
                ),
            );
            orc.findings()
                .iter()
                .for_each(|f| verbose(args, &f.to_string()));
        }
        Ok(None) => verbose(args, &format!("{}: no ORC", image.name())),
        Err(e) => verbose(args, &e.to_string()),
    }
    let lists = [
        image.findings(),
        image.extable().findings(),
        image.fixups().findings(),
    ];
    lists
        .into_iter()
        .flatten()
        .for_each(|f| verbose(args, &format!("{}: {f}", image.name())));
    if image.kind() == ImageKind::Other {
        verbose(
            args,
            &format!("{}: neither a vmlinux, a module nor the vDSO", image.name()),
        );
    }
}
