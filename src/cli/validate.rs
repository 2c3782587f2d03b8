//! `fixtrace validate`: whether images can be unwound reliably.

use fixtrace::low::products::report::json;
use fixtrace::low::products::validate::{Loader, Options, Severity, Validation, validate};
use fixtrace::low::world::session::{self, Indexes, Session};

use super::args::Validate;
use super::exit::{Exit, Failure};
use super::{open, out};

/// Runs the verb.
pub fn run(args: &Validate) -> Result<Exit, Failure> {
    let mut options = open::options(&args.sources());
    // What is checked is the image itself.
    options.indexes = Indexes::Ignore;
    let asked = Options {
        families: args.families.iter().map(|f| f.family()).collect(),
        sample: args.sample,
        list: args.list,
    };
    let mut out = out::writer(&args.out)?;
    let mut loader = None;
    let mut worst = None;
    for path in &args.images {
        let session = Session::new(options.clone());
        let found: Validation = session::with(&session, |view| {
            let image = view.open(path, None).map_err(Failure::from)?;
            let found = validate(&image, loader.as_ref(), &asked);
            if image.name() == "vmlinux" {
                loader = Some(Loader::of(&image));
            }
            Ok::<_, Failure>(found)
        })?;
        worst = worst.max(found.findings.iter().map(|f| f.check.severity).max());
        if args.json {
            writeln!(
                out,
                "{}",
                json::line(&json::validation::Validation::new(&found))
            )?;
            continue;
        }
        for (family, counts) in &found.counts {
            for (name, n) in counts {
                writeln!(out, "{}: {} {name}: {n}", found.image, family.name())?;
            }
        }
        for f in &found.findings {
            let function = f.spot.function.as_deref().unwrap_or("-");
            let (link, offset) = (f.spot.link, f.spot.offset);
            let (severity, id) = (f.check.severity.name(), f.check.id);
            writeln!(
                out,
                "{}: {severity}: {id}: {link} {function}+{offset:#x}: {}",
                found.image, f.message
            )?;
        }
        for (family, why) in &found.skipped {
            writeln!(out, "{}: {} not checked: {why}", found.image, family.name())?;
        }
    }
    out.flush()?;
    Ok(match worst {
        Some(Severity::Error) => Exit::Negative,
        _ => Exit::Done,
    })
}
