//! Reports grouped by what tells them from others.

use std::collections::BTreeMap;
use std::io::{self, Write};

use fixtrace::low::base::text::escaped;
use fixtrace::low::products::oops::read::report::Oops;
use fixtrace::low::products::oops::truth::group::Group;

/// Like reports.
struct Reports {
    count: usize,
    first: String,
    files: usize,
    last_file: Option<String>,
}

/// Groups of reports.
#[derive(Default)]
pub struct Groups(BTreeMap<Group, Reports>);

impl Groups {
    /// Adds a report of the log in `file`, which is of `group`.
    pub fn add(&mut self, file: Option<&str>, oops: &Oops, group: Group) {
        let like = self.0.entry(group).or_insert_with(|| Reports {
            count: 0,
            first: format!("{}:{}", file.unwrap_or("-"), oops.lines.start + 1),
            files: 0,
            last_file: None,
        });
        like.count += 1;
        if like.files == 0 || like.last_file.as_deref() != file {
            like.files += 1;
            like.last_file = file.map(str::to_owned);
        }
    }

    /// Writes them, the most frequent first; those that are doubtful are marked.
    pub fn show(self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows: Vec<_> = self.0.into_iter().collect();
        rows.sort_by(|(a, la), (b, lb)| lb.count.cmp(&la.count).then(a.cmp(b)));
        if !rows.is_empty() {
            writeln!(out, "count files  {:<34} {:<60} first", "kind", "functions")?;
        }
        for (group, like) in rows {
            let functions = match group.functions.is_empty() {
                true => "-".to_owned(),
                false => group.functions.join(" < "),
            };
            let doubts: Vec<&str> = group.doubts.iter().map(|d| d.name()).collect();
            let doubts = match doubts.is_empty() {
                true => String::new(),
                false => format!("  doubtful: {}", doubts.join(", ")),
            };
            let (count, files) = (like.count, like.files);
            let (what, functions) = (escaped(&group.what), escaped(&functions));
            let first = escaped(&like.first);
            writeln!(
                out,
                "{count:5} {files:5}  {what:<34} {functions:<60} {first}{doubts}"
            )?;
        }
        Ok(())
    }
}
