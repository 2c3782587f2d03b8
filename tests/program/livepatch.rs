//! `livepatch --function`: what people and scripts are told of patching a function, and what is true of it in four
//! kernels. What is right is said by nm, objdump, readelf and, of livepatches that were tried, the kernel itself.

use crate::common::kernels::{VERSIONS, vmlinux_path};
use crate::common::schema::{self, conforms};
use crate::run::{demo, fixtrace, json, stderr, stdout};
use serde_json::Value;

fn livepatch(image: &str, args: &[&str]) -> std::process::Output {
    let all = [&["livepatch", "--no-index", "--vmlinux", image], args].concat();
    fixtrace(&all, b"")
}

/// What is told of `function` of a real kernel.
fn told(version: &str, function: &str) -> Value {
    let image = vmlinux_path(version).display().to_string();
    let out = livepatch(&image, &["--json", "--function", function]);
    let mut all = json(&out);
    assert_eq!(all.len(), 1, "{version} {function}: {}", stderr(&out));
    let one = all.remove(0);
    conforms(&one, &schema::read("livepatch-static.json"), "function");
    one
}

/// The hazard `id`; null where it has not.
fn hazard<'v>(told: &'v Value, id: &str) -> &'v Value {
    const NONE: &Value = &Value::Null;
    let all = told["hazards"].as_array().expect("hazards");
    all.iter().find(|h| h["id"] == id).unwrap_or(NONE)
}

/// The functions at the places of `hazard`.
fn functions(hazard: &Value) -> Vec<&str> {
    let places = hazard["places"].as_array().into_iter().flatten();
    places
        .map(|p| p["function"].as_str().expect("a name"))
        .collect()
}

#[test]
fn people_are_told() {
    let out = livepatch(&demo(), &["--function", "strncpy_from_user"]);
    insta::assert_snapshot!(stdout(&out));
}

#[test]
fn json_is_as_the_schema_says() {
    let schema = schema::read("livepatch-static.json");
    let functions = [
        "strncpy_from_user",
        "copy_user_enhanced_fast_string",
        "nosuch,2",
        "f@nosuch",
    ];
    let args = functions.iter().flat_map(|f| ["--function", f]);
    let args: Vec<&str> = ["--json"].into_iter().chain(args).collect();
    let out = livepatch(&demo(), &args);
    let all = json(&out);
    assert_eq!(all.len(), functions.len(), "{}", stderr(&out));
    for (function, told) in functions.iter().zip(&all) {
        conforms(told, &schema, "function");
        assert_eq!(told["query"], *function);
    }
    let reasons = ["not-found", "no-image"].map(Value::from);
    assert_eq!(
        [&all[2]["unresolved"], &all[3]["unresolved"]],
        [&reasons[0], &reasons[1]]
    );
}

#[test]
fn every_name_is_in_the_schema() {
    use fixtrace::low::products::livepatch::hazard::KINDS;
    let schema = schema::read("livepatch-static.json");
    let hazard = &schema["properties"]["hazards"]["items"]["properties"];
    let ids: Vec<Value> = KINDS.iter().map(|k| k.id().into()).collect();
    assert_eq!(hazard["id"]["enum"], Value::from(ids));
    let effects = hazard["effect"]["enum"].as_array().expect("names");
    assert!(
        KINDS
            .iter()
            .all(|k| effects.contains(&k.effect().name().into()))
    );
}

#[test]
fn exit_codes_tell_refusals_from_wrong_names() {
    let exit = |args: &[&str]| livepatch(&demo(), args).status.code();
    // In the assembler of this kernel nothing can be traced.
    assert_eq!(
        exit(&["--function", "copy_user_enhanced_fast_string"]),
        Some(1)
    );
    assert_eq!(exit(&["--function", "nosuch"]), Some(2));
    assert_eq!(exit(&["--function", "f@nosuch"]), Some(2));
    assert_eq!(exit(&["--function", "f,x"]), Some(2));
    assert_eq!(exit(&[]), Some(2));
    assert_eq!(exit(&["a-dump", "--function", "f"]), Some(2));
    let wrong = livepatch(&demo(), &["--function", "nosuch"]);
    assert_eq!(stderr(&wrong), "fixtrace: nosuch: no such symbol\n");
    assert_eq!(stdout(&wrong), "");
}

#[test]
#[ignore = "needs testdata/fetch-kernels.sh"]
fn waiting_for_randomness_is_hidden_in_a_cold_part_of_all_kernels() {
    // nm: address of wait_for_random_bytes.cold
    let cold = [
        "0xffffffff8189ae6d",
        "0xffffffff819eb546",
        "0xffffffff81c98f2f",
        "0xffffffff8127bc95",
    ];
    for ((version, _), at) in VERSIONS.iter().zip(cold) {
        let told = told(version, "wait_for_random_bytes");
        let part = hazard(&told, "cold-part");
        assert_eq!(part["effect"], "hidden", "{version}");
        assert_eq!(part["places"][0]["address"], at, "{version}");
        assert_eq!(functions(part), ["wait_for_random_bytes.cold"], "{version}");
        assert_eq!(told["verdict"], "dangerous", "{version}");
    }
}

#[test]
#[ignore = "needs testdata/fetch-kernels.sh"]
fn equally_named_functions_are_counted_by_address() {
    // nm: addresses of default_read_file; addr2line: their files
    for ((version, _), places) in VERSIONS.iter().zip([
        ["0xffffffff813f41f0", "0xffffffff813f59a0"],
        ["0xffffffff8148aab0", "0xffffffff8148c2f0"],
        ["0xffffffff815b5610", "0xffffffff815b7ab0"],
        ["0xffffffff819cff90", "0xffffffff819d2850"],
    ]) {
        let ambiguous = told(version, "default_read_file");
        let choices = ambiguous["choices"].as_array().expect("choices");
        let found: Vec<_> = choices.iter().map(|c| &c["address"]).collect();
        assert_eq!(found, places, "{version}");
        let files: Vec<_> = choices.iter().map(|c| &c["file"]).collect();
        assert_eq!(
            files,
            ["fs/debugfs/file.c", "fs/tracefs/inode.c"],
            "{version}"
        );
        assert_eq!(ambiguous["unresolved"], "ambiguous");
        for (n, at) in (1..).zip(places) {
            let told = told(version, &format!("default_read_file,{n}"));
            assert_eq!(told["address"], at, "{version}");
            assert_eq!(
                hazard(&told, "several-symbols")["places"]
                    .as_array()
                    .map(Vec::len),
                Some(2)
            );
        }
    }
}

#[test]
#[ignore = "needs testdata/fetch-kernels.sh"]
fn sizes_and_places_are_those_of_livepatches_that_were_loaded() {
    // struct klp_func of livepatches in these kernels: old_func, old_size
    for (version, function, at, size) in [
        ("5.10", "wait_for_random_bytes", "0xffffffff81626fd0", 96),
        ("5.10", "do_epoll_wait", "0xffffffff81322f10", 1648),
        (
            "5.10",
            "unix_stream_read_generic",
            "0xffffffff817f6760",
            2192,
        ),
        ("5.10", "pipe_read", "0xffffffff812d1060", 1024),
        ("5.10", "hrtimer_nanosleep", "0xffffffff81118750", 320),
        ("5.10", "do_epoll_wait,1", "0xffffffff81322f10", 1648),
        ("5.10", "default_read_file,1", "0xffffffff813f41f0", 16),
        ("5.10", "default_read_file,2", "0xffffffff813f59a0", 16),
        ("5.10", "kswapd", "0xffffffff8122b1d0", 912),
        ("5.10", "kcompactd", "0xffffffff812452a0", 896),
        ("5.10", "cpu_startup_entry", "0xffffffff810bebf0", 32),
    ] {
        let told = told(version, function);
        assert_eq!(told["address"], at, "{function}");
        assert_eq!(told["size"], size, "{function}");
        assert_eq!(told["refused"], Value::Null, "{function}");
        assert_eq!(told["location"], at, "{function}");
    }
}

#[test]
#[ignore = "needs testdata/fetch-kernels.sh"]
fn what_kernels_refused_is_refused_in_their_words() {
    let copy = told("5.10", "copy_user_enhanced_fast_string");
    let words = "failed to set ftrace filter for function 'copy_user_enhanced_fast_string' (-22)";
    assert_eq!(copy["refused"], words);
    assert_ne!(*hazard(&copy, "assembler"), Value::Null);
    for version in ["6.12", "7.2"] {
        let copy = told(version, "rep_movs_alternative");
        let words = "failed to find location for function 'rep_movs_alternative'";
        assert_eq!(copy["refused"], words, "{version}");
        assert_ne!(*hazard(&copy, "assembler"), Value::Null, "{version}");
    }
    for (version, _) in VERSIONS {
        let start = told(version, "start_kernel");
        assert_ne!(*hazard(&start, "init-text"), Value::Null, "{version}");
        assert_eq!(start["verdict"], "refused", "{version}");
    }
}

#[test]
#[ignore = "needs testdata/fetch-kernels.sh"]
fn faults_of_strncpy_from_user_land_outside_of_it_in_5_10_only() {
    // objdump: jumps back from .fixup; two landings behind __static_call_text_end
    for (version, landings) in [
        ("5.10", &["0xffffffff81c01c8f", "0xffffffff81c01c9b"][..]),
        ("6.1", &[]),
        ("6.12", &[]),
        ("7.2", &[]),
    ] {
        let told = told(version, "strncpy_from_user");
        let fixup = hazard(&told, "fixup-elsewhere");
        let places = fixup["places"].as_array().into_iter().flatten();
        let found: Vec<_> = places.map(|p| &p["address"]).collect();
        assert_eq!(found, landings, "{version}");
        // No kernel of these has lib/ compiled for the tracer (objdump: no call of __fentry__).
        assert_ne!(*hazard(&told, "notrace"), Value::Null, "{version}");
    }
}

#[test]
#[ignore = "needs testdata/fetch-kernels.sh"]
fn copies_are_as_many_as_the_debug_information_has() {
    // readelf --debug-dump=info: inlined subroutines whose origin is getname_flags
    for (version, copies) in [("5.10", 7), ("6.12", 49)] {
        let told = told(version, "getname_flags");
        let inlined = hazard(&told, "inlined");
        let places = inlined["places"].as_array().expect("places");
        let count = |p: &Value| p["count"].as_u64().expect("a number");
        assert_eq!(places.iter().map(count).sum::<u64>(), copies, "{version}");
    }
}

#[test]
#[ignore = "needs testdata/fetch-kernels.sh"]
fn threads_and_the_scheduler_are_known() {
    for (version, _) in VERSIONS {
        for thread in ["kswapd", "kcompactd", "kauditd_thread"] {
            let told = told(version, thread);
            let message = &hazard(&told, "kthread-loop")["message"];
            assert_eq!(
                message, "is the main function of a kernel thread",
                "{version} {thread}"
            );
        }
        let schedule = told(version, "schedule");
        assert_ne!(*hazard(&schedule, "scheduler"), Value::Null, "{version}");
        let plain = told(version, "vfs_read");
        assert_eq!(*hazard(&plain, "kthread-loop"), Value::Null, "{version}");
    }
}
