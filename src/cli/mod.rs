//! The program: arguments, terminal, environment, exit codes. Everything else is in the library.

mod args;
mod exit;
mod explain;
mod index;
mod inputs;
mod inspect;
mod livepatch;
mod lookup;
mod open;
mod out;
mod progress;
mod require;
#[cfg(unix)]
mod signals;
mod stderr;
mod symbolize;
mod table;
mod unwind;
mod validate;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Verb};
use exit::{Exit, Failure};

/// Runs the program.
pub fn main() -> ExitCode {
    #[cfg(unix)]
    signals::handle();
    let done = match Cli::try_parse() {
        Ok(cli) => run(cli.verb),
        Err(told) => tell(&told),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(failure) if failure.closed_pipe => Exit::Done.into(),
        Err(mut failure) => {
            failure.message.insert_str(0, "error: ");
            stderr::failure(&failure);
            Exit::Usage.into()
        }
    }
}

/// Runs a verb.
fn run(verb: Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Lookup(args) => lookup::run(&args),
        Verb::Symbolize(args) => symbolize::run(&args),
        Verb::Unwind(args) => unwind::run(&args),
        Verb::Inspect(args) => inspect::run(&args),
        Verb::Index(args) => index::run(&args),
        Verb::Livepatch(args) => livepatch::run(&args),
        Verb::Validate(args) => validate::run(&args),
        Verb::Explain(args) => explain::run(&args),
    }
}

/// Says what the command line alone leads to: help, the version, or what is wrong with it.
fn tell(told: &clap::Error) -> Result<Exit, Failure> {
    let printed = told.print().and_then(|()| io::stdout().flush());
    match told.exit_code() != 0 {
        // Where nobody takes the words there is still the exit code.
        true => Ok(Exit::Usage),
        false => {
            printed.map_err(out::standard_failed)?;
            Ok(Exit::Done)
        }
    }
}
