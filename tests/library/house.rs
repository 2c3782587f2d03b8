//! The house keeps its rules: floors, a room for each third-party crate, one place that subtracts one from an address.
//! Circles are found by `testdata/house.py`.

use std::path::Path;

/// Lower ones first: none names one that comes later.
const ORDERS: [&[&str]; 2] = [
    &["base", "formats", "world", "engine", "products", "capi"],
    &[
        "products/oops/read",
        "products/oops/code",
        "products/oops/truth",
    ],
];

/// Third-party crates, and the room of each: a folder or a file.
const ROOMS: [(&str, &str); 26] = [
    ("addr2line", "formats/dwarf/second.rs"),
    ("aho_corasick", "base/words.rs"),
    ("anstream", "cli/out.rs"),
    ("anstyle", "cli/out.rs"),
    ("clap", "cli"),
    ("crc32fast", "world/index/checksum.rs"),
    ("flate2", "formats/image/packing"),
    ("framehop", "formats/cfi/second.rs"),
    ("gimli", "formats/dwarf"),
    ("hashbrown", "base/strings.rs"),
    ("iced_x86", "formats/insn"),
    ("libc", "cli/signals.rs"),
    ("lz4_flex", "formats/image/packing"),
    ("lzma_rust2", "formats/image/packing"),
    ("memchr", "base/bytes.rs"),
    ("memmap2", "formats/image/storage.rs"),
    ("object", "formats/image"),
    ("rustc_demangle", "base/demangle.rs"),
    ("rustix", "base"),
    ("ruzstd", "formats/image/packing"),
    ("self_cell", "world/session/view.rs"),
    ("serde", "products/report"),
    ("serde_json", "products/report"),
    ("snap", "world/memory/pack.rs"),
    ("tabled", "cli/table.rs"),
    ("toml", "cli/validate/config.rs"),
];

/// Path below `src/` and code, without comments, of every file.
fn sources(folder: &str) -> Vec<(String, String)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    let mut pending = vec![top.clone()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a folder").flatten();
            pending.extend(entries.map(|e| e.path()));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).expect("text");
            let code: Vec<&str> = text.lines().filter_map(|l| l.split("//").next()).collect();
            let name = path.strip_prefix(&top).expect("below").display();
            found.push((name.to_string(), code.join("\n")));
        }
    }
    found
}

/// Whether `path` is `room`, or in it.
fn is_in(path: &str, room: &str) -> bool {
    path.strip_prefix(room)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether `code` has a path that begins with `name`.
fn names(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    let alone =
        |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
    code.match_indices(&path).any(|(at, _)| alone(at))
}

#[test]
fn no_lower_floor_names_a_higher_one() {
    let all = sources("src");
    for order in ORDERS {
        for (n, floor) in order.iter().enumerate() {
            let own = all.iter().filter(|(path, _)| is_in(path, floor));
            assert!(own.clone().count() > 5, "{floor}");
            for (path, code) in own {
                for higher in &order[n + 1..] {
                    let whole = format!("crate::{}", higher.replace('/', "::"));
                    let last = higher.rsplit('/').next().expect("a name");
                    let near = format!("super::{last}");
                    assert!(
                        !names(code, &whole) && !code.contains(&near),
                        "{path}: {higher}"
                    );
                }
            }
        }
    }
}

/// Names of the crates in a section of the manifest, as code has them.
fn dependencies(section: &str) -> Vec<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).expect("the manifest");
    let (_, lines) = manifest.split_once(section).expect("the section");
    let lines = lines.lines().skip(1).take_while(|l| !l.starts_with('['));
    lines
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| Some(l.split_once(" = ")?.0.replace('-', "_")))
        .collect()
}

#[test]
fn each_crate_is_named_in_its_room_and_in_no_other() {
    let all = sources("src");
    let mut needed = dependencies("[dependencies]");
    needed.extend(dependencies(
        "[target.'cfg(target_os = \"linux\")'.dependencies]",
    ));
    needed.sort();
    assert_eq!(
        needed,
        ROOMS.map(|(krate, _)| krate),
        "each dependency has its room"
    );
    for (krate, room) in ROOMS {
        let users: Vec<&str> = (all.iter().filter(|(_, code)| names(code, krate)))
            .map(|(path, _)| path.as_str())
            .collect();
        assert!(!users.is_empty(), "{krate} is used by nothing");
        for user in &users {
            assert!(is_in(user, room), "{krate}: {user}");
        }
    }
}

#[test]
fn what_only_tests_depend_on_is_used_by_them() {
    let all = sources("tests");
    for krate in dependencies("[dev-dependencies]") {
        assert!(all.iter().any(|(_, code)| names(code, &krate)), "{krate}");
    }
}

#[test]
fn one_place_subtracts_one_from_a_return_address() {
    let by_hand = |code: &str| code.contains(".offset(-1)") || code.contains(".offset(1)");
    let all = sources("src");
    let found: Vec<&str> = (all.iter().filter(|(_, code)| by_hand(code)))
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(found, ["base/addr.rs"]);
}

#[test]
fn what_is_unsafe_has_its_rooms() {
    let is_unsafe = |code: &str| {
        ["unsafe {", "unsafe fn", "unsafe("]
            .iter()
            .any(|w| code.contains(w))
    };
    let all = sources("src");
    let mut found: Vec<&str> = (all.iter().filter(|(_, code)| is_unsafe(code)))
        .map(|(path, _)| path.as_str())
        .filter(|path| !is_in(path, "capi"))
        .collect();
    found.sort_unstable();
    // The first duplicates a number of a file that the command line names.
    assert_eq!(
        found,
        [
            "base/output.rs",
            "cli/signals.rs",
            "formats/image/storage.rs"
        ]
    );
}

#[test]
fn one_file_writes_messages_on_standard_error() {
    let writes = |code: &str| {
        ["eprint!", "eprintln!", "stderr()"]
            .iter()
            .any(|w| code.contains(w))
    };
    let all = sources("src");
    let mut found: Vec<&str> = (all.iter().filter(|(_, code)| writes(code)))
        .map(|(path, _)| path.as_str())
        .collect();
    found.sort_unstable();
    // The bar writes no names.
    assert_eq!(found, ["cli/progress.rs", "cli/stderr.rs"]);
}
