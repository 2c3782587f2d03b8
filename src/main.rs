//! The program `fixtrace`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
