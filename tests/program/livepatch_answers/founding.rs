//! What this is all for: functions that the kernel's check does not see, although tasks are in them.

use serde_json::Value;

use super::MAIN;
use super::boot::{Boot, Dump, key, list, text};
use super::compare::Asked;
use crate::run::json;

fn before(boot: &Boot) -> Dump {
    boot.dump("pre").expect("a dump of before")
}

/// What `livepatch --patch` says of `comm` before the patch of `moment`.
fn said(boot: &Boot, moment: &str, comm: &str) -> Value {
    let case = &boot.case(moment);
    let (inside, named) = (false, true);
    let lines = Asked {
        boot,
        case,
        inside,
        named,
    }
    .lines(&before(boot));
    let found = lines.into_iter().find(|l| l["comm"] == comm);
    found.unwrap_or_else(|| panic!("{}: no {comm}", boot.name))
}

/// The functions that are live in the stack of `comm`: name, why.
fn live(boot: &Boot, comm: &str) -> Vec<(String, String)> {
    let stacks = json(&boot.run("unwind", &before(boot), &[]));
    let stack = stacks.iter().find(|s| s["comm"] == comm).expect("a stack");
    let all = list(&stack["functions"]).iter();
    all.map(|f| (text(&f["name"]).to_owned(), text(&f["why"]).to_owned()))
        .collect()
}

/// The kernel called the stack of `comm` reliable, found nothing in it of the only function that the patch of `moment`
/// replaces, switched it, and completed the transition, while the task is in that function; `livepatch` says so.
pub fn hidden(boot: &Boot, moment: &str, comm: &str, (function, via): (&str, &str)) {
    let name = format!("{} {moment} {comm}", boot.name);
    let case = boot.case(moment);
    let answer = case.task(comm);
    assert!(case.completed(), "{name}");
    assert_eq!(answer.0["kernel"], "switched", "{name}");
    let [patched] = case.patched() else {
        panic!("{name}: one function")
    };
    assert_eq!(patched[1], function, "{name}");
    let entries = boot.entries(&answer.0["stack"]);
    assert_eq!(answer.0["reliable"], entries.len(), "{name}");
    let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("hex");
    let start = hex(text(&patched[3]));
    let old = start..start + patched[4].as_u64().expect("a size");
    assert!(!entries.iter().any(|e| old.contains(&hex(e))), "{name}");

    let said = said(boot, moment, comm);
    assert_eq!(said["kernel"]["check"], "safe", "{name}");
    let ours = [&said["verdict"], &said["function"], &said["via"]];
    assert_eq!(ours, ["hidden", function, via], "{name}");
    let live = live(boot, comm);
    assert!(
        live.iter().any(|(f, why)| f == function && why == via),
        "{name}: {live:?}"
    );
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn a_task_in_a_fixup_of_a_patched_function_is_hidden_from_the_kernel() {
    for boot in MAIN.map(Boot::tree) {
        for comm in ["k/fixcall", "l_fixcall"] {
            hidden(&boot, "kp_fixonly", comm, ("k_fix_call", "fixup"));
        }
        // The kernel takes the fixup for a part of what is before .fixup.
        let stack = &boot.case("kp_fixonly").task("k/fixcall").0["stack"];
        let printed = boot.symbols(stack);
        let other = match boot.kernel.as_str() {
            "7.2" => "k_run.cold+",
            _ => "k_twin_b+",
        };
        assert!(printed.iter().any(|s| s.starts_with(other)), "{printed:?}");
        assert!(
            !printed.iter().any(|s| s.starts_with("k_fix_call+")),
            "{printed:?}"
        );
    }
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn getrandom_waits_in_a_cold_part_on_every_kernel_and_a_patch_of_it_completes() {
    for boot in MAIN.map(Boot::tree) {
        let function = "wait_for_random_bytes";
        hidden(&boot, "kp_randonly", "random", (function, "cold"));
        let stack = &boot.case("kp_randonly").task("random").0["stack"];
        let cold = |s: &&str| s.starts_with("wait_for_random_bytes.cold+");
        assert_eq!(
            boot.symbols(stack).into_iter().filter(cold).count(),
            1,
            "{}",
            boot.name
        );
    }
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn a_bpf_program_is_walked_by_no_kernel_and_a_trampoline_by_7_2() {
    for name in ["5.10-bpf", "6.1-bpf", "6.12-bpf", "7.2-bpf"] {
        let boot = Boot::tree(name);
        let stacks = json(&boot.run("unwind", &before(&boot), &[]));
        let answers = list(&boot.answers["pre"]);
        for (comm, walked) in [("b_bpf", false), ("b_fexit", name == "7.2-bpf")] {
            let Some(answer) = answers.iter().find(|a| a[1] == comm) else {
                // There is no program that can sleep.
                assert_eq!((name, comm), ("5.10-bpf", "b_bpf"));
                continue;
            };
            let ours = stacks.iter().find(|s| s["comm"] == comm).expect("a stack");
            let theirs = answer[4].as_i64() > Some(0);
            assert_eq!(
                (theirs, ours["reliable"] == true),
                (walked, walked),
                "{name} {comm}"
            );
            // The kernel gives up; the stack is all there.
            assert_eq!(ours["complete"], true, "{name} {comm}");
        }
        // The function above the trampoline.
        let said = said(&boot, "kp_select", "b_fexit");
        let expected = boot.case("kp_select").task("b_fexit").expected();
        let wanted = if name == "7.2-bpf" {
            "blocked"
        } else {
            "unreliable"
        };
        assert_eq!(expected, wanted, "{name}");
        assert_eq!(said["verdict"], wanted, "{name}");
    }
}

/// Who is blocked, and in what.
type Blocked = Vec<(String, String)>;

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn the_task_that_stalls_a_transition_is_the_one_that_the_kernel_names() {
    let (mut transitions, mut named) = (0, 0);
    for boot in Boot::in_tree() {
        for case in boot.cases().iter().filter(|c| c.open()) {
            // From memory within it, without the patch; and from memory before it.
            let (inside, dump) = match boot.dump(case.moment()) {
                Some(dump) => (true, dump),
                None if case.on_what_was_before() => (false, before(&boot)),
                None => continue,
            };
            let boot = &boot;
            let asked = Asked {
                boot,
                case,
                inside,
                named: !inside,
            };
            let lines = asked.lines(&dump);
            let blocked = lines.iter().filter(|l| l["kernel"]["check"] == "blocked");
            let ours: Blocked = blocked
                // Idle tasks are switched without being asked; `zz` came when the kernel had tried.
                .filter(|l| l["kind"] != "idle" && l["comm"] != "zz")
                .map(|l| (key(l), text(&l["kernel"]["function"]).to_owned()))
                .collect();
            let blocked = case.tasks().filter(|t| t.0["kernel"] == "blocked");
            let theirs: Blocked = blocked
                .map(|t| (t.key(), t.sleeps_in().expect("a function").to_owned()))
                .collect();
            assert_eq!(ours, theirs, "{} {}", boot.name, case.moment());
            transitions += 1;
            named += theirs.len();
        }
    }
    println!("{transitions} transitions, {named} tasks");
    assert!(transitions >= 70 && named >= 150, "{transitions} {named}");
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn a_livepatch_is_live_in_the_stack_of_who_called_what_it_replaced() {
    let boot = Boot::in_tree().into_iter().find(|b| b.name == "5.10-kaslr");
    let boot = boot.expect("5.10-kaslr");
    let dump = boot.dump("kp_new-off").expect("a dump");
    let stacks = json(&boot.run("unwind", &dump, &[]));
    for comm in ["k/late", "l_late"] {
        let stack = stacks.iter().find(|s| s["comm"] == comm).expect("a stack");
        // The call before it is of `k_late`, from which the tracer diverts.
        assert_eq!(stack["complete"], true, "{comm}: {}", stack["why"]);
        let functions = list(&stack["functions"]).iter();
        let names: Vec<&str> = functions.map(|f| text(&f["name"])).collect();
        assert!(names.contains(&"new_late"), "{comm}: {names:?}");
        assert!(!names.contains(&"k_late"), "{comm}: {names:?}");
    }
}
