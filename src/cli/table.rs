//! Tables for people.

use std::borrow::Cow;

use fixtrace::low::base::text::escaped;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Style};

/// `rows` in columns, without a frame; those from `right` on are numbers. What acts in a cell is shown.
pub fn table<R, C>(rows: R, right: Option<usize>) -> String
where
    R: IntoIterator<Item = C>,
    C: IntoIterator<Item = String>,
{
    let mut table = Builder::default();
    let shown = |cell: String| match escaped(&cell) {
        Cow::Borrowed(_) => cell,
        Cow::Owned(shown) => shown,
    };
    rows.into_iter()
        .for_each(|row| table.push_record(row.into_iter().map(shown)));
    let mut table = table.build();
    table.with(Style::blank());
    if let Some(right) = right {
        table.modify(Columns::new(right..), Alignment::right());
    }
    format!("{table}\n")
}
