//! `unwind --functions` and `--require`, and `livepatch` on a snapshot, as people and scripts meet them.

use std::process::Output;

use serde_json::Value;

use crate::common::schema::{self, conforms};
use crate::common::testdata;
use crate::run::{demo, fixtrace, json, stderr, stdout};

/// A CPU stopped in a fixup of `strncpy_from_user()`.
fn run(verb: &str, args: &[&str]) -> Output {
    let (demo, snapshot) = (demo(), testdata("demo.fxs").display().to_string());
    let mut all = vec![verb, "--vmlinux", &demo, &snapshot];
    all.extend(args);
    fixtrace(&all, b"")
}

#[test]
fn the_origin_of_a_fixup_is_among_the_live_functions() {
    let out = run("unwind", &["--functions"]);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    insta::assert_snapshot!(stdout(&out));
    let stacks = json(&run("unwind", &["--json"]));
    let functions = stacks[0]["functions"].as_array().expect("functions");
    let first = &functions[0];
    assert_eq!(
        (&first["name"], &first["why"], &first["frame"]),
        (
            &Value::from("strncpy_from_user"),
            &Value::from("fixup"),
            &Value::from(0)
        )
    );
}

#[test]
fn a_task_that_runs_does_not_meet_what_is_required() {
    for verdict in ["reliable", "complete"] {
        let out = run("unwind", &["--require", verdict]);
        assert_eq!(out.status.code(), Some(1));
        let said = stderr(&out);
        assert!(said.contains("it runs"), "{said}");
        assert!(stdout(&out).contains("-- unreliable, "), "{}", stdout(&out));
    }
    let stacks = json(&run("unwind", &["--json"]));
    assert_eq!(stacks[0]["reliable"], false);
}

#[test]
fn what_is_required_of_chosen_tasks_only_counts_for_them() {
    let out = run("unwind", &["--require", "complete", "--sleeping"]);
    let said = stderr(&out);
    assert!(said.contains("no task was chosen"), "{said}");
    assert_eq!(out.status.code(), Some(1));
}

#[test]
fn a_function_that_a_running_task_is_in_is_named() {
    let out = run("livepatch", &["--function", "strncpy_from_user", "--json"]);
    let lines = json(&out);
    let [line] = &lines[..] else {
        panic!("{}", stderr(&out))
    };
    conforms(line, &schema::read("livepatch.json"), "livepatch");
    assert_eq!(line["verdict"], "running");
    assert_eq!(line["function"], "strncpy_from_user");
    assert_eq!(line["via"], "fixup");
    assert_eq!(out.status.code(), Some(0));
}

#[test]
fn a_function_that_is_not_there_is_refused() {
    let out = run("livepatch", &["--function", "no_such_function", "--json"]);
    assert_eq!(out.status.code(), Some(1));
    let lines = json(&out);
    conforms(&lines[0], &schema::read("livepatch.json"), "livepatch");
    assert_eq!(lines[0]["verdict"], "refused");
    let why = lines[0]["why"].as_str().expect("why");
    assert!(
        why.contains("symbol 'no_such_function' not found in symbol table"),
        "{why}"
    );
}

#[test]
fn a_snapshot_tells_of_no_transition() {
    let out = run("livepatch", &[]);
    assert_eq!(out.status.code(), Some(2));
    let said = stderr(&out);
    assert!(
        said.contains("--patch LIVEPATCH.ko or --function NAME"),
        "{said}"
    );
}

#[test]
fn a_module_that_is_no_livepatch_is_refused() {
    let module = testdata("fixtures/dwarf/gcc-5.ko").display().to_string();
    let out = run("livepatch", &["--patch", &module]);
    assert_eq!(out.status.code(), Some(2));
    let said = stderr(&out);
    assert!(said.contains("is no livepatch, or nothing tells"), "{said}");
}
