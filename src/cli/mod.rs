//! The program: arguments, terminal, environment, exit codes. Everything else is in the library.

mod args;
mod exit;
mod explain;
mod index;
mod inspect;
mod livepatch;
mod lookup;
mod open;
mod out;
mod progress;
mod require;
mod stderr;
mod symbolize;
mod table;
mod unwind;
mod validate;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Verb};
use exit::Exit;

/// Runs the program.
pub fn main() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Lookup(args) => lookup::run(&args),
        Verb::Symbolize(args) => symbolize::run(&args),
        Verb::Unwind(args) => unwind::run(&args),
        Verb::Inspect(args) => inspect::run(&args),
        Verb::Index(args) => index::run(&args),
        Verb::Livepatch(args) => livepatch::run(&args),
        Verb::Validate(args) => validate::run(&args),
        Verb::Explain(args) => explain::run(&args),
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
