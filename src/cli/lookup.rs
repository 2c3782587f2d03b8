//! `fixtrace lookup`

use std::io::{BufRead, Write};

use fixtrace::addr::{Addr, LinkAddr, Pc};
use fixtrace::attribute::Caller;
use fixtrace::image::Storage;
use fixtrace::kernel::Kernel;
use fixtrace::query::{self, Query};
use fixtrace::report::{frame::Frame, human};
use fixtrace::symbolize::{self, Resolved};
use fixtrace::tables::Tables;

use super::args::Lookup;
use super::exit::{Exit, Failure};
use super::{open, out};

/// Longest place on a line of standard input, bytes.
const MAX_LINE: u64 = 1 << 16;

/// Runs the verb.
pub fn run(args: &Lookup) -> Result<Exit, Failure> {
    let storage = Storage::new();
    let kernel = open::kernel(&args.images, None, &storage)?;
    let caller = match &args.caller {
        Some(text) => Some(find_caller(&kernel, text)?),
        None => None,
    };
    let mut asked = Asked {
        args,
        kernel: &kernel,
        caller,
        found: 0,
        missed: 0,
    };
    let mut out = out::writer(&args.out)?;
    let style = out::style(&args.out);
    let mut show = |resolved: &Resolved<'_, '_>, query: &str| -> Result<(), Failure> {
        let frame = Frame::new(resolved, Some(query), "text");
        if args.json {
            serde_json::to_writer(&mut out, &frame).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        } else {
            out.write_all(human::frame(&frame, style).as_bytes())?;
        }
        Ok(())
    };
    if args.places.is_empty() {
        let mut input = std::io::stdin().lock();
        let mut line = Vec::new();
        loop {
            line.clear();
            if std::io::Read::take(&mut input, MAX_LINE).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let text = String::from_utf8_lossy(&line);
            if !text.trim().is_empty() {
                asked.place(text.trim(), &mut show)?;
            }
        }
    }
    for place in &args.places {
        asked.place(place, &mut show)?;
    }
    let (found, missed) = (asked.found, asked.missed);
    out.flush()?;
    if !args.no_lines {
        open::warn_of_lines(&args.images, &kernel);
    }
    Ok(match (found, missed) {
        (_, 0) => Exit::Done,
        (0, _) => Exit::Negative,
        _ => Exit::Partial,
    })
}

struct Asked<'a, 'k, 'd> {
    args: &'a Lookup,
    kernel: &'k Kernel<'d>,
    caller: Option<Caller<'k, 'd>>,
    found: usize,
    missed: usize,
}

type Show<'s, 'k, 'd> = dyn FnMut(&Resolved<'k, 'd>, &str) -> Result<(), Failure> + 's;

impl<'k, 'd> Asked<'_, 'k, 'd> {
    fn pc<A>(&self, at: A) -> Pc<A> {
        if self.args.is_return {
            Pc::Return(at)
        } else {
            Pc::Exact(at)
        }
    }

    fn miss(&mut self, why: &str) {
        self.missed += 1;
        eprintln!("fixtrace: {why}");
    }

    fn place(&mut self, text: &str, show: &mut Show<'_, 'k, 'd>) -> Result<(), Failure> {
        match Query::parse(text) {
            Some(Query::Address(addr)) => {
                let resolved = symbolize::resolve_runtime(
                    self.kernel,
                    self.pc(addr),
                    self.caller,
                    !self.args.no_lines,
                );
                match resolved.located {
                    Some(_) => self.found += 1,
                    None => self.miss(&format!("{text}: in no text of the images given")),
                }
                show(&resolved, text)
            }
            Some(Query::Symbol(query)) => {
                let matches = query::resolve(self.kernel, &query);
                if matches.is_empty() {
                    let place = query.module.map(|m| format!(" of {m}")).unwrap_or_default();
                    self.miss(&format!("{text}: no code symbol {}{place}", query.name));
                    return Ok(());
                }
                self.found += 1;
                let several = matches.len();
                for m in matches {
                    let mut resolved = symbolize::resolve(
                        m.located,
                        self.pc(m.located.link),
                        self.caller,
                        !self.args.no_lines,
                    );
                    let notes = &mut resolved.attribution.notes;
                    if m.size_fits == Some(false) {
                        notes.push(format!(
                            "{} has another size here: is this the image it ran in?",
                            query.name
                        ));
                    }
                    if several > 1 {
                        notes.push(format!("one of {several} symbols of that name"));
                    }
                    show(&resolved, text)?;
                }
                Ok(())
            }
            None => {
                self.miss(&format!(
                    "{text}: neither an address nor SYMBOL+OFFSET/SIZE"
                ));
                Ok(())
            }
        }
    }
}

fn find_caller<'k, 'd>(kernel: &'k Kernel<'d>, text: &str) -> Result<Caller<'k, 'd>, Failure> {
    let found: Option<(&'k Tables<'d>, LinkAddr)> = match Query::parse(text) {
        Some(Query::Address(Addr(addr))) => {
            kernel.locate(Addr(addr)).map(|l| (&l.placed.image, l.link))
        }
        Some(Query::Symbol(q)) => match query::resolve(kernel, &q)[..] {
            [one] => Some((&one.located.placed.image, one.located.link)),
            _ => None,
        },
        None => None,
    };
    match found {
        Some((image, ret)) => Ok(Caller { image, ret }),
        None => Err(Failure::new(
            format!("--caller {text}: not one place in the images given"),
            "give its address",
        )),
    }
}
