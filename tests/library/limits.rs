//! What inputs may cost is said in one place: the tables that people read are the one that the code has.

use fixtrace::low::base::limits::Limits;

/// The rows of the table, as Markdown.
fn rows() -> String {
    let row = |l: &fixtrace::Limit| format!("| `{}` | {} | {} |\n", l.name, l.shown(), l.what);
    Limits::TABLE.iter().map(row).collect()
}

fn held(file: &str, prefix: &str) {
    let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("a text of the tree");
    let wanted: String = rows().lines().map(|l| format!("{prefix}{l}\n")).collect();
    assert!(
        text.contains(&wanted),
        "{file} has not these rows:\n{wanted}"
    );
}

#[test]
fn the_readme_tells_every_limit_and_its_default() {
    held("README.md", "");
}

#[test]
fn the_map_of_the_library_tells_every_limit_and_its_default() {
    held("src/lib.rs", "//! ");
}
