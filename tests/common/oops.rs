//! Logs through the filter.

use std::io;

use fixtrace::low::base::addr::Slide;
use fixtrace::low::products::oops::read::report::Oops;
use fixtrace::low::products::oops::read::reports::{Facts, parse};
use fixtrace::low::products::oops::truth::annotate::{self, Additions, MARK};
use fixtrace::low::products::oops::truth::evidence::Evidence;
use fixtrace::low::products::oops::truth::filter::{Filter, Sink, Teller};
use fixtrace::low::products::oops::truth::placed::find;
use fixtrace::low::products::oops::truth::tell::{Options, tell};
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::Kernel;

/// The logs of `version`, by name.
pub fn logs(version: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(super::testdata("oops"))
        .expect("logs")
        .flatten();
    let mut found: Vec<_> = entries
        .map(|e| (e.file_name().to_string_lossy().into_owned(), e.path()))
        .filter(|(n, _)| n.starts_with(&format!("{version}-")) && n.ends_with(".txt"))
        .map(|(n, p)| (n, std::fs::read(p).expect("log")))
        .collect();
    found.sort();
    found
}

/// What is kept of a log, and all that is written.
#[derive(Default)]
pub struct Paper {
    pub kept: Vec<u8>,
    pub all: Vec<u8>,
    /// Text that was added.
    pub added: usize,
}

impl Sink for Paper {
    fn kept(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.kept.extend_from_slice(bytes);
        self.all.extend_from_slice(bytes);
        Ok(())
    }

    fn added(&mut self, text: &[u8]) -> io::Result<()> {
        self.added += 1;
        self.all.extend_from_slice(text);
        Ok(())
    }
}

/// Tells all there is to tell with `kernel`.
pub struct Knows<'k, 'd> {
    pub kernel: &'k Kernel<'d>,
    pub evidence: Evidence,
}

impl Teller for Knows<'_, '_> {
    fn tell(&mut self, oops: &Oops, facts: &Facts) -> Additions {
        let mut additions = Additions::new();
        self.evidence.observe(oops, facts, self.kernel);
        let options = Options {
            lines: true,
            verdicts: false,
            slide: facts.offset.map(Slide),
        };
        let told = tell(oops, self.kernel, options, &self.evidence.settled);
        annotate::frames(oops, &told, &[], &mut additions);
        annotate::code(oops, &told, &mut additions);
        annotate::not_fixed_up(oops, |f| find(f, self.kernel, None).ok(), &mut additions);
        annotate::doubts(oops, &mut additions);
        additions
    }
}

/// `log` through the filter, in pieces that end after `breaks` bytes each, where nothing more comes for a while.
pub fn filtered(log: &[u8], kernel: &Kernel<'_>, breaks: usize) -> Paper {
    let mut paper = Paper::default();
    let mut knows = Knows {
        kernel,
        evidence: Evidence::default(),
    };
    let mut filter = Filter::default();
    let mut since = 0;
    for line in log.split_inclusive(|b| *b == b'\n') {
        filter.line(line, &mut knows, &mut paper).expect("written");
        since += line.len();
        if since > breaks {
            since = 0;
            filter.idle(&mut knows, &mut paper).expect("written");
        }
    }
    filter.finish(&mut knows, &mut paper).expect("written");
    paper
}

/// `log` as the program leaves it, with `image` as vmlinux; no code is decoded.
pub fn annotated(log: &[u8], image: Image<'_>) -> Vec<u8> {
    let mut kernel = Kernel::new();
    kernel.add(image, Some(Slide(0)));
    let mut knows = Knows {
        kernel: &kernel,
        evidence: Evidence::default(),
    };
    // What the whole log says of alternatives counts for all of it.
    let (reports, facts) = parse(log);
    for oops in &reports {
        knows.evidence.observe(oops, &facts, &kernel);
    }
    struct Plain<'t, 'k, 'd>(&'t mut Knows<'k, 'd>);
    impl Teller for Plain<'_, '_, '_> {
        fn tell(&mut self, oops: &Oops, facts: &Facts) -> Additions {
            let mut all = self.0.tell(oops, facts);
            for addition in all.values_mut() {
                addition
                    .lines
                    .retain(|l| !l.text.starts_with("code: ") && !l.text.starts_with("note: "));
            }
            all
        }
    }
    let mut paper = Paper::default();
    let mut filter = Filter::default();
    filter
        .text(log, &mut Plain(&mut knows), &mut paper)
        .expect("written");
    filter
        .finish(&mut Plain(&mut knows), &mut paper)
        .expect("written");
    paper.all
}

/// `text` without added lines, and without the ` (file:line)` added to lines: what a reader of the output can do.
pub fn stripped(text: &[u8]) -> Vec<u8> {
    let added = |line: &&[u8]| memchr::memmem::find(line, MARK.as_bytes()).is_some();
    let mut kept = Vec::new();
    for line in text.split_inclusive(|b| *b == b'\n').filter(|l| !added(l)) {
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        kept.extend_from_slice(&content[..content.len() - place_len(content)]);
        kept.extend_from_slice(&line[content.len()..]);
    }
    kept
}

/// Length of a ` (file:line)` at the end of `line`.
fn place_len(line: &[u8]) -> usize {
    let found = line.strip_suffix(b")").and_then(|l| {
        let start = memchr::memmem::rfind(l, b" (")?;
        let (file, number) = str::from_utf8(&l[start + 2..]).ok()?.rsplit_once(':')?;
        let sane = !file.is_empty() && number.parse::<u32>().is_ok();
        sane.then_some(line.len() - start)
    });
    found.unwrap_or(0)
}
