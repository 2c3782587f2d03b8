//! `fixtrace unwind` as people and scripts meet it, on a snapshot and an image that are in the tree.

use std::path::PathBuf;
use std::process::Output;

use crate::common::schema::{self, conforms};
use crate::common::testdata;
use crate::run::{demo, fixtrace, json, stderr, stdout};
use proptest::prelude::*;
use serde_json::Value;

/// A CPU stopped in a fixup of `strncpy_from_user()`.
fn snapshot() -> String {
    testdata("demo.fxs").display().to_string()
}

fn unwind(args: &[&str]) -> Output {
    let demo = demo();
    let mut all = vec!["unwind", "--vmlinux", &demo];
    all.extend(args);
    fixtrace(&all, b"")
}

/// A file of this test's own.
fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Functions of a stack; a label without a size, which the demo image has at the entry, by its name.
fn names(stack: &Value) -> Vec<&str> {
    let frames = stack["frames"].as_array().expect("frames");
    let named = frames.iter().map(|f| match f["function"].is_null() {
        true => &f["symbol"]["name"],
        false => &f["function"],
    });
    named.filter_map(Value::as_str).collect()
}

#[test]
fn a_stack_through_a_fixup_as_people_read_it() {
    let out = unwind(&[&snapshot()]);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    insta::assert_snapshot!(stdout(&out));
}

#[test]
fn stacks_as_json_are_as_the_schema_says() {
    let mut trace = schema::read("trace.json");
    let frame = schema::read("frame.json");
    let items = trace
        .pointer_mut("/properties/frames/items")
        .expect("items");
    for (name, part) in frame["properties"].as_object().expect("an object") {
        items["properties"][name] = part.clone();
    }
    let required = items["required"].as_array_mut().expect("a list");
    required.extend(
        frame["required"]
            .as_array()
            .expect("a list")
            .iter()
            .cloned(),
    );
    let out = unwind(&[&snapshot(), "--json"]);
    let stacks = json(&out);
    let [stack] = &stacks[..] else {
        panic!("{}", stderr(&out))
    };
    conforms(stack, &trace, "trace");
    // What the kernel printed when it was interrupted at this very instruction, and the function that had faulted.
    assert_eq!(
        names(stack),
        [
            "strncpy_from_user",
            "getname_flags.part.0",
            "do_sys_openat2",
            "__x64_sys_openat",
            "do_syscall_64",
            "entry_SYSCALL_64_after_hwframe"
        ]
    );
    assert_eq!(
        stack["frames"][0]["symbol"]["name"],
        "__static_call_text_end"
    );
    assert_eq!(stack["stop"], "user-mode");
}

#[test]
fn folded_stacks_are_counted() {
    let out = unwind(&[&snapshot(), "--format", "folded"]);
    assert_eq!(
        stdout(&out),
        "trig;entry_SYSCALL_64_after_hwframe;do_syscall_64;__x64_sys_openat;do_sys_openat2;\
         getname_flags.part.0;strncpy_from_user 1\n"
    );
}

#[test]
fn tasks_are_chosen_by_number_name_and_cpu() {
    for (args, code) in [
        (&["--pid", "165"][..], 0),
        (&["--comm", "tr*"], 0),
        (&["--cpu", "0"], 0),
        (&["--running"], 0),
        (&["--pid", "1"], 1),
        (&["--comm", "tri"], 1),
        (&["--cpu", "1"], 1),
    ] {
        let mut all = vec![];
        let snapshot = snapshot();
        all.push(&*snapshot);
        all.extend(args);
        let out = unwind(&all);
        assert_eq!(out.status.code(), Some(code), "{args:?}: {}", stderr(&out));
        assert_eq!(stdout(&out).is_empty(), code == 1, "{args:?}");
    }
}

#[test]
fn a_snapshot_of_a_snapshot_unwinds_to_the_same() {
    let copy = scratch("copy.fxs");
    let copy = copy.display().to_string();
    let first = unwind(&[&snapshot(), "--snapshot", &copy]);
    let second = unwind(&[&copy]);
    assert_eq!(stdout(&first), stdout(&second), "{}", stderr(&second));
    assert!(!stdout(&first).is_empty());
}

#[test]
fn registers_and_memory_given_by_hand_are_enough() {
    // do_syscall_64() calls: a return address into entry_SYSCALL_64_after_hwframe, and a pt_regs behind it.
    let address = |name: &str| {
        let out = fixtrace(&["lookup", "--vmlinux", &demo(), "--json", name], b"");
        let frame = json(&out).remove(0);
        let text = frame["pc"].as_str().expect("an address");
        u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("hexadecimal")
    };
    let sp = 0xffff_c900_0000_0000u64;
    let mut words = vec![0, address("entry_SYSCALL_64_after_hwframe+0x67")];
    words.extend([0; 16]);
    // ip cs flags sp ss
    words.extend([0x40_1000, 0x33, 0x202, 0x7ffe_0000, 0x2b]);
    let memory: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let file = scratch("stack.bin");
    std::fs::write(&file, memory).expect("written");
    let regs = format!("rip={:x},rsp={:x}", address("do_syscall_64+0x30"), sp);
    let memory = format!("{}@{sp:x}", file.display());
    let out = unwind(&["-r", &regs, "--memory", &memory, "--return", "--json"]);
    let stacks = json(&out);
    assert_eq!(
        names(&stacks[0]),
        ["do_syscall_64", "entry_SYSCALL_64_after_hwframe"]
    );
    assert_eq!(stacks[0]["stop_detail"], "user mode at 0x401000");
}

#[test]
fn wrong_usage_says_what_was_expected() {
    let missing = scratch("no-such-dump").display().to_string();
    let text = testdata("oops/5.10-copy-user.txt").display().to_string();
    for (args, expected) in [
        (&["-r", "rip=1"][..], "rsp is missing"),
        (&["-r", "rsp=1,rxx=2"], "no such register"),
        (&["-r", "rsp=zz"], "rsp=zz"),
        (&["-r", "rsp=1", "--memory", "nowhere"], "no FILE@ADDR"),
        (&[&missing], "no-such-dump"),
        (&[&text], "neither an ELF core nor a kdump file"),
        (&[], "required"),
    ] {
        let out = unwind(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(
            stderr(&out).contains(expected),
            "{args:?}: {}",
            stderr(&out)
        );
        assert!(stdout(&out).is_empty());
    }
}

#[test]
fn a_snapshot_cut_short_gives_what_is_left() {
    let whole = std::fs::read(snapshot()).expect("in the tree");
    let cut = scratch("cut.fxs");
    std::fs::write(&cut, &whole[..whole.len() - 300]).expect("written");
    let out = unwind(&[&cut.display().to_string()]);
    assert!(
        stdout(&out).contains("strncpy_from_user (fixup)"),
        "{}",
        stderr(&out)
    );
    assert!(stderr(&out).contains("is cut off"), "{}", stderr(&out));
    std::fs::write(&cut, &whole[..200]).expect("written");
    let out = unwind(&[&cut.display().to_string()]);
    assert_eq!(out.status.code(), Some(2));
    assert!(stderr(&out).contains("cut short"), "{}", stderr(&out));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_damaged_snapshot_is_read_or_refused(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = std::fs::read(testdata("demo.fxs")).expect("in the tree");
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(found) = fixtrace::low::products::report::snapshot::read(&bytes) {
            for task in 0..found.world.tasks.len() {
                let _ = found.world.context(task);
            }
        }
    }
}
