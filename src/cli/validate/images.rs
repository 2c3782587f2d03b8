//! Which images are validated, and opening each in a session of its own.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use fixtrace::low::base::error::{Error, ErrorKind};
use fixtrace::low::formats::image::locate::below;
use fixtrace::low::formats::image::{ImageKind, Storage};
use fixtrace::low::products::validate::{self as product, Loader, Policy, Ran, Report, dumped};
use fixtrace::low::world::image::Image;
use fixtrace::low::world::session::{self, Indexes, Noticed, Options, Session, View};

use crate::cli::args::{Images, Validate};
use crate::cli::exit::Failure;
use crate::cli::{open, symbolize};

/// The files that `args` name: those named first, then all below directories, by name; each once. If none is named, the
/// kernel of `--release` and its modules.
pub fn all(args: &Validate) -> Result<Vec<PathBuf>, Failure> {
    let named = args.vmlinux.iter().chain(&args.modules).chain(&args.images);
    let files = expand(args, named)?;
    if !files.is_empty() {
        return Ok(files);
    }
    let sources = args.sources();
    if let (Some(dump), None) = (&args.dump, &args.release) {
        let session = Session::new(options(&sources));
        let found = session::with(&session, |view| dumped::vmlinux(view, dump));
        return Ok(vec![found.map_err(|e| not_of(&e))?]);
    }
    let Some(release) = &args.release else {
        return Err(Failure::new(
            "no image",
            "name a vmlinux, modules, or directories that hold them; or pass --release REL",
        ));
    };
    let session = Session::new(options(&sources));
    let found = session::with(&session, |view| view.installed(release));
    open::say(&sources, session.noticed());
    found.map_err(|e| open::failure(&e))
}

/// A dump of which no kernel is known, or whose kernel is not the one that was named.
fn not_of(e: &Error) -> Failure {
    match e.kind() {
        ErrorKind::WrongImage => Failure::new(e.to_string(), "name the vmlinux that ran"),
        ErrorKind::NoImage | ErrorKind::NotFound => Failure {
            hint: Some(
                "name the vmlinux, or --debug-dir DIR where DIR/boot/vmlinux-REL is".to_owned(),
            ),
            ..Failure::of(e)
        },
        _ => e.clone().into(),
    }
}

/// Whether `path` is a dump: what cannot be read is none, and is told of where it is opened.
pub fn is_dump(path: &Path) -> bool {
    path.is_file() && symbolize::is_dump(path).unwrap_or(false)
}

/// `named`, with what is below directories in their places.
pub fn expand<'p>(
    args: &Validate,
    named: impl IntoIterator<Item = &'p PathBuf>,
) -> Result<Vec<PathBuf>, Failure> {
    let sources = args.sources();
    let storage = Storage::within(sources.limits());
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    for path in named {
        let found = match path.is_dir() {
            true => below(path, &storage),
            false => vec![path.clone()],
        };
        let (refused, more) = storage.refused();
        let refused = refused.into_iter().map(Noticed::Refused);
        let more = Some(more).filter(|more| *more != 0);
        open::say(&sources, refused.chain(more.map(Noticed::MoreRefused)));
        if found.is_empty() {
            return Err(Failure::new(
                format!("{}: holds no vmlinux and no module", path.display()),
                "name a directory with vmlinux or *.ko, also in .gz, .xz or .zst",
            ));
        }
        files.extend(found.into_iter().filter(|f| seen.insert(f.clone())));
    }
    Ok(files)
}

/// How images are opened: as they are, not as an index in the cache has them.
pub fn options(sources: &Images) -> Options {
    let mut options = open::options(sources);
    options.indexes = Indexes::Ignore;
    options
}

/// Whether `path` is named as a module: what is not may be a kernel, and is looked at first.
pub fn is_module(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(OsStr::to_string_lossy)
        .unwrap_or_default();
    ["", ".gz", ".xz", ".zst"]
        .iter()
        .any(|packed| name.ends_with(&format!(".ko{packed}")))
}

/// What each image is asked.
#[derive(Clone, Copy)]
pub struct Question<'q> {
    /// How it is opened.
    pub options: &'q Options,
    /// The checks.
    pub asked: &'q product::Options,
    /// The dump whose memory kernels are held to.
    pub dump: Option<&'q Path>,
    /// What counts.
    pub policy: &'q Policy,
    /// Directories to leave out of source paths; `None` where nobody asks for lines.
    pub lines: Option<&'q [String]>,
}

/// An image that was validated.
pub struct Looked {
    /// What was found.
    pub report: Report,
    /// What modules are held to, if it is a kernel.
    pub loader: Option<Loader>,
    /// What was noticed.
    pub noticed: Vec<Noticed>,
}

impl Question<'_> {
    /// Asks it of the image at `path`; a module is held to the one of `loaders` that is of its release, or the only one.
    pub fn ask(&self, path: &Path, loaders: &[Loader]) -> Result<Looked, Failure> {
        self.ask_if(path, loaders, |_| true)
            .and_then(|found| found.ok_or_else(|| Failure::new("not asked", "")))
    }

    /// The same if `wanted`; otherwise nothing.
    pub fn ask_if(
        &self,
        path: &Path,
        loaders: &[Loader],
        wanted: impl FnOnce(ImageKind) -> bool,
    ) -> Result<Option<Looked>, Failure> {
        let session = Session::new(self.options.clone());
        session::with(&session, |view| {
            let image = image(view, path)?;
            if !wanted(image.kind()) {
                return Ok(None);
            }
            let kernel = image.kind() == ImageKind::Vmlinux;
            let release = image.release();
            let own = loaders.iter().find(|l| l.release.as_deref() == release);
            let only = loaders.first().filter(|_| loaders.len() == 1);
            let loader = own.or(only).filter(|_| !kernel);
            let ask =
                |ran: Option<Ran<'_>>| product::validate_as_ran(&image, loader, ran, self.asked);
            let found = match self.dump.filter(|_| kernel) {
                Some(dump) => dumped::in_dump(view, dump, &image, |ran| ask(Some(ran)))
                    .map_err(|e| not_of(&e))?,
                None => ask(None),
            };
            let mut report = self.policy.weigh(path.display().to_string(), found);
            if let Some(prefixes) = self.lines {
                report.find_lines(&image, prefixes);
            }
            Ok(Some(Looked {
                report,
                loader: kernel.then(|| Loader::of(&image)),
                noticed: view.noticed(),
            }))
        })
    }
}

/// The image at `path`; of an index the image that it was made of.
fn image<'d>(view: View<'_, 'd>, path: &Path) -> Result<Image<'d>, Failure> {
    let image = view.open(path, None).map_err(Failure::from)?;
    if !image.is_excerpt() {
        return Ok(image);
    }
    match view.indexed(&image) {
        Some(found) => Ok(view.open(&found, None)?),
        None => Err(Failure::new(
            format!(
                "{}: is an index, which does not hold what validate reads, and its image is not beside it nor where debug \
                 files are",
                path.display()
            ),
            "name the image that it was made of",
        )),
    }
}
