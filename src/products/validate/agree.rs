//! ORC against call-frame information, by meaning.

use super::check::Check;
use super::outcome::Outcome;
use super::subject::Subject;

/// The checks of this family.
pub static CHECKS: &[&Check] = &[];

/// Runs them.
pub(super) fn run(_subject: &Subject<'_, '_>) -> Outcome {
    Outcome::default()
}
