//! `--compare`: two builds side by side.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::path::{Path, PathBuf};

use fixtrace::low::base::parallel;
use fixtrace::low::products::report::human::comparison;
use fixtrace::low::products::report::json;
use fixtrace::low::products::validate::compare::{Comparison, compare};
use fixtrace::low::products::validate::{Loader, Report};

use super::images::{self, Question};
use crate::cli::args::{Findings, Validate};
use crate::cli::exit::{Exit, Failure};
use crate::cli::progress::Progress;
use crate::cli::table::table;
use crate::cli::{inputs, open, out, stderr};

/// The old and the new file of an image.
struct Pair {
    old: Option<PathBuf>,
    new: Option<PathBuf>,
}

/// An image of both builds, or why it cannot be read; what modules of each build are held to, if it is a kernel.
struct Done {
    found: Result<Comparison, Failure>,
    loaders: [Option<Loader>; 2],
}

/// The files of both builds by name; of equal names one after the other. In the order of the new ones, then what is gone.
fn paired(old: Vec<PathBuf>, new: Vec<PathBuf>) -> Vec<Pair> {
    let name = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match name.split_once(".ko") {
            Some((module, _)) => module.replace('-', "_"),
            None => "vmlinux".to_owned(),
        }
    };
    let mut before: BTreeMap<String, VecDeque<PathBuf>> = BTreeMap::new();
    for path in old {
        before.entry(name(&path)).or_default().push_back(path);
    }
    let with_old = |new: PathBuf| {
        let old = before.get_mut(&name(&new)).and_then(VecDeque::pop_front);
        Pair {
            old,
            new: Some(new),
        }
    };
    let mut pairs: Vec<Pair> = new.into_iter().map(with_old).collect();
    let gone = before.into_values().flatten();
    pairs.extend(gone.map(|old| Pair {
        old: Some(old),
        new: None,
    }));
    pairs
}

/// Validates both files of `pair`.
fn both(question: &Question<'_>, pair: &Pair, loaders: &[Vec<Loader>; 2]) -> Done {
    let one = |path: &Option<PathBuf>, loaders: &[Loader]| {
        let path = path.as_ref();
        path.map(|p| question.ask(p, loaders)).transpose()
    };
    let looked =
        one(&pair.old, &loaders[0]).and_then(|old| Ok((old, one(&pair.new, &loaders[1])?)));
    match looked {
        Ok((old, new)) => {
            let (before, now) = (
                old.as_ref().map(|l| &l.report),
                new.as_ref().map(|l| &l.report),
            );
            let image = now.or(before).map(|r: &Report| r.validation.image.clone());
            Done {
                found: Ok(compare(&image.unwrap_or_default(), before, now)),
                loaders: [old.and_then(|l| l.loader), new.and_then(|l| l.loader)],
            }
        }
        Err(failure) => Done {
            found: Err(failure),
            loaders: [None, None],
        },
    }
}

/// Runs it.
pub fn run(
    args: &Validate,
    question: &Question<'_>,
    old: &PathBuf,
    new: &PathBuf,
) -> Result<Exit, Failure> {
    if !matches!(args.form(), Findings::Text | Findings::Json) {
        return Err(Failure::new(
            "--compare has no such form",
            "use --format text or json",
        ));
    }
    let single = !old.is_dir() && !new.is_dir();
    let pairs = match single {
        // Two files are compared whatever they are called.
        true => vec![Pair {
            old: Some(old.clone()),
            new: Some(new.clone()),
        }],
        false => paired(images::expand(args, [old])?, images::expand(args, [new])?),
    };
    let progress = Progress::new("images", pairs.len(), args.quiet);
    let files = pairs.iter().flat_map(|p| p.old.iter().chain(&p.new));
    let files: Vec<PathBuf> = files.cloned().collect();
    let mut out = out::writer(&args.out, &inputs::of_validate(args, &files))?;
    let style = out::style(&args.out);
    let (mut rows, mut unread, mut failing) = (Vec::new(), 0, 0);
    let mut same = 0;
    let mut take = |found: Result<Comparison, Failure>| -> Result<(), Failure> {
        progress.step();
        progress.clear();
        let found = match found {
            Ok(found) => found,
            Err(failure) => {
                unread += 1;
                stderr::say(&failure.line());
                return Ok(());
            }
        };
        failing += found.appeared.iter().filter(|f| f.fails).count();
        same += found.same;
        let mut text = String::new();
        if args.form() == Findings::Json {
            text = json::line(&json::comparison::Comparison::new(&found));
            text.push('\n');
        } else {
            comparison::findings(&found, args.list, style, &mut text);
            rows.extend(comparison::rows(&found));
        }
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    };
    let is_module = |pair: &Pair| {
        let path = pair.new.as_ref().or(pair.old.as_ref());
        path.is_some_and(|p| images::is_module(p))
    };
    let (modules, kernels): (Vec<Pair>, Vec<Pair>) = pairs.into_iter().partition(is_module);
    let mut loaders: [Vec<Loader>; 2] = Default::default();
    for pair in &kernels {
        let done = both(question, pair, &loaders);
        for (all, own) in loaders.iter_mut().zip(done.loaders) {
            all.extend(own);
        }
        take(done.found)?;
    }
    let all = modules.len() + kernels.len();
    parallel::stream(
        &modules,
        |pair| both(question, pair, &loaders).found,
        |_, found| take(found),
    )?;
    drop(progress);
    if args.form() == Findings::Text {
        let mut text = String::new();
        if !rows.is_empty() {
            let head = ["image", "", "old", "new", "change"].map(str::to_owned);
            rows.insert(0, head.to_vec());
            text = table(rows, Some(2));
            text.push('\n');
        }
        text.push_str(&format!("{same} findings are in both builds\n"));
        out.write_all(text.as_bytes())?;
    }
    out.flush()?;
    if args.verbose {
        open::warn(&args.sources(), &format!("{all} images compared"));
    }
    Ok(match unread {
        n if n == all => Exit::Usage,
        _ if failing > 0 => Exit::Negative,
        0 => Exit::Done,
        _ => Exit::Partial,
    })
}
