//! `fixtrace livepatch --function` and `--patch` without a dump: what the images tell of patching functions.

use fixtrace::low::products::livepatch::examine::{Verdict, examined};
use fixtrace::low::products::livepatch::unresolved::Unresolved;
use fixtrace::low::products::livepatch::wanted::NoPlan;
use fixtrace::low::products::report::human;
use fixtrace::low::products::report::json;
use fixtrace::low::world::session::Wanted;

use crate::cli::args::Livepatch;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{inputs, open, out, stderr};

/// Looks at each function.
pub fn run(args: &Livepatch) -> Result<Exit, Failure> {
    if args.functions.is_empty() && args.patch.is_none() {
        return Err(Failure::new(
            "nothing is to be patched",
            "name a dump, a livepatch with --patch, or functions with --function NAME[@OBJECT][,SYMPOS]",
        ));
    }
    let session = open::session(&args.images, Wanted::default())?;
    let mut functions = args.functions.clone();
    if let Some(path) = &args.patch {
        let (patched, findings) = session.patched_by(path)?;
        for finding in &findings {
            open::warn(&args.images, &finding.to_string());
        }
        if patched.is_empty() {
            let what = format!("{}: {}", path.display(), NoPlan::NoPatch);
            return Err(Failure::new(what, "name functions with --function NAME"));
        }
        functions.extend(patched);
    }
    let style = out::style(&args.out);
    let mut out = out::writer(&args.out, &inputs::of_livepatch(args))?;
    let mut exit = Exit::Done;
    for (asked, number) in functions.iter().zip(0..) {
        let answer = examined(&session, asked);
        exit = exit.max_of(match &answer {
            Ok(found) if found.verdict() == Verdict::Unknown => Exit::Partial,
            Ok(found) if found.verdict() < Verdict::Dangerous => Exit::Done,
            Err(Unresolved::NoImage | Unresolved::NotFound { .. }) => Exit::Usage,
            Ok(_) | Err(_) => Exit::Negative,
        });
        if let (Err(why @ (Unresolved::NoImage | Unresolved::NotFound { .. })), false) =
            (&answer, args.json)
        {
            out.flush()?;
            stderr::say(&format!("{asked}: {why}"));
            continue;
        }
        let mut text = String::new();
        if args.json {
            text = json::line(&json::hazards::Function::new(asked, &answer));
            text.push('\n');
        } else {
            if number > 0 {
                text.push('\n');
            }
            human::hazards::function(asked, &answer, &args.out.strip_prefix, style, &mut text);
        }
        out.write_all(text.as_bytes())?;
    }
    out.flush()?;
    open::say(&args.images, session.without_lines());
    Ok(open::end(&args.images, &session, exit))
}
