//! Prints the header of the C interface: what stands at its head is the text of the room in Rust.
//!
//!   cargo run --manifest-path tests/embed/Cargo.toml > src/capi/fixtrace.h

use std::error::Error;
use std::fs;
use std::io::{Write, stdout};
use std::path::Path;

use cbindgen::{Builder, Config, DocumentationStyle, Language, SortKey, Style};

/// The files, in the order that a reader wants them.
const FILES: [&str; 9] = [
    "about", "error", "text", "options", "session", "frames", "regs", "stack", "log",
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/capi");
    let config = Config {
        language: Language::C,
        style: Style::Both,
        cpp_compat: true,
        include_guard: Some("FIXTRACE_H".into()),
        no_includes: true,
        sys_includes: ["stdbool.h", "stddef.h", "stdint.h"].map(Into::into).into(),
        usize_is_size_t: true,
        documentation_style: DocumentationStyle::C99,
        // The order of the files, and of what stands in them.
        sort_by: SortKey::None,
        line_length: 120,
        header: Some(head(&fs::read_to_string(folder.join("mod.rs"))?)),
        ..Config::default()
    };
    let mut builder = Builder::new().with_config(config);
    for file in FILES {
        builder = builder.with_src(folder.join(file).with_extension("rs"));
    }
    let mut header = Vec::new();
    builder.generate()?.write(&mut header);
    stdout().write_all(&header)?;
    Ok(())
}

/// The text at the head of `source`, as a comment.
fn head(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let mut head = String::from("/*\n");
    for line in lines {
        head.push_str(format!(" *{line}").trim_end());
        head.push('\n');
    }
    head + " *\n * Made by tests/embed from src/capi; it is not edited by hand.\n */"
}
