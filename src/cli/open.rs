//! Finding and opening the images that a run needs.

use std::path::{Path, PathBuf};

use fixtrace::addr::Slide;
use fixtrace::error::{Error, ErrorKind};
use fixtrace::image::symtab::SymbolSource;
use fixtrace::image::{Image, ImageKind, Storage, locate, note};
use fixtrace::kernel::Kernel;
use fixtrace::tables::Tables;

use super::args::Images;
use super::exit::Failure;

/// Directories with debug files: those given, or the system's.
fn debug_dirs(args: &Images) -> Vec<PathBuf> {
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
        let mut image = open(args, &path, storage)?;
        if let Some(symbols) = &args.symbols {
            let text = storage.map(symbols)?;
            image
                .use_symbol_text(text)
                .map_err(|e| e.in_file(symbols))?;
        }
        check_release(args, &image, release)?;
        kernel.add(Tables::new(image), Some(Slide(args.slide.unwrap_or(0))));
    }
    for module in &args.modules {
        let (image, slide) = open_module(args, module, storage)?;
        kernel.add(Tables::new(image), slide);
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
    Ok((open(args, Path::new(path), storage)?, slide))
}

/// Opens one image, and its debug file when it has no symbols or no DWARF of its own.
fn open<'d>(args: &Images, path: &Path, storage: &'d Storage) -> Result<Image<'d>, Failure> {
    let mut image = Image::open(path, storage)?;
    if image.symbols().source() == SymbolSource::None || !image.has_debug_info() {
        let cache = std::env::var_os("DEBUGINFOD_CACHE_PATH").map(PathBuf::from);
        let link = image.debuglink().map(|(name, _)| name);
        let files = locate::debug_files(
            image.build_id(),
            link,
            path,
            &debug_dirs(args),
            cache.as_deref(),
        );
        for file in files.iter().filter(|f| f.is_file()) {
            match Image::open(file, storage).and_then(|debug| image.use_debug_file(debug)) {
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
    if image.symbols().source() == SymbolSource::None && args.symbols.is_none() {
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
fn check_release(args: &Images, image: &Image<'_>, release: Option<&str>) -> Result<(), Failure> {
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
) -> Option<Tables<'d>> {
    let mut dirs = vec![PathBuf::from("/")];
    dirs.extend(debug_dirs(args));
    let path = locate::module(name, release, &dirs)?;
    match open(args, &path, storage) {
        Ok(image) => {
            let image = Tables::new(image);
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
fn describe(args: &Images, image: &Tables<'_>) {
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
