//! What a session holds, and what it is while a question is asked of it.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::noticed::Noticed;
use super::options::Options;
use crate::base::addr::Slide;
use crate::base::gate::Spot;
use crate::base::parallel::locked;
use crate::formats::image::Storage;
use crate::formats::image::locate::Walk;
use crate::world::image::Image;
use crate::world::kernel::Kernel;

/// What all clones of a session share.
pub(super) struct Inner {
    pub options: Options,
    cell: Cell,
    pub noticed: Mutex<Vec<Noticed>>,
    /// Modules that were looked for and not found, with the release.
    pub absent: Mutex<BTreeSet<(String, Option<String>)>>,
    /// Directories that were gone through in search of modules, as far as that was needed.
    pub walks: Mutex<Vec<(Spot, Walk)>>,
    /// Whether it was noticed that an input's release is none.
    pub no_release: AtomicBool,
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

impl Inner {
    /// Of a session that has nothing open yet.
    pub fn new(options: Options) -> Self {
        let cell = Cell::new(Storage::within(options.limits.clone()), |storage| Held {
            storage,
            kernel: RwLock::default(),
        });
        Inner {
            options,
            cell,
            noticed: Mutex::default(),
            absent: Mutex::default(),
            walks: Mutex::default(),
            no_release: AtomicBool::default(),
        }
    }

    /// Asks `ask`.
    pub fn with<R>(&self, ask: impl for<'d> FnOnce(View<'_, 'd>) -> R) -> R {
        self.cell
            .with_dependent(|_, held| ask(View { inner: self, held }))
    }
}

/// What a session is while a question is asked of it. `'d` is its storage.
#[derive(Clone, Copy)]
pub struct View<'s, 'd> {
    pub(super) inner: &'s Inner,
    held: &'s Held<'d>,
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

    /// Keeps images where they are in `placed`; of the others of those names none stays.
    pub fn settle(&self, placed: &Kernel<'d>) {
        let kernel = self.held.kernel.write();
        let mut kernel = kernel.unwrap_or_else(PoisonError::into_inner);
        let names: Vec<&str> = placed.images().iter().map(|p| p.image.name()).collect();
        let mut settled = kernel.without(&names);
        for image in placed.images() {
            settled.add(Arc::clone(&image.image), image.slide);
        }
        *kernel = Arc::new(settled);
    }

    /// See [`super::Session::noticed`].
    pub fn noticed(&self) -> Vec<Noticed> {
        let mut noticed = std::mem::take(&mut *locked(&self.inner.noticed));
        noticed.extend(self.refused().chain(self.left_out()));
        noticed
    }

    /// See [`super::Session::without_lines`].
    pub fn without_lines(&self) -> Vec<Noticed> {
        let kernel = self.kernel();
        let errors = kernel.images().iter().filter_map(|p| p.image.lines_error());
        let errors = errors.cloned().map(Noticed::NoLines);
        // Files that lines were to come from were looked for when lines were asked for.
        errors
            .chain(self.refused())
            .chain(self.left_out())
            .collect()
    }

    /// Files that inputs name and that were not read, since this was asked last.
    fn refused(&self) -> impl Iterator<Item = Noticed> + use<> {
        let (each, more) = self.storage().refused();
        let more = Some(more).filter(|more| *more != 0);
        let each = each.into_iter().map(Noticed::Refused);
        each.chain(more.map(Noticed::MoreRefused))
    }

    /// What limits left out since this was asked last.
    fn left_out(&self) -> impl Iterator<Item = Noticed> + use<> {
        let all = self.storage().left_out();
        all.into_iter().map(Noticed::LeftOut)
    }

    /// Notes something for [`super::Session::noticed`].
    pub fn notice(&self, what: Noticed) {
        locked(&self.inner.noticed).push(what);
    }
}
