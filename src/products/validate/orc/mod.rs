//! The ORC table by itself: its size, order and version, each of its rows, and the code that it covers.

mod checks;
mod cover;
mod gaps;
mod rows;
mod table;

use super::check::Check;
use super::finding::Finding;
use super::outcome::Outcome;
use super::row::told;
use super::shape;
use super::subject::Subject;
use crate::base::addr::LinkAddr;
use crate::formats::orc::{NoOrc, OrcEntry, OrcKind};

/// The checks of this family.
pub static CHECKS: &[&Check] = checks::ALL;

/// A row: from where on it holds, and what it says.
type Row = (LinkAddr, OrcEntry);

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
    let all: Vec<Row> = orc.iter().collect();
    table::order(subject, orc.version(), &mut done.findings);
    rows::check(subject, orc, &mut done);
    cover::check(subject, &all, &mut done);
    gaps::check(subject, &all, &mut done);
    done
}

/// The row that covers `at`: the last of those that begin there or before.
fn covering(rows: &[Row], at: LinkAddr) -> Option<&Row> {
    let upto = rows.partition_point(|(from, _)| *from <= at);
    rows.get(upto.checked_sub(1)?)
}

/// Where the first of `rows` stands that begins at `at` or behind.
fn first_at(rows: &[Row], at: LinkAddr) -> usize {
    rows.partition_point(|(from, _)| *from < at)
}

/// Whether nothing is known there.
fn is_undefined(e: &OrcEntry) -> bool {
    e.kind == OrcKind::Undefined
}
