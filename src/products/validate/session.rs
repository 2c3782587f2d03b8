//! The front door: an image by its path.

use std::path::Path;

use super::{Loader, Options, Validation, validate};
use crate::base::error::{Error, ErrorKind, Result};
use crate::world::session::{Indexes, Session, with};

impl Session {
    /// Validates the image at `path`, and forgets it; debug files are looked for as this session does. A module is held to
    /// `loader`, see [`Loader::of`]. Indexes are not used: what is validated is the image itself.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is an index.
    pub fn validate(
        &self,
        path: &Path,
        loader: Option<&Loader>,
        options: &Options,
    ) -> Result<Validation> {
        let mut own = self.options().clone();
        own.indexes = Indexes::Ignore;
        with(&Session::new(own), |view| {
            let image = view.open(path, None)?;
            if image.is_excerpt() {
                let what = "an index does not hold what is validated";
                return Err(Error::new(ErrorKind::Unsupported, what).in_file(path));
            }
            Ok(validate(&image, loader, options))
        })
    }
}
