//! Nested address ranges and line rows made into one list of places, each true from its address to the next.

use super::place::Place;
use crate::formats::dwarf::{NONE, Row, Span};

/// A place that is true from `start` to the next segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Segment {
    pub start: u64,
    pub place: Place,
}

/// Where code of another call begins: sorted addresses, each with the innermost call from there on. Of ranges that hold
/// one address no more than `deepest` count.
pub(super) fn innermost(mut spans: Vec<Span>, deepest: usize) -> Vec<(u64, u32)> {
    spans.sort_unstable_by_key(|s| (s.start, s.depth, s.call));
    let mut bounds = Vec::with_capacity(spans.len() * 2);
    // Outermost first.
    let mut active: Vec<Span> = Vec::new();
    for span in spans {
        close(&mut active, span.start, &mut bounds);
        if active.len() < deepest {
            let at = active.partition_point(|a| a.depth <= span.depth);
            active.insert(at, span);
        }
        emit(&mut bounds, span.start, &active);
    }
    close(&mut active, u64::MAX, &mut bounds);
    bounds
}

/// Ends the ranges that end at `upto` or before.
fn close(active: &mut Vec<Span>, upto: u64, bounds: &mut Vec<(u64, u32)>) {
    while let Some(end) = active
        .iter()
        .map(|a| a.end)
        .min()
        .filter(|end| *end <= upto)
    {
        active.retain(|a| a.end > end);
        emit(bounds, end, active);
    }
}

fn emit(bounds: &mut Vec<(u64, u32)>, at: u64, active: &[Span]) {
    let call = active.last().map_or(NONE, |a| a.call);
    match bounds.last_mut() {
        Some(last) if last.0 == at => last.1 = call,
        Some(last) if last.1 == call => {}
        _ => bounds.push((at, call)),
    }
}

/// Joins calls and rows by address.
pub(super) fn join(bounds: &[(u64, u32)], rows: &[Row]) -> Vec<Segment> {
    let mut out: Vec<Segment> = Vec::with_capacity(bounds.len() + rows.len());
    let (mut bounds, mut rows) = (bounds.iter().peekable(), rows.iter().peekable());
    let mut place = Place::default();
    loop {
        let next = match (bounds.peek(), rows.peek()) {
            (Some(b), Some(r)) => b.0.min(r.address),
            (Some(b), None) => b.0,
            (None, Some(r)) => r.address,
            (None, None) => return out,
        };
        if let Some((_, call)) = bounds.next_if(|b| b.0 == next) {
            place.call = *call;
        }
        if let Some(row) = rows.next_if(|r| r.address == next) {
            place = Place {
                call: place.call,
                file: row.file,
                line: row.line,
                column: row.column,
            };
        }
        match out.last_mut() {
            Some(last) if last.start == next => last.place = place,
            Some(last) if last.place == place => {}
            _ => out.push(Segment { start: next, place }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(start: u64, end: u64, depth: u32, call: u32) -> Span {
        Span {
            start,
            end,
            depth,
            call,
        }
    }

    #[test]
    fn the_innermost_call_owns_an_address() {
        let spans = vec![
            span(0, 100, 0, 0),
            span(10, 30, 1, 1),
            span(20, 30, 2, 2),
            span(40, 41, 1, 3),
        ];
        let bounds = [
            (0, 0),
            (10, 1),
            (20, 2),
            (30, 0),
            (40, 3),
            (41, 0),
            (100, NONE),
        ];
        assert_eq!(innermost(spans, 512), bounds);
    }

    proptest! {
        #[test]
        fn flattening_equals_asking_every_span(
            parts in prop::collection::vec((0u64..60, 1u64..30, 0u32..4), 0..12)
        ) {
            let spans: Vec<Span> = parts.iter().zip(0..)
                .map(|((start, len, depth), call)| span(*start, start + len, *depth, call))
                .collect();
            let bounds = innermost(spans.clone(), 512);
            for at in 0..100u64 {
                let found = bounds.iter().rev().find(|b| b.0 <= at).map_or(NONE, |b| b.1);
                let best = spans.iter().filter(|s| (s.start..s.end).contains(&at))
                    .map(|s| (s.depth, s.start)).max();
                let depth = spans.get(found as usize).map(|s| (s.depth, s.start));
                prop_assert_eq!(depth, best);
            }
        }
    }
}
