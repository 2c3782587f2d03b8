//! Tables for people.

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Style};

/// `rows` in columns, without a frame; those from `right` on are numbers.
pub fn table<R, C>(rows: R, right: Option<usize>) -> String
where
    R: IntoIterator<Item = C>,
    C: IntoIterator<Item = String>,
{
    let mut table = Builder::default();
    rows.into_iter().for_each(|row| table.push_record(row));
    let mut table = table.build();
    table.with(Style::blank());
    if let Some(right) = right {
        table.modify(Columns::new(right..), Alignment::right());
    }
    let mut text = String::new();
    // Columns are filled up to the last one.
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
