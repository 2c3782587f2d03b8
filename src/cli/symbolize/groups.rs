//! Reports grouped by what tells them from others.

use std::collections::BTreeMap;
use std::io::{self, Write};

use fixtrace::low::products::oops::read::report::Oops;

/// A group of like reports.
struct Group {
    count: usize,
    first: String,
    files: usize,
    last_file: Option<String>,
}

/// Groups by the kind of their reports and by functions.
#[derive(Default)]
pub struct Groups(BTreeMap<(String, Vec<String>), Group>);

impl Groups {
    /// Adds a report of the log in `file`, told from others by `functions`.
    pub fn add(&mut self, file: Option<&str>, oops: &Oops, functions: Vec<String>) {
        let kind = oops.kind.name().to_owned();
        let group = self.0.entry((kind, functions)).or_insert_with(|| Group {
            count: 0,
            first: format!("{}:{}", file.unwrap_or("-"), oops.lines.start + 1),
            files: 0,
            last_file: None,
        });
        group.count += 1;
        if group.files == 0 || group.last_file.as_deref() != file {
            group.files += 1;
            group.last_file = file.map(str::to_owned);
        }
    }

    /// Writes them, the most frequent first.
    pub fn show(self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows: Vec<_> = self.0.into_iter().collect();
        rows.sort_by(|(a, ga), (b, gb)| gb.count.cmp(&ga.count).then(a.cmp(b)));
        if !rows.is_empty() {
            writeln!(out, "count files  {:<20} {:<60} first", "kind", "functions")?;
        }
        for ((kind, functions), group) in rows {
            let functions = match functions.is_empty() {
                true => "-".to_owned(),
                false => functions.join(" < "),
            };
            writeln!(
                out,
                "{:5} {:5}  {kind:<20} {functions:<60} {}",
                group.count, group.files, group.first
            )?;
        }
        Ok(())
    }
}
