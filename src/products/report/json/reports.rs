//! The reports of a whole log as JSON: a line of `fixtrace.oops/1` for each, as the program prints them.

use super::line;
use super::oops::Report;
use crate::base::error::Result;
use crate::base::limits::Limits;
use crate::products::oops::read::report::Oops;
use crate::products::oops::read::reports::{Facts, parse_within};
use crate::products::oops::truth::tell::{Told, without_image};
use crate::world::session::Session;

/// The reports of `log`, which is called `name`, one a line and without its end. A session looks them up, and reads the
/// log within limits of its own; without one they are told without any image, and the log is read within `limits`.
///
/// # Errors
/// As [`Session::reports`].
pub fn reports(
    session: Option<&Session>,
    log: &[u8],
    limits: &Limits,
    name: Option<&str>,
) -> Result<Vec<String>> {
    let one = |oops: &Oops, facts: &Facts, told: Option<&Told<'_, '_>>| match told {
        Some(told) => line(&Report::new(oops, told, name, told.slide)),
        // What needs no image is said without one.
        None => {
            let told = without_image(oops, facts);
            line(&Report::new(oops, &told, name, told.slide))
        }
    };
    match session {
        Some(session) => session.reports_by_facts(log, one),
        None => {
            let (found, facts, _) = parse_within(log, limits, u64::MAX);
            Ok(found.iter().map(|oops| one(oops, &facts, None)).collect())
        }
    }
}
