//! Code and rows of an exception table: where fixup code leads, and whose it is.
#![no_main]

use std::collections::BTreeSet;

use fixtrace::low::base::addr::{Address, LinkAddr, Pc};
use fixtrace::low::engine::attribute::{attribute, attribute_called};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::Located;
use fixtrace_fuzz::elf::{TEXT, loaded, symtab, write};
use fixtrace_fuzz::{ask, fuzz};

const TABLE: u64 = TEXT + 0x10_0000;

/// Names that mean something, and such that do not.
const NAMES: [&str; 8] = [
    "f",
    "f.cold",
    "g",
    "g.isra.0",
    "ex_handler_uaccess",
    ".E_copy",
    "__get_user_handle_exception",
    "__x86_return_thunk",
];

/// `[rows, functions]`, a row as three words of which two are offsets of code, a function as offset and size and a name's
/// number, and the code.
fn one(input: &[u8]) {
    let Some((head, rest)) = input.split_at_checked(2) else {
        return;
    };
    let rows = usize::from(head[0]).min(rest.len() / 8);
    let (table, rest) = rest.split_at(rows * 8);
    let count = usize::from(head[1] % 32).min(rest.len() / 5);
    let (functions, code) = rest.split_at(count * 5);
    let end = code.len() as u64 + 16;
    let word = |b: &[u8], at: usize| u64::from(u16::from_le_bytes([b[at], b[at + 1]]));
    let mut bytes = Vec::new();
    for row in table.chunks_exact(8) {
        for at in [0, 2] {
            let field = TABLE + bytes.len() as u64;
            let target = TEXT + word(row, at) % end;
            bytes.extend((target.wrapping_sub(field) as u32).to_le_bytes());
        }
        bytes.extend(&row[4..8]);
    }
    let function = |f: &[u8]| {
        let name = NAMES[usize::from(f[4] & 7)];
        let global = if f[4] & 8 == 0 { 2 } else { 0x12 };
        let kind = if f[4] & 0x30 == 0x30 { 0x10 } else { global };
        (name, TEXT + word(f, 0) % end, word(f, 2) % end, 1, kind)
    };
    let symbols: Vec<_> = functions.chunks_exact(5).map(function).collect();
    let mut sections = vec![
        loaded(".text", true, TEXT, code),
        loaded("__ex_table", false, TABLE, &bytes),
    ];
    sections.extend(symtab(&symbols, 4));
    let file = write(2, &sections);
    let storage = Storage::new();
    let image = Image::new(ask::parsed(&file, &storage).expect("made well"));
    ask::image(&image, file.len());
    candidates(&image);
}

/// What fixup code goes back to are the functions of rows, or what such code runs into.
fn candidates(image: &Image<'_>) {
    let entries = image.extable().entries();
    let owners: BTreeSet<LinkAddr> = entries.iter().map(|e| e.insn).collect();
    for e in ask::spread(entries, 24) {
        let a = attribute(image, Pc::Exact(e.fixup));
        ask::consistent(&a);
        for origin in a.fixup.iter().flat_map(|f| &f.origins) {
            assert!(
                owners.contains(&origin.address),
                "{} faults",
                origin.address
            );
            // Called from anywhere, it is no more than without that.
        }
        for other in ask::spread(entries, 4) {
            let ret = Located::linked(image, other.insn.offset(1));
            let images = [image];
            let narrowed = attribute_called(image, Pc::Exact(e.fixup), ret, &images);
            ask::consistent(&narrowed);
            assert!(narrowed.candidates.iter().all(|c| a.candidates.contains(c)));
        }
    }
    for block in image.fixups().blocks() {
        assert!(
            block
                .code
                .iter()
                .all(|(at, _)| image.text_section(*at).is_some())
        );
        assert!(block.code.is_sorted());
    }
}

fuzz!(one);
