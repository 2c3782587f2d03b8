//! Any bytes as a log: nothing panics, and what is kept is what came.
#![no_main]

use std::io;

use fixtrace::low::products::oops::read::report::Oops;
use fixtrace::low::products::oops::read::reports::Facts;
use fixtrace::low::products::oops::read::reports::parse;
use fixtrace::low::products::oops::read::scan::Scan;
use fixtrace::low::products::oops::truth::annotate::{self, Additions};
use fixtrace::low::products::oops::truth::culprit::culprit;
use fixtrace::low::products::oops::truth::filter::{Filter, Sink, Teller};
use fixtrace::low::products::oops::truth::group::group;
use fixtrace::low::products::oops::truth::placed::find;
use fixtrace::low::products::oops::truth::tell::{Options, Settled, tell};
use fixtrace::low::world::kernel::Kernel;
use fixtrace_fuzz::fuzz;

struct Kept(Vec<u8>);

impl Sink for Kept {
    fn kept(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn added(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

struct Nothing;

impl Teller for Nothing {
    fn tell(&mut self, oops: &Oops, _: &Facts) -> Additions {
        let mut additions = Additions::new();
        let kernel = Kernel::new();
        let options = Options {
            lines: false,
            verdicts: true,
            slide: None,
        };
        let told = tell(oops, &kernel, options, &Settled::default());
        annotate::frames(oops, &told, &[], &mut additions);
        annotate::code(oops, &told, &mut additions);
        annotate::not_fixed_up(oops, |f| find(f, &kernel, None).ok(), &mut additions);
        annotate::doubts(oops, &mut additions);
        let named = culprit(oops, &told).is_some();
        assert!(named || group(oops, &told, true) == group(oops, &told, false));
        additions
    }
}

fn one(log: &[u8]) {
    let mut kept = Kept(Vec::new());
    let mut filter = Filter::default();
    // Somewhere in the middle nothing more comes for a while.
    let (first, second) = log.split_at(log.len() / 2);
    let whole = memchr_line(first);
    filter
        .text(&first[..whole], &mut Nothing, &mut kept)
        .expect("written");
    filter.idle(&mut Nothing, &mut kept).expect("written");
    let rest = [&first[whole..], second].concat();
    filter
        .text(&rest, &mut Nothing, &mut kept)
        .expect("written");
    filter.finish(&mut Nothing, &mut kept).expect("written");
    assert_eq!(kept.0, log);
    // In pieces that end anywhere.
    let mut scan = Scan::default();
    log.chunks(97).for_each(|piece| scan.text(piece));
    scan.finish();
    let inside = |o: &Oops| o.bytes.start <= o.bytes.end && o.bytes.end <= log.len() as u64;
    assert!(scan.take().iter().chain(&parse(log).0).all(inside));
}

fuzz!(one);

/// Bytes up to the end of the last whole line.
fn memchr_line(text: &[u8]) -> usize {
    text.iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1)
}
