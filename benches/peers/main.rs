//! Other symbolizers behind one command line, so that `benches/compare.sh` can hold them against fixtrace.
//!
//! Every answer is printed alike, innermost frame first, with an empty line behind each address:
//!
//! ```text
//! FUNCTION FILE:LINE
//! ```

mod ours;
mod peers;
mod sink;

use std::io::BufRead;
use std::process::ExitCode;
use std::time::Instant;

use sink::Sink;

type Error = Box<dyn std::error::Error>;
type Result<T> = std::result::Result<T, Error>;

const USAGE: &str = "\
usage: peer blazesym ELF < ADDRESSES      DWARF by blazesym
       peer addr2line ELF < ADDRESSES     DWARF by the addr2line crate
       peer gsym FILE < ADDRESSES         GSYM by blazesym
       peer symcache FILE < ADDRESSES     SymCache by symbolic
       peer fixtrace FILE < ADDRESSES     an index by fixtrace, for times inside a process
       peer symcache-build ELF FILE       writes a SymCache
ADDRESSES are hexadecimal, one a line.
  --no-print   look up and touch every string, but print only totals
  --time       show on stderr how long opening and looking up took, in ns";

struct Options {
    words: Vec<String>,
    print: bool,
    time: bool,
}

fn options() -> Result<Options> {
    let mut options = Options {
        words: Vec::new(),
        print: true,
        time: false,
    };
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--no-print" => options.print = false,
            "--time" => options.time = true,
            other if other.starts_with('-') => return Err(USAGE.into()),
            _ => options.words.push(argument),
        }
    }
    Ok(options)
}

fn addresses() -> Result<Vec<u64>> {
    // Line by line, for the text of a million addresses would show in the peer's memory.
    let mut addresses = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let digits = line.trim();
        let address = u64::from_str_radix(digits.strip_prefix("0x").unwrap_or(digits), 16);
        addresses.push(address.map_err(|error| format!("{line:?}: {error}"))?);
    }
    Ok(addresses)
}

/// Opens a peer, has it answer all addresses, and measures both.
fn look_up<P>(
    options: &Options,
    open: impl FnOnce() -> Result<P>,
    answer: impl FnOnce(&P, &[u64], &mut Sink) -> Result<()>,
) -> Result<()> {
    let addresses = addresses()?;
    let mut sink = Sink::new(options.print);

    let start = Instant::now();
    let peer = open()?;
    let opened = start.elapsed();
    answer(&peer, &addresses, &mut sink)?;
    let answered = start.elapsed() - opened;

    sink.finish()?;
    if options.time {
        eprintln!(
            "open {} ns, lookups {} ns",
            opened.as_nanos(),
            answered.as_nanos()
        );
    }
    Ok(())
}

fn run() -> Result<()> {
    let options = options()?;
    let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
    match words[..] {
        ["blazesym", elf] => look_up(
            &options,
            || Ok(peers::Blazesym::elf(elf)),
            peers::Blazesym::answer,
        ),
        ["gsym", file] => look_up(
            &options,
            || Ok(peers::Blazesym::gsym(file)),
            peers::Blazesym::answer,
        ),
        ["addr2line", elf] => look_up(
            &options,
            || peers::Addr2line::open(elf),
            peers::Addr2line::answer,
        ),
        ["fixtrace", file] => look_up(&options, || ours::Index::open(file), ours::Index::answer),
        ["symcache", file] => look_up(&options, || peers::Cache::open(file), peers::Cache::answer),
        ["symcache-build", elf, file] => {
            let start = Instant::now();
            peers::Cache::build(elf, file)?;
            if options.time {
                eprintln!("build {} ns", start.elapsed().as_nanos());
            }
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
