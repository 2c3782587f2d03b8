//! `livepatch --log` and `symbolize --require`: texts of stacks judged as dumps are, held to what the kernels answered.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::common::kernels::vmlinux_path;
use crate::common::schema::{self, conforms};
use crate::common::testdata;
use crate::run::{demo, fixtrace, json, stderr, stdout};
use serde_json::Value;

fn text(name: &str) -> String {
    let path = testdata("livepatch/text").join(name);
    path.display().to_string()
}

#[test]
fn a_collection_names_the_task_of_each_stack() {
    let log = text("5.10-kp_rand.txt");
    let args = ["symbolize", "--json", "--no-lines", "-q", "--force"];
    let out = fixtrace(&[&args[..], &["--vmlinux", &demo(), &log]].concat(), b"");
    let all = json(&out);
    // Without those that run or have ended: their files are empty.
    assert_eq!(all.len(), 38);
    assert!(
        all.iter()
            .all(|r| r["pid"].is_u64() && r["comm"].is_string())
    );
    let schema = schema::read("oops.json");
    for report in &all {
        for name in ["reliable", "complete", "why", "functions"] {
            conforms(&report[name], &schema["properties"][name], name);
        }
    }
}

#[test]
fn what_is_required_is_marked_and_can_be_taken_away_again() {
    let log = std::fs::read_to_string(text("5.10-kp_rand.txt")).expect("a log");
    let image = demo();
    let args = [
        "symbolize",
        "--no-lines",
        "--force",
        "--require",
        "reliable",
    ];
    let out = fixtrace(
        &[&args[..], &["--vmlinux", &image]].concat(),
        log.as_bytes(),
    );
    assert_eq!(out.status.code(), Some(3), "{}", stderr(&out));
    assert!(stderr(&out).contains("of 38 stacks are not reliable"));
    assert!(stderr(&out).contains(": PID 119 random: "));
    let marked = stdout(&out);
    let marks = marked.lines().filter(|l| l.starts_with("  => verdict: "));
    assert_eq!(marks.count(), 38);
    let lines = marked.lines().filter(|l| !l.starts_with("  => "));
    let kept: String = lines.flat_map(|l| [l, "\n"]).collect();
    assert_eq!(kept, log);
}

#[test]
fn a_log_alone_is_not_enough() {
    let log = text("5.10-kp_rand.txt");
    let out = fixtrace(&["livepatch", "--log", &log], b"");
    assert_eq!(out.status.code(), Some(2));
    assert!(stderr(&out).contains("name it: --patch LIVEPATCH.ko or --function NAME"));
}

/// What is told of each task of `log`, a kernel of `version` having `functions` patched.
fn told(version: &str, log: &str, functions: &[String]) -> BTreeMap<u64, Value> {
    let image = vmlinux_path(version).display().to_string();
    let mut args = vec![
        "livepatch",
        "--json",
        "--no-lines",
        "-q",
        "--vmlinux",
        &image,
    ];
    args.extend(functions.iter().flat_map(|f| ["--function", f]));
    args.extend(["--log", log]);
    let out = fixtrace(&args, b"");
    let schema = schema::read("livepatch.json");
    let mut all = BTreeMap::new();
    for line in json(&out) {
        conforms(&line, &schema, "task");
        all.insert(line["pid"].as_u64().expect("a PID"), line);
    }
    assert!(!all.is_empty(), "{}", stderr(&out));
    all
}

#[test]
#[ignore = "needs the real kernels"]
fn a_function_behind_its_cold_part_is_found_in_a_text() {
    let functions = ["wait_for_random_bytes", "do_epoll_wait"].map(str::to_owned);
    let all = told("5.10", &text("5.10-kp_rand.txt"), &functions);
    let verdict = |pid| all[&pid]["verdict"].as_str().expect("a verdict");
    assert_eq!(
        (verdict(119), &all[&119]["via"]),
        ("hidden", &"cold".into())
    );
    assert_eq!(verdict(124), "blocked");
    let said = &all[&124]["kernel"];
    assert_eq!(
        (&said["said"], &said["said_function"]),
        (&"blocked".into(), &"do_epoll_wait".into())
    );
    // Nothing is shown of what runs; the kernel knows.
    assert_eq!(
        (verdict(117), &all[&117]["kernel"]["said"]),
        ("undecided", &"running".into())
    );
    // One that has ended.
    assert_eq!(verdict(138), "undecided");
    // Who made the collection.
    assert_eq!(verdict(1), "running");
    let modules = 132..=147;
    for (pid, task) in all
        .iter()
        .filter(|(p, _)| ![1, 117, 119, 124, 138].contains(*p))
    {
        let expected = if modules.contains(pid) {
            "undecided"
        } else {
            "safe"
        };
        assert_eq!(task["verdict"], expected, "{task}");
    }
}

/// The stacks that a kernel called reliable, as `sysrq-t` prints them; with those of which frames are of modules.
fn printed(answers: &Value) -> (String, Vec<u64>) {
    let (mut log, mut modules) = (String::new(), Vec::new());
    for task in answers["pre"].as_array().expect("tasks") {
        let pid: u64 = task[0].as_str().and_then(|p| p.parse().ok()).unwrap_or(0);
        let frames = answers["stacks"][task[5].as_u64().unwrap_or(u64::MAX) as usize].as_array();
        let (Some(frames), false, Some(1..)) = (frames, task[3] == 1, task[4].as_i64()) else {
            continue;
        };
        if pid == 0 {
            continue;
        }
        let comm = task[1].as_str().expect("a name");
        let _ = writeln!(
            log,
            "task:{comm:<15} state:S stack:0     pid:{pid:<5} ppid:0      flags:0x00000000"
        );
        log.push_str("Call Trace:\n");
        let mut exact = false;
        for frame in frames.iter().filter_map(Value::as_str) {
            let (_, place) = frame.split_once(' ').expect("a place");
            let begin = if exact { "RIP: 0010:" } else { " " };
            exact = place.starts_with("asm_exc_");
            let _ = writeln!(log, "{begin}{place}");
        }
        if frames
            .iter()
            .any(|f| f.as_str().is_some_and(|f| f.ends_with(']')))
        {
            modules.push(pid);
        }
    }
    (log, modules)
}

/// Texts of what four kernels called reliable, with every patch of functions of the kernel proper that they were given.
#[test]
#[ignore = "needs the real kernels"]
fn texts_are_judged_as_the_kernels_answered() {
    let mut compared = 0;
    for version in ["5.10", "6.1", "6.12", "7.2"] {
        let path = testdata(&format!("livepatch/answers/{version}.json"));
        let answers = std::fs::read_to_string(path).expect("answers");
        let answers: Value = serde_json::from_str(&answers).expect("JSON");
        let (log, modules) = printed(&answers);
        let file =
            std::env::temp_dir().join(format!("fixtrace-text-{version}-{}", std::process::id()));
        std::fs::write(&file, &log).expect("a file");
        for case in answers["cases"].as_array().expect("cases") {
            let patched = case["patched"].as_array().into_iter().flatten();
            let functions: Option<Vec<String>> = patched
                .map(|f| {
                    let own = f[0] == "vmlinux";
                    own.then(|| format!("{},{}", f[1].as_str().unwrap_or_default(), f[2]))
                })
                .collect();
            let Some(functions) = functions.filter(|f| !f.is_empty()) else {
                continue;
            };
            let all = told(version, &file.display().to_string(), &functions);
            let mut expected = BTreeMap::new();
            for task in case["tasks"].as_array().into_iter().flatten() {
                expected.insert(task["pid"].as_u64(), task);
            }
            for (pid, task) in all.iter().filter(|(p, _)| !modules.contains(p)) {
                let own = expected.get(&Some(*pid));
                let verdict = own.map_or("safe", |t| t["expected"].as_str().expect("a verdict"));
                let what = format!("{version} {} {task}", case["moment"]);
                // It ran at that time, or is the one that was asked about later.
                if verdict == "running" || own.is_some_and(|t| t["on_cpu"] == 1) {
                    continue;
                }
                assert_eq!(task["verdict"], verdict, "{what}");
                if let Some(via) = own.and_then(|t| t.get("via")) {
                    assert_eq!(&task["via"], via, "{what}");
                }
                compared += 1;
            }
        }
        let _ = std::fs::remove_file(file);
    }
    assert!(compared > 1000, "{compared}");
    eprintln!("{compared} tasks of texts are as the kernels answered");
}
