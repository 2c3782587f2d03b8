//! Sizes for symbols that came without: a `System.map` tells where functions begin, the code tells where they end.
//!
//! A function reaches to the next one. Between them may stand *labels*, which begin nothing (`labels.rs`), and *tails*,
//! code behind the function's own that others end up in (`tails.rs`). Padding counts as the function before it.

mod functions;
mod labels;
mod tails;

use crate::base::addr::{Address, LinkAddr};
use crate::base::error::Result;
use crate::formats::extable::ExTable;
use crate::formats::image::ElfImage;
use crate::formats::image::names::is_edge;
use functions::{Function, Functions};
use labels::Labels;

/// Takes the symbols of a `System.map` or `/proc/kallsyms` text instead of those that `image` has.
///
/// # Errors
///
/// When no code symbol of this image is in it, or all its addresses are hidden.
pub fn use_symbol_text<'d>(image: &mut ElfImage<'d>, text: &'d [u8]) -> Result<()> {
    image.take_symbol_text(text)?;
    measure(image);
    Ok(())
}

/// Gives the symbols of `image`, which are from a text, the sizes that its code tells.
fn measure(image: &mut ElfImage<'_>) {
    let mut functions = from_starts(image);
    tails::cut(image, &ExTable::of(image), &mut functions);
    let mut sizes = vec![0; image.symbols().len()];
    for f in &functions.0 {
        let size = f.end.since(f.start).unwrap_or(0);
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        for row in f.rows.clone().filter(|row| names_function(image, *row)) {
            sizes[row] = size;
        }
    }
    image.resize_symbols(&sizes);
}

/// Whether the symbol in `row` can name a function: no label of the assembler's, no edge of a region.
fn names_function(image: &ElfImage<'_>, row: usize) -> bool {
    let name = image.symbols().name_in(row);
    !name.starts_with('.') && !is_edge(name) && !labels::is_known(name)
}

/// The functions of `image`, each up to the next or to the end of its section.
fn from_starts(image: &ElfImage<'_>) -> Functions {
    let labels = Labels::new(image);
    let mut functions: Vec<Function> = Vec::new();
    let mut open = false;
    let mut before = None;
    let mut section_end = LinkAddr(0);
    for (at, rows) in image.symbols().places() {
        let section = image.text_section(at);
        let whole = section.and_then(|s| s.addr?.0.checked_add(s.size));
        let end = whole.map_or(at, LinkAddr);
        let next_section = end != section_end;
        section_end = end;
        let begins = rows.clone().any(|row| names_function(image, row))
            && (next_section || !before.is_some_and(|b| labels.is_label(b, at, rows.clone())));
        let ends = begins
            || next_section
            || rows
                .clone()
                .any(|row| is_edge(image.symbols().name_in(row)));
        if let (true, Some(last)) = (ends && open, functions.last_mut()) {
            last.end = last.end.min(at);
        }
        open = begins || open && !ends;
        if begins {
            functions.push(Function {
                start: at,
                end,
                rows,
            });
        }
        before = Some(at);
    }
    Functions(functions)
}
