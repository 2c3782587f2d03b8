//! `fixtrace livepatch`

mod dump;
mod functions;
mod log;
mod show;

use super::args::Livepatch;
use super::exit::{Exit, Failure};

/// Runs the verb.
pub fn run(args: &Livepatch) -> Result<Exit, Failure> {
    match &args.dump {
        Some(path) => dump::run(args, path),
        None if !args.log.is_empty() => log::run(args, &args.log),
        None => functions::run(args),
    }
}
