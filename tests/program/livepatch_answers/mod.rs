//! What kernels answered when livepatches came, task by task, held to what `unwind` and `livepatch` say of their memory.
//! Recorded in boots of `testdata/livepatch`; the dumps are cut down to the pages that are read.

pub mod boot;
pub mod compare;
pub mod founding;

use boot::Boot;

/// The boots of all four kernels with tasks in every place.
const MAIN: [&str; 4] = ["5.10-kaslr", "6.1", "6.12", "7.2"];

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn every_task_of_every_boot_is_judged_as_its_kernel_did() {
    let boots = Boot::in_tree().into_iter();
    let rows = boots.map(|boot| (boot.name.clone(), compare::all(&boot)));
    let rows: Vec<_> = rows.collect();
    for (name, row) in rows.iter().filter(|(name, _)| MAIN.contains(&&**name)) {
        let mut wanted = vec!["blocked", "running", "safe", "refused"];
        wanted.extend([
            "hidden by fixup",
            "hidden by cold",
            "hidden by noreturn-end",
        ]);
        if name != "7.2" {
            // There, nothing that can be patched is before .fixup.
            wanted.push("blocked-falsely");
        }
        if name == "5.10-kaslr" {
            wanted.extend(["hidden by forced", "unreliable"]);
        }
        for verdict in wanted {
            assert!(
                row.verdicts.contains_key(verdict),
                "{name}: none is {verdict}"
            );
        }
    }
    let sum = compare::table(rows);
    assert!(sum.cases >= 130 && sum.tasks >= 9000, "{sum}");
    assert!(sum.addresses >= 4000, "{sum}");
}
