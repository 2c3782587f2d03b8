//! Any bytes as a kdump file: headers, notes, memory by physical address, page tables.
#![no_main]

use fixtrace::low::world::memory::Dump;
use fixtrace_fuzz::{ask, fuzz};

fn one(input: &[u8]) {
    match Dump::parse(input) {
        Ok(dump) => ask::dump(&dump, input.len()),
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}

fuzz!(one);
