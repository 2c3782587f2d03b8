//! `fixtrace livepatch`

mod functions;

use super::args::Livepatch;
use super::exit::{Exit, Failure};

/// Runs the verb.
pub fn run(args: &Livepatch) -> Result<Exit, Failure> {
    let later = [
        (args.dump.is_some(), "DUMP"),
        (args.patch.is_some(), "--patch"),
        (args.log.is_some(), "--log"),
    ];
    if let Some((_, what)) = later.iter().find(|(given, _)| *given) {
        let message = format!("{what} is not read yet");
        return Err(Failure::new(message, "name functions and images"));
    }
    functions::run(args)
}
