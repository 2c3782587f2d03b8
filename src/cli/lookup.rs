//! `fixtrace lookup`

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Write};

use fixtrace::low::base::bytes::rfind_byte;
use fixtrace::low::engine::ask::{Found, How, MANY, Missed};
use fixtrace::low::products::report::human::{self, Style, hex};
use fixtrace::low::products::report::json;
use fixtrace::low::world::session::{Session, Wanted};

use super::args::Lookup;
use super::exit::{Exit, Failure};
use super::{inputs, open, out, stderr};

/// Longest place on a line of standard input, bytes.
const MAX_LINE: usize = 1 << 16;

/// Bytes of standard input answered at once: what is there, but no more than this.
const CHUNK: usize = 4 << 20;

/// Runs the verb.
pub fn run(args: &Lookup) -> Result<Exit, Failure> {
    let session = open::session(&args.images, Wanted::default())?;
    let mut desk = Desk {
        args,
        session: &session,
        style: out::style(&args.out),
        asked: 0,
        found: 0,
        missed: 0,
    };
    let mut out = out::writer(&args.out, &inputs::of_lookup(args))?;
    // A caller that is none is said at once.
    desk.places(&[], &mut *out)?;
    if args.places.is_empty() {
        let mut input = BufReader::with_capacity(CHUNK, std::io::stdin().lock());
        let mut chunk = Vec::new();
        while next_chunk(&mut input, &mut chunk)? {
            // Nearly always it is, and that is seen much sooner than what is not.
            let text = match str::from_utf8(&chunk) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => String::from_utf8_lossy(&chunk),
            };
            let places = text.split('\n').map(str::trim).filter(|l| !l.is_empty());
            desk.places(&places.collect::<Vec<_>>(), &mut *out)?;
            // Whoever asks line by line waits for the answer.
            out.flush()?;
        }
    }
    let places: Vec<&str> = args.places.iter().map(String::as_str).collect();
    desk.places(&places, &mut *out)?;
    let (found, missed) = (desk.found, desk.missed);
    out.flush()?;
    if !args.no_lines {
        open::say(&args.images, session.without_lines());
    }
    let exit = match (found, missed) {
        (_, 0) => Exit::Done,
        (0, _) => Exit::Negative,
        _ => Exit::Partial,
    };
    Ok(open::end(&args.images, &session, exit))
}

/// Takes the whole lines that `input` has ready; waits for one when there is none. False at the end.
fn next_chunk(input: &mut impl BufRead, chunk: &mut Vec<u8>) -> std::io::Result<bool> {
    chunk.clear();
    loop {
        let ready = match input.fill_buf() {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            ready => ready?,
        };
        if ready.is_empty() {
            return Ok(!chunk.is_empty());
        }
        let whole = rfind_byte(ready, b'\n').map(|at| at + 1);
        let take = whole.unwrap_or(ready.len());
        chunk.extend_from_slice(&ready[..take]);
        input.consume(take);
        // A line without end is cut: it is no place anyway.
        if whole.is_some() || chunk.len() > MAX_LINE {
            return Ok(true);
        }
    }
}

/// Asks for places and prints the answers.
struct Desk<'a> {
    args: &'a Lookup,
    session: &'a Session,
    style: Style,
    asked: usize,
    found: usize,
    missed: usize,
}

impl Desk<'_> {
    /// Answers in the order asked.
    fn places(&mut self, places: &[&str], out: &mut dyn Write) -> Result<(), Failure> {
        self.asked += places.len();
        let how = How {
            returns: self.args.is_return,
            caller: self.args.caller.as_deref(),
            no_lines: self.args.no_lines,
            many: self.asked >= MANY,
        };
        let each = |answer: &mut Answer, found: Found<'_>| self.show(found, answer);
        let answers = self.session.ask_many(places, how, each);
        let answers =
            answers.map_err(|e| Failure::new(format!("--caller {e}"), "give its address"))?;
        for (share, place) in answers.places {
            let answer = &answers.shares[share as usize];
            let (out_text, err_text) = answer.get(place as usize);
            out.write_all(out_text.as_bytes())?;
            if !err_text.is_empty() {
                out.flush()?;
                stderr::write(err_text);
            }
        }
        for answer in &answers.shares {
            self.missed += answer.missed;
            self.found += answer.ends.len() - answer.missed;
        }
        Ok(())
    }

    fn show(&self, found: Found<'_>, answer: &mut Answer) {
        if let Some(why) = found.missed {
            answer.complain(found.asked.unwrap_or_default(), &why);
        }
        if let Some(mut frame) = found.frame {
            let mut buffer = [0; 18];
            let usual = frame.pc.map(|pc| pc.raw()).unwrap_or_default();
            let text = found.asked.unwrap_or_else(|| hex(usual.0, &mut buffer));
            frame.strip_prefixes(&self.args.out.strip_prefix);
            if self.args.json {
                let twin = json::frame::Frame::new(&frame, Some(text));
                answer.out.push_str(&json::line(&twin));
                answer.out.push('\n');
            } else {
                human::lookup::frame(&frame, Some(text), self.style, &mut answer.out);
            }
        }
        answer.next();
    }
}

/// What a share of the tasks prints, and where each task's part ends.
#[derive(Default)]
struct Answer {
    out: String,
    err: String,
    missed: usize,
    ends: Vec<(u32, u32)>,
}

impl Answer {
    fn complain(&mut self, asked: &str, why: &Missed<'_>) {
        self.missed += 1;
        self.err
            .push_str(&stderr::message(&format!("{asked}: {why}")));
    }

    fn next(&mut self) {
        self.ends
            .push((self.out.len() as u32, self.err.len() as u32));
    }

    /// What task `i` prints, and says on stderr.
    fn get(&self, i: usize) -> (&str, &str) {
        let (from, to) = (
            i.checked_sub(1).map_or((0, 0), |i| self.ends[i]),
            self.ends[i],
        );
        (
            &self.out[from.0 as usize..to.0 as usize],
            &self.err[from.1 as usize..to.1 as usize],
        )
    }
}
