//! All boots that there are with their dumps, whole or packed, held to what their kernels answered. Needs those that
//! `testdata/livepatch/boot.sh` makes.

use std::path::PathBuf;

use crate::common::kernels;
use crate::livepatch_answers::boot::Boot;
use crate::livepatch_answers::compare;
use crate::livepatch_answers::founding::hidden;

/// A boot of scenario `rt` whose patch replaces nothing else.
const PSELONLY: &str = "5.10.0-43-rt-amd64-pselonly";

/// The directories of all boots.
fn dirs() -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = std::fs::read_dir(kernels::livepatches())
        .map(|all| all.flatten().map(|e| e.path()).collect())
        .unwrap_or_default();
    dirs.retain(|d| d.join("console.txt").exists());
    assert!(!dirs.is_empty(), "no boots: run testdata/livepatch/boot.sh");
    dirs.sort();
    dirs
}

#[test]
#[ignore = "needs the dumps of testdata/livepatch"]
fn every_task_is_judged_as_its_kernel_did() {
    let dirs = dirs();
    let boots = dirs.iter().filter_map(|dir| Boot::lab(dir));
    // One after the other: an unpacked dump has 220 MB.
    let rows = boots.map(|boot| (boot.name.clone(), compare::all(&boot)));
    compare::table(rows.collect());
}

#[test]
#[ignore = "needs the dumps of testdata/livepatch"]
fn a_function_of_the_kernel_itself_is_hidden_by_its_fixup() {
    let of_scenario = |d: &&PathBuf| d.join("pre.elf").exists() && d.ends_with(PSELONLY);
    for dir in dirs().iter().filter(of_scenario) {
        let boot = Boot::lab(dir).expect("its kernel");
        hidden(
            &boot,
            "kp_pselonly",
            "psel",
            ("__x64_sys_pselect6", "fixup"),
        );
        println!("{}", boot.name);
    }
}
