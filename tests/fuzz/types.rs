//! Types, out of BTF and DWARF: layouts of the structures that dumps are read by.
#![no_main]

use fixtrace::low::formats::image::Storage;
use fixtrace::low::formats::types::Types;
use fixtrace::low::formats::types::btf::Btf;
use fixtrace::low::formats::types::kept::Question;
use fixtrace::low::world::dump::asked;
use fixtrace_fuzz::{ask, fuzz, parts};

/// Paths with what the kernel's own do not have.
const MORE: [(&str, &str); 8] = [
    ("task_struct", "thread.sp[1]"),
    ("task_struct", "usage.counter"),
    ("task_struct", "wide"),
    ("late", "usage[1]"),
    ("late", "task"),
    ("early", "nowhere"),
    ("task_struct", ""),
    ("", "x[4294967295]"),
];

fn one(input: &[u8]) {
    let bytes = parts::image(input);
    let storage = Storage::new();
    let image = ask::parsed(&bytes, &storage).expect("made well");
    let of_btf = image.section(".BTF").and_then(|s| Btf::parse(s.data));
    if let Some(btf) = &of_btf {
        assert!(btf.len() <= 1 + input.len() / 12);
        assert_eq!(btf.is_empty(), btf.len() <= 1);
        if let Some(number) = btf.composite("task_struct") {
            assert!(btf.member_names(number).len() <= input.len() / 12);
        }
    }
    for types in [Types::of(&image), Types::from_dwarf(&image)]
        .into_iter()
        .flatten()
    {
        let answers: Vec<String> = asked::questions().map(|q| answer(&types, q)).collect();
        let again: Vec<String> = asked::questions().map(|q| answer(&types, q)).collect();
        assert_eq!(answers, again);
        for (structure, path) in MORE {
            let field = types.field(structure, path);
            assert_eq!(types.offset(structure, path), field.map(|f| f.offset));
            let _ = types.length(structure, path);
            let _ = types.is_pointer_to(structure, path, "task_struct");
        }
    }
}

fn answer(types: &Types<'_>, question: Question<'_>) -> String {
    match question {
        Question::Field(s, path) => format!("{:?}", types.field(s, path)),
        Question::Length(s, path) => format!("{:?}", types.length(s, path)),
        Question::Size(s) => format!("{:?}", types.size(s)),
        Question::Enumerator(e) => format!("{:?}", types.enumerator(e)),
        Question::Pointer(s, m, t) => format!("{:?}", types.is_pointer_to(s, m, t)),
    }
}

fuzz!(one);
