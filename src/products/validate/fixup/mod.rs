//! Landings: whose they are, how they are left, and whether ORC is right there.

mod checks;
mod frame;
mod owner;

use super::check::Check;
use super::outcome::Outcome;
use super::subject::Subject;

/// The checks of this family.
pub static CHECKS: &[&Check] = checks::ALL;

/// Runs them.
pub(super) fn run(subject: &Subject<'_, '_>) -> Outcome {
    let mut done = Outcome::default();
    let image = subject.image;
    let table = image.extable();
    if table.entries().is_empty() {
        return done;
    }
    let counts = image.fixups().counts(table.entries());
    let numbers = [
        ("entries", counts.entries),
        ("in_function", counts.in_function),
        ("anonymous", counts.anonymous),
        ("anonymous_landings", counts.anonymous_landings),
        ("shared_landings", counts.shared_landings),
        ("cross_function", counts.cross_function),
        ("cold", counts.cold),
        ("retry", counts.retry),
        ("transfer", counts.transfer),
        ("outside_text", counts.outside_text),
    ];
    let numbers = numbers.into_iter().map(|(name, n)| (name, n as u64));
    done.counts.extend(numbers);
    owner::landings(subject, &mut done);
    owner::blocks(subject, &mut done);
    frame::check(subject, &mut done);
    done
}
