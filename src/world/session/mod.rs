//! A session: images that are opened when they are needed, and stay; what they are found by; what was noticed.
//!
//! A [`Session`] owns all that it opened. The floors above borrow from it inside [`with`]: what they answer must be
//! owned. Images may be added at any time, by any thread; a question is asked of a [`Kernel`] as it was when it began,
//! or of one made for it, with other slides or without some of the images.

mod find;
mod noticed;
mod open;
mod options;
mod place;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

pub use noticed::{Level, Noticed};
pub use options::{Indexes, ModuleFile, Options, Wanted};
pub use place::Placement;

use crate::base::addr::Slide;
use crate::base::error::Result;
use crate::formats::image::Storage;
use crate::formats::image::note::hex;
use crate::world::image::Image;
use crate::world::kernel::{Kernel, Placed};

/// Images of one kernel; see the module text. A clone is the same session.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    options: Options,
    cell: Cell,
    noticed: Mutex<Vec<Noticed>>,
    /// Modules that were looked for and not found, with the release.
    absent: Mutex<BTreeSet<(String, Option<String>)>>,
}

/// What borrows from a session's storage.
struct Held<'d> {
    storage: &'d Storage,
    kernel: RwLock<Arc<Kernel<'d>>>,
}

self_cell::self_cell!(
    struct Cell {
        owner: Storage,
        #[not_covariant]
        dependent: Held,
    }
);

/// An image of a session, in a few words.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ImageInfo {
    /// `vmlinux`, the module's name, or the file's.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its build-id, in hexadecimal digits.
    pub build_id: Option<String>,
    /// The release of the kernel that it is, or is for.
    pub release: Option<String>,
    /// Where it runs, if that is known.
    pub slide: Option<Slide>,
}

impl ImageInfo {
    fn of(placed: &Placed<'_>) -> Self {
        let image = &placed.image;
        ImageInfo {
            name: image.name().to_owned(),
            path: image.path().to_owned(),
            build_id: image.build_id().map(hex),
            release: image.release().map(str::to_owned),
            slide: placed.slide,
        }
    }
}

impl Session {
    /// What a session is to open, to be filled in.
    pub fn builder() -> Options {
        Options::default()
    }

    /// A session that has nothing open yet.
    pub fn new(options: Options) -> Self {
        let cell = Cell::new(Storage::new(), |storage| Held {
            storage,
            kernel: RwLock::default(),
        });
        Session(Arc::new(Inner {
            options,
            cell,
            noticed: Mutex::default(),
            absent: Mutex::default(),
        }))
    }

    /// Opens what `options` name.
    ///
    /// # Errors
    ///
    /// As [`Session::open_images`].
    pub fn open(options: Options) -> Result<Self> {
        let session = Session::new(options);
        session.open_images(Wanted::default())?;
        Ok(session)
    }

    /// Opens what the options name, for an input that says what is `wanted`; once. An image that is not named is looked
    /// for.
    ///
    /// # Errors
    ///
    /// `NoImage` where nothing is named or wanted; `NotFound`, which lists what was tried; `WrongImage` for an image
    /// of another release, unless forced; what is wrong with a file that was named.
    pub fn open_images(&self, wanted: Wanted<'_>) -> Result<()> {
        with(self, |view| view.open_images(wanted))
    }

    /// What it was made with.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// The images that are open, the vmlinux first.
    pub fn images(&self) -> Vec<ImageInfo> {
        with(self, |view| {
            view.kernel().images().iter().map(ImageInfo::of).collect()
        })
    }

    /// The release of its kernel: as the vmlinux has it, or as it was asked for.
    pub fn release(&self) -> Option<String> {
        let own = with(self, |view| {
            let kernel = view.kernel();
            Some(kernel.vmlinux()?.image.release()?.to_owned())
        });
        own.or_else(|| self.0.options.release.clone())
    }

    /// The module called `name`: one that is open, or is found on disk now. It is looked for once.
    pub fn find_module(&self, name: &str) -> Option<ImageInfo> {
        let release = self.release();
        with(self, |view| {
            view.module(name, release.as_deref())?;
            view.kernel().image(name).map(ImageInfo::of)
        })
    }

    /// What was noticed since this was asked last.
    pub fn noticed(&self) -> Vec<Noticed> {
        with(self, |view| view.noticed())
    }

    /// Images whose debug information was asked for and could not be read, so far.
    pub fn without_lines(&self) -> Vec<Noticed> {
        with(self, |view| view.without_lines())
    }
}

/// What a session is while a question is asked of it. `'d` is its storage.
#[derive(Clone, Copy)]
pub struct View<'s, 'd> {
    inner: &'s Inner,
    held: &'s Held<'d>,
}

/// Asks a question of `session`: for the floors above.
pub fn with<R>(session: &Session, ask: impl for<'d> FnOnce(View<'_, 'd>) -> R) -> R {
    let inner = &*session.0;
    inner
        .cell
        .with_dependent(|_, held| ask(View { inner, held }))
}

impl<'s, 'd> View<'s, 'd> {
    /// What the session was made with.
    pub fn options(&self) -> &'s Options {
        &self.inner.options
    }

    /// What images borrow from.
    pub fn storage(&self) -> &'d Storage {
        self.held.storage
    }

    /// The images that are open now.
    pub fn kernel(&self) -> Arc<Kernel<'d>> {
        let kernel = self.held.kernel.read();
        Arc::clone(&kernel.unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps `image`, which runs at `slide`.
    pub fn add(&self, image: Arc<Image<'d>>, slide: Option<Slide>) {
        let kernel = self.held.kernel.write();
        let mut kernel = kernel.unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut kernel).add(image, slide);
    }

    /// See [`Session::noticed`].
    pub fn noticed(&self) -> Vec<Noticed> {
        std::mem::take(&mut locked(&self.inner.noticed))
    }

    /// See [`Session::without_lines`].
    pub fn without_lines(&self) -> Vec<Noticed> {
        let kernel = self.kernel();
        let errors = kernel.images().iter().filter_map(|p| p.image.lines_error());
        errors.cloned().map(Noticed::NoLines).collect()
    }

    /// Notes something for [`Session::noticed`].
    pub fn notice(&self, what: Noticed) {
        locked(&self.inner.noticed).push(what);
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
