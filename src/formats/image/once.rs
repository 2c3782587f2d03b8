//! Sections of debug information as they are unpacked and relocated.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::base::error::Result;
use crate::base::parallel::locked;

/// What was made of sections, each once: whoever asks again gets the same.
#[derive(Default)]
pub(super) struct Made<'d> {
    /// Unpacked, by number; or why they cannot be.
    plain: Mutex<HashMap<usize, Result<&'d [u8]>>>,
    /// Relocated, by name.
    relocated: Mutex<HashMap<String, &'d [u8]>>,
}

impl<'d> Made<'d> {
    /// Section `index`, unpacked.
    ///
    /// # Errors
    ///
    /// Why it cannot be.
    pub(super) fn plain(
        &self,
        index: usize,
        make: impl FnOnce() -> Result<&'d [u8]>,
    ) -> Result<&'d [u8]> {
        let mut plain = locked(&self.plain);
        plain.entry(index).or_insert_with(make).clone()
    }

    /// The section `name`, relocated.
    pub(super) fn relocated(&self, name: &str, make: impl FnOnce() -> &'d [u8]) -> &'d [u8] {
        let mut relocated = locked(&self.relocated);
        if let Some(known) = relocated.get(name) {
            return known;
        }
        let made = make();
        relocated.insert(name.to_owned(), made);
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::{Error, ErrorKind};

    #[test]
    fn what_was_made_is_not_made_again() {
        let made = Made::default();
        for make in [|| Ok(&b"plain"[..]), || unreachable!("made twice")] {
            assert_eq!(made.plain(3, make).unwrap(), b"plain");
        }
        let broken: fn() -> Result<&'static [u8]> =
            || Err(Error::new(ErrorKind::Malformed, "broken"));
        for make in [broken, || unreachable!("tried twice")] {
            assert!(made.plain(4, make).is_err());
        }
        for make in [|| &b"relocated"[..], || unreachable!("made twice")] {
            assert_eq!(made.relocated(".debug_line", make), b"relocated");
        }
    }
}
