//! Any text through the filter with an image at hand: what is added can be deleted, and the input is back.
#![no_main]

use std::io;
use std::sync::LazyLock;

use fixtrace::low::products::oops::truth::annotate::MARK;
use fixtrace::low::products::oops::truth::evidence::Evidence;
use fixtrace::low::products::oops::truth::filter::{Filter, Sink};
use fixtrace::low::world::kernel::Kernel;
use fixtrace_fuzz::oops::Knows;
use fixtrace_fuzz::{fuzz, kept_kernel};

static KERNEL: LazyLock<Kernel<'static>> = LazyLock::new(|| {
    let demo = include_bytes!("../../testdata/fixtures/demo-5.10.elf");
    kept_kernel(demo, "vmlinux")
});

/// What came out, and which of it was added.
#[derive(Default)]
struct Paper {
    all: Vec<u8>,
    kept: Vec<u8>,
    added: Vec<std::ops::Range<usize>>,
}

impl Sink for Paper {
    fn kept(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.kept.extend_from_slice(bytes);
        self.all.extend_from_slice(bytes);
        Ok(())
    }

    fn added(&mut self, text: &[u8]) -> io::Result<()> {
        let start = self.all.len();
        self.all.extend_from_slice(text);
        self.added.push(start..self.all.len());
        Ok(())
    }
}

/// The length of the pieces, and the log.
fn one(input: &[u8]) {
    let Some((step, log)) = input.split_first() else {
        return;
    };
    let whole = filtered(log, log.len(), false);
    assert_eq!(whole.kept, log);
    // In pieces of some lines.
    let pieces = filtered(log, usize::from(*step) + 1, false);
    assert_eq!(pieces.kept, log);
    // And with time between them.
    let slow = filtered(log, usize::from(*step) * 16 + 1, true);
    assert_eq!(slow.kept, log);
    for paper in [whole, pieces, slow] {
        added(&paper);
    }
}

fn filtered(log: &[u8], step: usize, idle: bool) -> Paper {
    let mut paper = Paper::default();
    let mut knows = Knows {
        kernel: &KERNEL,
        evidence: Evidence::default(),
    };
    let mut filter = Filter::default();
    for piece in pieces(log, step) {
        filter.text(piece, &mut knows, &mut paper).expect("written");
        if idle {
            filter.idle(&mut knows, &mut paper).expect("written");
        }
    }
    filter.finish(&mut knows, &mut paper).expect("written");
    paper
}

/// Pieces of about `step` bytes that end where lines end.
fn pieces(log: &[u8], step: usize) -> Vec<&[u8]> {
    let mut all = Vec::new();
    let mut rest = log;
    while !rest.is_empty() {
        let near = step.clamp(1, rest.len());
        let end = memchr::memchr(b'\n', &rest[near - 1..]).map_or(rest.len(), |n| near + n);
        let (now, then) = rest.split_at(end);
        all.push(now);
        rest = then;
    }
    all
}

/// Lines that were added are marked, whole, and without anything that moves a terminal's cursor.
fn added(paper: &Paper) {
    let mut text = Vec::new();
    for (n, range) in paper.added.iter().enumerate() {
        text.extend_from_slice(&paper.all[range.clone()]);
        let next = paper.added.get(n + 1).map(|r| r.start);
        if next != Some(range.end) {
            run(&text);
            text.clear();
        }
    }
}

/// A run of added text: the end of a line that was there, and lines.
fn run(text: &[u8]) {
    let mut lines = text.split(|b| *b == b'\n');
    let first = lines.next().unwrap_or_default();
    assert!(
        first
            .iter()
            .all(|b| *b >= b' ' || matches!(b, b'\r' | b'\t')),
        "{}",
        first.escape_ascii()
    );
    for line in lines.filter(|l| !l.is_empty()) {
        let marked = memchr::memmem::find(line, MARK.as_bytes()).is_some();
        assert!(marked, "{}", line.escape_ascii());
    }
}

fuzz!(one);
