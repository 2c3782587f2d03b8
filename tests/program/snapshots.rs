//! Stacks of real kernels, recorded in guests of ours, held to what the kernel, gdb and pt_regs said at that moment.
//! `testdata/snapshots/record.py` tells how the tables came to be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::common::{kernels, testdata};
use crate::run::{fixtrace, json, stderr};
use fixtrace::low::base::parallel;
use serde_json::Value;

/// Fixups that code and registers leave to several functions: eight divisions of KVM's emulator share a landing that
/// has cleared the register which told them apart.
const AMBIGUOUS: [&str; 2] = ["5.10-kvm_div-1-s0.fxs.xz", "5.10-kvm_div-1-s1.fxs.xz"];

fn folder() -> PathBuf {
    testdata("snapshots")
}

/// Rows of a table, without its heading.
fn table(name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder().join(name)).expect("a table");
    let row = |line: &str| line.split('\t').map(str::to_owned).collect();
    text.lines().skip(1).map(row).collect()
}

/// As gdb names functions: without what GCC adds for parts and clones. The kernel's name for the entry is a label in it.
fn plain(name: &str) -> &str {
    let cut = [".constprop", ".isra", ".part"]
        .iter()
        .filter_map(|s| name.find(s))
        .min();
    &name[..cut.unwrap_or(name.len())]
}

/// The stacks in `snapshot`.
fn unwind(snapshot: &str, more: &[&str]) -> Vec<Value> {
    let version = snapshot.split('-').next().expect("a version");
    let root = kernels::kernels().join(version);
    let module = |n: &str| {
        let name = format!("modules/lab-{version}-{n}.ko.xz");
        folder().join(name).display().to_string()
    };
    let path = folder().join(snapshot);
    let (debug, modules) = (root.join("debug"), [module("1"), module("2")]);
    let text = |p: &Path| p.display().to_string();
    let mut args = vec![
        "unwind".to_owned(),
        text(&path),
        "--json".to_owned(),
        "--no-lines".to_owned(),
        "-q".to_owned(),
        "--debug-dir".to_owned(),
        text(&debug),
        "--debug-dir".to_owned(),
        text(&root),
    ];
    for m in modules {
        args.extend(["--module".to_owned(), m]);
    }
    args.extend(more.iter().map(|s| (*s).to_owned()));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let out = fixtrace(&args, b"");
    let stacks = json(&out);
    assert!(!stacks.is_empty(), "{snapshot}: {}", stderr(&out));
    stacks
}

fn frames(stack: &Value) -> &[Value] {
    stack["frames"].as_array().expect("frames")
}

fn text<'v>(frame: &'v Value, member: &str) -> &'v str {
    frame[member].as_str().unwrap_or_default()
}

/// What is wrong with the stack of a CPU that was stopped.
fn differences(row: &[String]) -> Option<String> {
    let [snapshot, _, _, from, _, wanted] = row else {
        return Some(format!("{row:?}: six columns are expected"));
    };
    let stacks = unwind(snapshot, &[]);
    let [stack] = &stacks[..] else {
        return Some(format!("{snapshot}: {} stacks", stacks.len()));
    };
    let all = frames(stack);
    let Some(first) = all.iter().position(|f| text(f, "pc") == from) else {
        return Some(format!("{snapshot}: no frame at {from}"));
    };
    let ambiguous = AMBIGUOUS.contains(&&**snapshot);
    // gdb does not cross from every stack to the next: then the table has the beginning only.
    let (wanted, whole) = match wanted.strip_suffix(" ...") {
        Some(beginning) => (beginning, false),
        None => (&**wanted, true),
    };
    let wanted: Vec<&str> = wanted.split(' ').collect();
    let mut got = Vec::new();
    for (i, frame) in all[first..].iter().enumerate() {
        if !whole && i == wanted.len() {
            break;
        }
        let candidates = frame["candidates"].as_array().into_iter().flatten();
        let mut candidates = candidates.filter_map(Value::as_str);
        let wanted = wanted.get(i).copied().unwrap_or("nothing");
        got.push(match frame["function"].as_str() {
            Some(name) => plain(name),
            None if ambiguous && candidates.any(|c| c == wanted) => wanted,
            None => "?",
        });
    }
    if got != wanted {
        let (got, wanted) = (got.join(" "), wanted.join(" "));
        return Some(format!("{snapshot}:\n  got  {got}\n  true {wanted}"));
    }
    let broken = all.iter().any(|f| text(f, "call") == "broken");
    let stop = text(stack, "stop");
    let whole = stack["complete"] == (!ambiguous) && matches!(stop, "end" | "user-mode");
    (broken || !whole).then(|| format!("{snapshot}: {stop}, complete {}", stack["complete"]))
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn stopped_cpus_have_the_functions_that_the_kernel_and_gdb_saw() {
    let rows = table("stops.tsv");
    assert!(rows.len() >= 180, "{} rows", rows.len());
    let wrong: Vec<String> = parallel::map(&rows, |row| differences(row))
        .into_iter()
        .flatten()
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The addresses that `stack_trace_save_tsk_reliable()` gave, by snapshot and thread id.
fn reliable() -> Vec<(String, BTreeMap<u64, String>)> {
    let mut all: BTreeMap<String, BTreeMap<u64, String>> = BTreeMap::new();
    for row in table("tasks.tsv") {
        let [snapshot, pid, addresses] = <[String; 3]>::try_from(row).expect("three columns");
        let pid = pid.parse().expect("a number");
        all.entry(snapshot).or_default().insert(pid, addresses);
    }
    all.into_iter().collect()
}

fn addresses(stack: &Value) -> String {
    let bare = |f: &Value| text(f, "pc").trim_start_matches("0x").to_owned();
    frames(stack).iter().map(bare).collect::<Vec<_>>().join(" ")
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn sleeping_tasks_have_the_addresses_that_the_kernel_calls_reliable() {
    let all = reliable();
    assert!(all.len() >= 15, "{} snapshots", all.len());
    let counts = parallel::map(&all, |(snapshot, wanted)| {
        let (mut equal, mut wrong) = (0, Vec::new());
        for stack in unwind(snapshot, &[]) {
            let pid = stack["pid"].as_u64().expect("a number");
            let broken = frames(&stack).iter().any(|f| text(f, "call") == "broken");
            if broken || stack["complete"] != true {
                wrong.push(format!("{snapshot} {pid}: {}", stack["why"]));
            }
            if let Some(wanted) = wanted.get(&pid).filter(|_| stack["running"] == false) {
                let got = addresses(&stack);
                match got == *wanted {
                    true => equal += 1,
                    false => wrong.push(format!("{snapshot} {pid}: {got}, true {wanted}")),
                }
            }
        }
        (equal, wrong)
    });
    let wrong: Vec<&String> = counts.iter().flat_map(|c| &c.1).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let equal: usize = counts.iter().map(|c| c.0).sum();
    assert!(equal >= 900, "{equal} tasks");
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn each_table_alone_gives_the_stacks_that_both_give() {
    let all = reliable();
    let shares = parallel::map(&all, |(snapshot, _)| {
        let both = unwind(snapshot, &[]);
        let same = |by: &str| {
            let alone = unwind(snapshot, &["--by", by]);
            let same = |(a, b): &(&Value, &Value)| addresses(a) == addresses(b);
            both.iter().zip(&alone).filter(same).count()
        };
        (both.len(), same("orc"), same("cfi"))
    });
    let sum = |part: fn(&(usize, usize, usize)) -> usize| shares.iter().map(part).sum::<usize>();
    let (tasks, orc, cfi) = (sum(|s| s.0), sum(|s| s.1), sum(|s| s.2));
    println!("{tasks} tasks: ORC alone gives {orc} of the stacks, CFI alone {cfi}");
    assert!(orc * 100 >= tasks * 99, "{orc} of {tasks}");
    assert!(cfi * 100 >= tasks * 99, "{cfi} of {tasks}");
}
