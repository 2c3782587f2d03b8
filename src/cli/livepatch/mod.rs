//! `fixtrace livepatch`

mod dump;
mod functions;

use super::args::Livepatch;
use super::exit::{Exit, Failure};

/// Runs the verb.
pub fn run(args: &Livepatch) -> Result<Exit, Failure> {
    match &args.dump {
        Some(path) => dump::run(args, path),
        None => functions::run(args),
    }
}
