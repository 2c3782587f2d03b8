//! The ORC table by itself: its size, order and version, each of its rows, and the code that it covers.

mod checks;
mod cover;
pub(super) mod dump;
mod gaps;
mod lookup;
pub(super) mod rows;
mod table;

use super::Outcome;
use super::check::Check;
use super::finding::Finding;
use super::shape;
use super::subject::Subject;
use crate::formats::orc::NoOrc;

/// The checks of this family.
pub static CHECKS: &[&Check] = checks::ALL;

/// Runs them.
pub(super) fn run(subject: &Subject<'_, '_>) -> Outcome {
    let mut done = Outcome::default();
    let image = subject.image;
    if let Some(why) = shape::orc_disagreement(image) {
        done.findings.push(Finding::of_image(&checks::SIZE, why));
        return done;
    }
    let own = match image.orc() {
        Ok(Some(own)) => own,
        Ok(None) => {
            let why = NoOrc::of(image);
            done.skipped.push(format!("there is no ORC table: {why}"));
            return done;
        }
        Err(e) => {
            done.skipped
                .push(format!("the ORC table cannot be read: {e}"));
            return done;
        }
    };
    table::version(subject, own, &mut done.findings);
    let Some(orc) = subject.orc() else {
        return done;
    };
    done.format = Some(match orc.version() == own.version() {
        true => format!("version {} by {}", own.version(), own.rung()),
        false => format!("version {} by its rows", orc.version()),
    });
    let all: Vec<lookup::Row> = orc.iter().collect();
    table::order(subject, orc.version(), &mut done.findings);
    rows::check(subject, orc, &mut done);
    cover::check(subject, &all, &mut done);
    gaps::check(subject, &all, &mut done);
    done
}
