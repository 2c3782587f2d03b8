//! Source text and links to it.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use fixtrace::low::base::gate::{self, Refused};
use fixtrace::low::base::text;
use fixtrace::low::products::oops::truth::annotate::{Added, Additions, Spot};

use crate::cli::args::Symbolize;
use crate::cli::out;

/// Files that are kept at most.
const MAX_FILES: usize = 256;

/// Source files, read when first asked for.
#[derive(Default)]
pub struct Sources {
    dirs: Vec<PathBuf>,
    /// Lines around each place; `None` for no text.
    context: Option<u32>,
    files: HashMap<String, Option<Vec<String>>>,
    /// The largest that is read, bytes.
    most: u64,
    /// Files that were not found, and files that were refused and why, told once in the end.
    missing: Vec<String>,
    refused: Vec<String>,
    /// Whether text was asked for that no directory is given for.
    nowhere: bool,
}

impl Sources {
    /// As `args` say.
    pub fn new(args: &Symbolize) -> Self {
        Sources {
            dirs: args.source_dir.clone(),
            context: args.source,
            most: args.images.limits().source_file,
            ..Sources::default()
        }
    }

    /// Adds the source around each place.
    pub fn add(&mut self, additions: &mut Additions) {
        let Some(context) = self.context else { return };
        for addition in additions.values_mut() {
            if let Some(place) = addition.place.clone() {
                let text = self.around(&place, context);
                addition.lines.splice(0..0, text);
            }
            let mut at = 0;
            while at < addition.lines.len() {
                let text = match addition.lines[at].place.clone() {
                    Some(place) => self.around(&place, context),
                    None => Vec::new(),
                };
                let len = text.len();
                addition.lines.splice(at + 1..at + 1, text);
                at += 1 + len;
            }
        }
    }

    fn around(&mut self, place: &Spot, context: u32) -> Vec<Added> {
        let Some(lines) = self.file(&place.file) else {
            return Vec::new();
        };
        let first = place.line.saturating_sub(context).max(1);
        let last = place.line.saturating_add(context);
        let rows = lines.iter().zip(1u32..).skip(first as usize - 1);
        let rows = rows.take_while(|(_, n)| *n <= last);
        rows.map(|(text, number)| {
            let mark = if number == place.line { '>' } else { ' ' };
            Added::text(format!("source: {mark}{number:5} {text}"))
        })
        .collect()
    }

    /// What is to be said in the end.
    pub fn said(&self) -> Vec<String> {
        let mut said = self.refused.clone();
        if self.nowhere {
            said.push(
                "--source needs --source-dir DIR: source text is read only from below such a directory (`--source-dir .` \
                 for the one where one stands)"
                    .to_owned(),
            );
        }
        if let [first, rest @ ..] = &self.missing[..] {
            let more = match rest.len() {
                0 => String::new(),
                more => format!(" and {more} others"),
            };
            said.push(format!(
                "no source text of {}{more} (--source-dir DIR)",
                text::escaped(first)
            ));
        }
        said
    }

    fn file(&mut self, name: &str) -> Option<&[String]> {
        if self.dirs.is_empty() {
            self.nowhere = true;
            return None;
        }
        if !self.files.contains_key(name) {
            if self.files.len() >= MAX_FILES {
                self.files.clear();
            }
            let mut refused = false;
            let read = match find(&self.dirs, name, self.most) {
                Ok(found) => found.and_then(|(_, file)| read(file, self.most)),
                Err(why) => {
                    refused = true;
                    self.refused.push(why.to_string());
                    None
                }
            };
            if read.is_none() && !refused {
                self.missing.push(name.to_owned());
            }
            self.files.insert(name.to_owned(), read);
        }
        self.files.get(name)?.as_deref()
    }
}

/// The file that `name` is below one of `dirs`: by its whole path where that begins with the directory's, else by what is
/// left of it, piece by piece from the front, for a build elsewhere.
fn find(dirs: &[PathBuf], name: &str, most: u64) -> Result<Option<(PathBuf, File)>, Refused> {
    let path = Path::new(name);
    // Names come out of images: they do not lead out of the tree.
    let inside = |c: Component<'_>| !matches!(c, Component::ParentDir);
    if !path.components().all(inside) {
        return Ok(None);
    }
    let mut spots = Vec::new();
    let whole = |dir: &PathBuf| {
        let own = std::path::absolute(dir).ok()?;
        let tail = path.strip_prefix(own).ok()?;
        Some(gate::Spot::new(dir, tail, gate::Links::Beneath))
    };
    spots.extend(dirs.iter().filter_map(whole));
    let mut tails = path.strip_prefix("/").unwrap_or(path).components();
    while !tails.as_path().as_os_str().is_empty() {
        let tail = tails.as_path();
        spots.extend(
            dirs.iter()
                .map(|d| gate::Spot::new(d, tail, gate::Links::Beneath)),
        );
        if path.is_relative() {
            break;
        }
        tails.next();
    }
    let mut first_refused = None;
    for spot in spots {
        match spot.open(most, "source-file") {
            Ok(Some(file)) => return Ok(Some((spot.path(), file))),
            Ok(None) => {}
            Err(refused) => first_refused = first_refused.or(Some(refused)),
        }
    }
    first_refused.map_or(Ok(None), Err)
}

fn read(file: File, most: u64) -> Option<Vec<String>> {
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some(text.lines().map(str::to_owned).collect())
}

/// Links to source lines: a pattern with `{path}` and `{line}`, and where relative paths begin.
pub struct Links {
    pattern: String,
    dirs: Vec<PathBuf>,
}

impl Links {
    /// As `args` say; `None` for none.
    pub fn new(args: &Symbolize) -> Option<Self> {
        let terminal = out::is_terminal(&args.out);
        let form = match args.hyperlinks.as_deref() {
            None if terminal && !args.source_dir.is_empty() => "file",
            None => "none",
            Some(form) => form,
        };
        let pattern = match form {
            "none" => return None,
            "file" => "file://{path}",
            "vscode" => "vscode://file{path}:{line}",
            pattern => pattern,
        };
        Some(Links {
            pattern: pattern.to_owned(),
            dirs: args.source_dir.clone(),
        })
    }

    /// Where the file called `name` is on this machine.
    fn place(&self, name: &str) -> Option<PathBuf> {
        let found = find(&self.dirs, name, u64::MAX).ok().flatten();
        std::path::absolute(found?.0).ok()
    }

    /// What the link to `spot` is of.
    pub fn to(&self, spot: &Spot) -> String {
        let local = self.pattern.starts_with("file:") || self.pattern.starts_with("vscode:");
        let path = match local {
            true => self.place(&spot.file),
            false => None,
        };
        let path = path.map_or(spot.file.clone(), |p| p.display().to_string());
        let pattern = self.pattern.replace("{line}", &spot.line.to_string());
        pattern.replace("{path}", &in_url(&path))
    }
}

/// `path` as it may stand in a URL.
fn in_url(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+~".contains(&b);
    let byte = |b: u8| match plain(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    };
    path.bytes().map(byte).collect()
}
