//! `fixtrace symbolize`

mod batch;
mod groups;
pub mod input;
pub mod outcome;
mod source;
mod terminal;
mod text;

use std::path::Path;

use fixtrace::low::products::oops::dumped::Dumped;
use fixtrace::low::world::session;

use super::args::Symbolize;
use super::exit::{Exit, Failure};
use super::open;
use outcome::Outcome;

/// Runs the verb.
pub fn run(args: &Symbolize) -> Result<Exit, Failure> {
    match args.json || args.summary {
        true => batch::run(args),
        false => text::run(args),
    }
}

/// What `args` ask for.
fn options(args: &Symbolize) -> session::Options {
    let mut options = open::options(&args.images);
    options.lines = !args.no_lines;
    options
}

/// Whether the file `path` is a dump.
pub fn is_dump(path: &Path) -> Result<bool, Failure> {
    Ok(matches!(input::input(path)?, input::Input::Dump))
}

/// Opens the log of the dump `path`, and says what is odd about it.
fn dumped(args: &Symbolize, path: &Path, outcome: &mut Outcome<'_>) -> Result<Dumped, Failure> {
    let dumped = Dumped::open(path, &options(args))?;
    open::say(&args.images, dumped.noticed.iter().cloned());
    if !dumped.whole {
        outcome.exit = outcome.exit.max_of(Exit::Partial);
    }
    if let Err(e) = &dumped.desk {
        outcome.without_images(e);
    }
    Ok(dumped)
}
