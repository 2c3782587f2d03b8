//! `fixtrace lookup`

use std::io::{BufRead, BufReader, Write};

use fixtrace::low::base::addr::{Addr, Pc};
use fixtrace::low::base::bytes::rfind_byte;
use fixtrace::low::engine::attribute::{Memo, narrow};
use fixtrace::low::engine::many::Many;
use fixtrace::low::engine::query::{self, Query};
use fixtrace::low::engine::reach::{Reach, call_before};
use fixtrace::low::engine::resolve;
use fixtrace::low::engine::stack::{Frame, Remark, Trust};
use fixtrace::low::products::report::human::{self, Style, hex};
use fixtrace::low::products::report::json;
use fixtrace::low::world::code::CodeSource;
use fixtrace::low::world::kernel::{Kernel, Located};
use fixtrace::low::world::session::{self, Wanted};

use super::args::Lookup;
use super::exit::{Exit, Failure};
use super::{open, out};

/// Longest place on a line of standard input, bytes.
const MAX_LINE: usize = 1 << 16;

/// Bytes of standard input answered at once: what is there, but no more than this.
const CHUNK: usize = 4 << 20;

/// Runs the verb.
pub fn run(args: &Lookup) -> Result<Exit, Failure> {
    let session = open::session(&args.images, Wanted::default())?;
    let exit = session::with(&session, |view| ask(args, &view.kernel()))?;
    if !args.no_lines {
        open::say(&args.images, session.without_lines());
    }
    Ok(exit)
}

fn ask(args: &Lookup, kernel: &Kernel<'_>) -> Result<Exit, Failure> {
    let caller = match &args.caller {
        Some(text) => Some(find_caller(kernel, text)?),
        None => None,
    };
    let mut asked = Asked {
        args,
        kernel,
        caller,
        style: out::style(&args.out),
        places: 0,
        found: 0,
        missed: 0,
    };
    let mut out = out::writer(&args.out)?;
    if args.places.is_empty() {
        let mut input = BufReader::with_capacity(CHUNK, std::io::stdin().lock());
        let mut chunk = Vec::new();
        while next_chunk(&mut input, &mut chunk)? {
            let lines = chunk.split(|b| *b == b'\n');
            let lines: Vec<_> = lines.map(String::from_utf8_lossy).collect();
            let places = lines.iter().map(|l| l.trim()).filter(|l| !l.is_empty());
            asked.places(places, &mut *out)?;
            // Whoever asks line by line waits for the answer.
            out.flush()?;
        }
    }
    asked.places(args.places.iter().map(String::as_str), &mut *out)?;
    let (found, missed) = (asked.found, asked.missed);
    out.flush()?;
    Ok(match (found, missed) {
        (_, 0) => Exit::Done,
        (0, _) => Exit::Negative,
        _ => Exit::Partial,
    })
}

/// Takes the whole lines that `input` has ready; waits for one when there is none. False at the end.
fn next_chunk(input: &mut impl BufRead, chunk: &mut Vec<u8>) -> std::io::Result<bool> {
    chunk.clear();
    loop {
        let ready = input.fill_buf()?;
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

struct Asked<'a, 'k, 'd> {
    args: &'a Lookup,
    kernel: &'k Kernel<'d>,
    /// The caller's return address.
    caller: Option<Located<'k, 'd>>,
    style: Style,
    places: usize,
    found: usize,
    missed: usize,
}

/// One frame to print, or why there is none.
enum Task<'k, 'd, 't> {
    Located {
        /// What was asked for, unless it is the address in its usual form.
        text: Option<&'t str>,
        located: Located<'k, 'd>,
        remarks: Vec<Remark<'t>>,
    },
    /// An address in no image.
    Nowhere { text: &'t str, at: Addr },
    /// No place at all.
    Missed(String),
}

impl<'k, 'd> Asked<'_, 'k, 'd> {
    fn pc<A>(&self, at: A) -> Pc<A> {
        if self.args.is_return {
            Pc::Return(at)
        } else {
            Pc::Exact(at)
        }
    }

    /// Answers in the order asked; the work is shared by all processors.
    fn places<'t>(
        &mut self,
        places: impl Iterator<Item = &'t str>,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let mut tasks = Vec::new();
        for text in places {
            self.places += 1;
            self.tasks(text, &mut tasks);
        }
        let located = |task: &&Task<'_, '_, '_>| matches!(task, Task::Located { .. });
        let found = tasks.iter().filter(located).count();
        self.found += found;
        self.missed += tasks.len() - found;
        let many = Many {
            kernel: self.kernel,
            lines: !self.args.no_lines,
            so_far: self.places,
        };
        let place = |task: &Task<'k, 'd, 't>| match task {
            Task::Located { located, .. } => Some((*located, self.pc(located.link))),
            Task::Nowhere { .. } | Task::Missed(_) => None,
        };
        let answers = many.answer(tasks, place, |task, memo, answer: &mut Answer| {
            self.answer(task, memo, answer);
        });
        for (answer, number) in answers.in_order() {
            let (out_text, err_text) = answer.get(number);
            out.write_all(out_text.as_bytes())?;
            if !err_text.is_empty() {
                out.flush()?;
                eprint!("{err_text}");
            }
        }
        Ok(())
    }

    fn tasks<'t>(&self, text: &'t str, tasks: &mut Vec<Task<'k, 'd, 't>>) {
        match Query::parse(text) {
            Some(Query::Address(at)) => {
                let asked = self.pc(at).lookup();
                tasks.push(match self.kernel.locate(asked) {
                    Some(located) => Task::Located {
                        text: Some(text).filter(|t| *t != hex(at.0, &mut [0; 18])),
                        located: Located {
                            link: located.slide.unwrap_or_default().link(at),
                            ..located
                        },
                        remarks: Vec::new(),
                    },
                    None => Task::Nowhere { text, at },
                });
            }
            Some(Query::Symbol(query)) => {
                let matches = query::resolve(self.kernel, &query);
                if matches.is_empty() {
                    let place = query.module.map(|m| format!(" of {m}")).unwrap_or_default();
                    let why = format!("{text}: no code symbol {}{place}", query.name);
                    tasks.push(Task::Missed(why));
                }
                let several = matches.len();
                for m in matches {
                    let mut remarks = Vec::new();
                    if m.size_fits == Some(false) {
                        remarks.push(Remark::OtherSize(query.name.into()));
                    }
                    if several > 1 {
                        remarks.push(Remark::SameName(several));
                    }
                    tasks.push(Task::Located {
                        text: Some(text),
                        located: m.located,
                        remarks,
                    });
                }
            }
            None => {
                let why = format!("{text}: neither an address nor SYMBOL+OFFSET/SIZE");
                tasks.push(Task::Missed(why));
            }
        }
    }

    fn answer(&self, task: &Task<'k, 'd, '_>, memo: &mut Memo<'k, 'd>, answer: &mut Answer) {
        let mut buffer = [0; 18];
        let (text, mut frame) = match task {
            Task::Missed(why) => {
                answer.complain(why);
                return answer.next();
            }
            Task::Nowhere { text, at } => {
                answer.complain(&format!("{text}: in no text of the images given"));
                (*text, Frame::nowhere(Some(self.pc(*at)), Trust::Text))
            }
            Task::Located {
                text,
                located,
                remarks,
            } => {
                let frame = self.frame(*located, remarks, memo);
                let usual = frame.pc.map(|pc| pc.raw()).unwrap_or_default();
                let text = text.unwrap_or_else(|| hex(usual.0, &mut buffer));
                (text, frame)
            }
        };
        frame.strip_prefixes(&self.args.out.strip_prefix);
        if self.args.json {
            let twin = json::frame::Frame::new(&frame, Some(text));
            answer.out.push_str(&json::line(&twin));
            answer.out.push('\n');
        } else {
            human::lookup::frame(&frame, Some(text), self.style, &mut answer.out);
        }
        answer.next();
    }

    fn frame<'f>(
        &self,
        located: Located<'k, 'd>,
        remarks: &[Remark<'f>],
        memo: &mut Memo<'k, 'd>,
    ) -> Frame<'f>
    where
        'k: 'f,
    {
        let pc = self.pc(located.link);
        let mut frame = resolve::place(located, pc, Trust::Text, memo);
        if let Some(ret) = self.caller {
            let code = CodeSource::linked(self.kernel);
            let call = call_before(code, ret);
            let mut reach = Reach::default();
            let attribution = &mut frame.attribution;
            narrow(attribution, located, (ret.link, &call), (code, &mut reach));
        }
        if !self.args.no_lines {
            resolve::read_lines(located.image, pc, &mut frame);
        }
        let mut frame: Frame<'f> = frame;
        frame.remarks.extend_from_slice(remarks);
        frame
    }
}

/// What a share of the tasks prints, and where each task's part ends.
#[derive(Default)]
struct Answer {
    out: String,
    err: String,
    ends: Vec<(u32, u32)>,
}

impl Answer {
    fn complain(&mut self, why: &str) {
        self.err.push_str("fixtrace: ");
        self.err.push_str(why);
        self.err.push('\n');
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

fn find_caller<'k, 'd>(kernel: &'k Kernel<'d>, text: &str) -> Result<Located<'k, 'd>, Failure> {
    let found = match Query::parse(text) {
        Some(Query::Address(Addr(addr))) => kernel.locate(Addr(addr)),
        Some(Query::Symbol(q)) => match query::resolve(kernel, &q)[..] {
            [one] => Some(one.located),
            _ => None,
        },
        None => None,
    };
    found.ok_or_else(|| {
        Failure::new(
            format!("--caller {text}: not one place in the images given"),
            "give its address",
        )
    })
}
