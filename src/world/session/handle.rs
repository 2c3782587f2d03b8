//! A session as its owner has it.

use std::path::PathBuf;
use std::sync::Arc;

use super::noticed::Noticed;
use super::options::{Options, Wanted};
use super::view::{Inner, View};
use crate::base::addr::Slide;
use crate::base::error::Result;
use crate::formats::image::note::hex;
use crate::world::kernel::Placed;

/// Images of one kernel; they are opened when they are needed, and stay. A clone is the same session.
///
/// Files are mapped for as long as the session lives. One that is cut meanwhile raises SIGBUS in the thread that reads
/// behind its new end, which ends a process without a handler; one that is replaced as a whole (written beside it and
/// renamed) does not. A handler may ask [`file_at`](crate::low::base::mapped::file_at) which file it was.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

impl Session {
    /// What a session is to open, to be filled in.
    pub fn builder() -> Options {
        Options::default()
    }

    /// A session that has nothing open yet.
    pub fn new(options: Options) -> Self {
        Session(Arc::new(Inner::new(options)))
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

    /// Whether limits left out something of what was read up to now; [`Session::noticed`] says what.
    pub fn has_left_out(&self) -> bool {
        with(self, |view| view.storage().has_left_out())
    }

    /// Images whose debug information was asked for and could not be read, so far; and what limits left out.
    pub fn without_lines(&self) -> Vec<Noticed> {
        with(self, |view| view.without_lines())
    }
}

impl Options {
    /// Opens what is named.
    ///
    /// # Errors
    ///
    /// As [`Session::open`].
    pub fn open(self) -> Result<Session> {
        Session::open(self)
    }
}

/// Asks a question of `session`: for the floors above.
pub fn with<R>(session: &Session, ask: impl for<'d> FnOnce(View<'_, 'd>) -> R) -> R {
    session.0.with(ask)
}

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
