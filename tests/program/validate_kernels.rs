//! `fixtrace validate` on real kernels: what it finds there is true, and does not depend on how it is asked.

use std::path::Path;

use serde_json::Value;

use crate::common::kernels::{VERSIONS, file, vmlinux_path};
use crate::common::scratch;
use crate::run::{fixtrace, json, stdout};

/// Errors in each, by id and function. All are faults of those kernels:
/// * `asm_exc_nmi`: UNWIND_HINT_IRET_REGS base=%rdx offset=8, and unwind_next_frame() adds no offset to RDX.
/// * `Range<usize>::fmt`: `add $8,%rsp` before three tails, behind which LLVM's call-frame information still has SP+32.
fn known(version: &str) -> Vec<(&'static str, &'static str)> {
    let mut all = vec![("flow-cfa", "asm_exc_nmi")];
    if version == "7.2" {
        let fmt = "_RNvXs_NtNtCsbZfwWpAStWS_4core3ops5rangeINtB4_5RangejENtNtB8_3fmt5Debug3fmtB8_";
        all.push(("agree-cfa", fmt));
    }
    all
}

fn vmlinux(version: &str) -> String {
    vmlinux_path(version).display().to_string()
}

/// The one object of an image.
fn validation(args: &[&str]) -> Value {
    let output = fixtrace(&[&["validate", "--json"], args].concat(), b"");
    json(&output).pop().expect("an image")
}

/// Id and function of all errors.
fn errors(found: &Value) -> Vec<(String, String)> {
    let text = |f: &Value, key: &str| f[key].as_str().unwrap_or_default().to_owned();
    let findings = found["findings"].as_array().expect("findings");
    let errors = findings.iter().filter(|f| f["severity"] == "error");
    errors
        .map(|f| (text(f, "id"), text(f, "function")))
        .collect()
}

#[test]
#[ignore = "real kernels"]
fn errors_in_real_kernels_are_their_own() {
    for (version, _) in VERSIONS {
        let known = known(version);
        let known = known
            .iter()
            .map(|(id, f)| ((*id).to_owned(), (*f).to_owned()));
        let found = errors(&validation(&[&vmlinux(version)]));
        assert_eq!(found, known.collect::<Vec<_>>(), "{version}");
    }
}

/// The numbers were counted with other tools, by whoever asked for this.
#[test]
#[ignore = "real kernels"]
fn orc_says_of_landings_what_it_says_of_faulting_instructions() {
    for (version, equal, by_type) in [
        ("5.10", 477, 0),
        ("6.1", 532, 0),
        ("6.12", 630, 0),
        ("7.2", 745, 1),
    ] {
        let found = validation(&["--check", "fixup", &vmlinux(version)]);
        let counts = &found["counts"]["fixup"];
        assert_eq!(counts["orc_equal"], equal, "{version}");
        assert_eq!(counts["orc_by_type"], by_type, "{version}");
        assert_eq!(counts["entries"], equal + by_type, "{version}");
    }
}

#[test]
#[ignore = "real kernels"]
fn neither_threads_nor_an_index_change_what_is_found() {
    let image = vmlinux("7.2");
    let alone = fixtrace(&["validate", "--json", "--list", "-j1", &image], b"");
    let four = fixtrace(&["validate", "--json", "--list", "-j4", &image], b"");
    assert!(!alone.stdout.is_empty());
    assert_eq!(stdout(&alone), stdout(&four));
    // The index stands for the image, which lies beside it.
    let place = scratch("validate-kernels", "index");
    let (beside, index) = (place.join("vmlinux"), place.join("vmlinux.fxi"));
    let _ = std::fs::remove_file(&beside);
    std::os::unix::fs::symlink(&image, &beside).expect("a link");
    let made = fixtrace(
        &[
            "index",
            "--no-lines",
            "-o",
            &index.display().to_string(),
            &image,
        ],
        b"",
    );
    assert!(made.status.success());
    let by_index = fixtrace(
        &["validate", "--json", "--list", &index.display().to_string()],
        b"",
    );
    // Only the name of the file is another.
    let found = |output| {
        let mut all: Vec<Value> = json(output);
        all.iter_mut().for_each(|v| v["file"] = Value::Null);
        all
    };
    assert!(found(&alone) == found(&by_index));
}

#[test]
#[ignore = "real kernels"]
fn the_series_that_removed_anonymous_fixups_shows_in_a_comparison() {
    let (old, new) = (vmlinux("5.10"), vmlinux("7.2"));
    let output = fixtrace(&["validate", "--compare", &old, &new], b"");
    let text = stdout(&output);
    let row = text.lines().find(|l| l.contains("fixup anonymous "));
    let words: Vec<&str> = row.expect("the row").split_whitespace().collect();
    assert_eq!(words[words.len() - 3..], ["214", "0", "-214"]);
}

/// Modules of all four kernels. Errors are hypervisors' entries alone, which load the guest's RBP while ORC counts from it:
/// `mov 0x28(%rax),%rbp` in `__vmx_vcpu_run()`, `mov 0x150(%rdi),%rbp` in `__svm_vcpu_run()`.
#[test]
#[ignore = "real kernels"]
fn errors_in_modules_are_their_own() {
    for (version, _) in VERSIONS {
        let modules = file(version, "lib/modules");
        let output = fixtrace(
            &[
                "validate",
                "--json",
                "--check",
                "orc,extable,fixup,agree,flow",
                &vmlinux(version),
                &modules.display().to_string(),
            ],
            b"",
        );
        let all = json(&output);
        assert!(all.len() > 500, "{version}: {}", all.len());
        for found in all.iter().filter(|v| v["image"] != "vmlinux") {
            for (id, function) in errors(found) {
                let entry = ["__vmx_vcpu_run", "__svm_vcpu_run"].contains(&function.as_str());
                assert!(
                    entry && id == "flow-base",
                    "{version}: {}: {id} {function}",
                    found["image"]
                );
            }
        }
    }
}

#[test]
#[ignore = "real kernels"]
fn a_kernel_packed_to_boot_is_validated_as_far_as_it_goes() {
    let boot = vmlinux_path("6.12");
    let release = Path::new(&boot)
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .replace("vmlinux", "vmlinuz");
    let packed = file("6.12", &format!("boot/{release}"));
    let found = validation(&[&packed.display().to_string()]);
    // No symbols, no DWARF: the tables alone.
    assert_eq!(
        found["counts"]["orc"]["rows"],
        validation(&["--check", "orc", &vmlinux("6.12")])["counts"]["orc"]["rows"]
    );
    assert_eq!(errors(&found), []);
}
