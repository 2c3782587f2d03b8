//! Source text and links to it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use fixtrace::low::products::oops::truth::annotate::{Added, Additions, Spot};

use crate::cli::args::Symbolize;
use crate::cli::out;

/// A larger file is no source, bytes.
const MAX_FILE: u64 = 16 << 20;

/// Files that are kept at most.
const MAX_FILES: usize = 256;

/// Source files, read when first asked for.
#[derive(Default)]
pub struct Sources {
    dirs: Vec<PathBuf>,
    /// Lines around each place; `None` for no text.
    context: Option<u32>,
    files: HashMap<String, Option<Vec<String>>>,
    /// Files that were not found, named once in the end.
    pub missing: Vec<String>,
}

impl Sources {
    /// As `args` say.
    pub fn new(args: &Symbolize) -> Self {
        Sources {
            dirs: args.source_dir.clone(),
            context: args.source,
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

    fn file(&mut self, name: &str) -> Option<&[String]> {
        if !self.files.contains_key(name) {
            if self.files.len() >= MAX_FILES {
                self.files.clear();
            }
            let read = find(&self.dirs, name).and_then(|path| read(&path));
            if read.is_none() {
                self.missing.push(name.to_owned());
            }
            self.files.insert(name.to_owned(), read);
        }
        self.files.get(name)?.as_deref()
    }
}

/// The file that `name` is below one of `dirs`, or by itself.
fn find(dirs: &[PathBuf], name: &str) -> Option<PathBuf> {
    // Names come out of images: they do not lead out of the tree.
    let path = Path::new(name);
    let inside = path
        .components()
        .all(|c| !matches!(c, std::path::Component::ParentDir));
    if !inside {
        return None;
    }
    // A build elsewhere: what is left of its path, piece by piece from the front, may be in the tree.
    let relative = path.strip_prefix("/").unwrap_or(path);
    let mut tails = relative.components();
    loop {
        let tail = tails.as_path();
        if tail.as_os_str().is_empty() {
            break;
        }
        let found = dirs.iter().map(|d| d.join(tail)).find(|p| p.is_file());
        if found.is_some() {
            return found;
        }
        if path.is_relative() {
            break;
        }
        tails.next();
    }
    path.is_absolute()
        .then(|| path.to_owned())
        .filter(|p| p.is_file())
}

fn read(path: &Path) -> Option<Vec<String>> {
    let size = std::fs::metadata(path).ok()?.len();
    let bytes = std::fs::read(path).ok().filter(|_| size <= MAX_FILE)?;
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

    /// What the link to `spot` is of.
    pub fn to(&self, spot: &Spot) -> String {
        let local = self.pattern.starts_with("file:") || self.pattern.starts_with("vscode:");
        let path = match local {
            true => find(&self.dirs, &spot.file).and_then(|p| std::path::absolute(p).ok()),
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
