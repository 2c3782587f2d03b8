//! Any bytes as a log: nothing panics, and what is kept is what came.
#![no_main]

use std::io;

use fixtrace::low::world::kernel::Kernel;
use fixtrace::low::products::oops::truth::annotate::{self, Additions};
use fixtrace::low::products::oops::truth::filter::{Filter, Sink, Teller};
use fixtrace::low::products::oops::read::report::Oops;
use fixtrace::low::products::oops::read::reports::Facts;
use fixtrace::low::products::oops::truth::tell::{Options, Settled, tell};
use libfuzzer_sys::fuzz_target;

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
            slide: None,
        };
        let told = tell(oops, &kernel, options, &Settled::default());
        annotate::frames(oops, &told, &[], &mut additions);
        annotate::conclusions(oops, &told, true, &mut additions);
        additions
    }
}

fuzz_target!(|log: &[u8]| {
    let mut kept = Kept(Vec::new());
    let mut filter = Filter::default();
    // Somewhere in the middle nothing more comes for a while.
    let (first, second) = log.split_at(log.len() / 2);
    let whole = memchr_line(first);
    filter.text(&first[..whole], &mut Nothing, &mut kept).expect("written");
    filter.idle(&mut Nothing, &mut kept).expect("written");
    let rest = [&first[whole..], second].concat();
    filter.text(&rest, &mut Nothing, &mut kept).expect("written");
    filter.finish(&mut Nothing, &mut kept).expect("written");
    assert_eq!(kept.0, log);
});

/// Bytes up to the end of the last whole line.
fn memchr_line(text: &[u8]) -> usize {
    text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1)
}
