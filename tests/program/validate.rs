//! `validate` and `explain` as people and scripts meet them.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::schema::{conforms, read};
use crate::common::{scratch, testdata};
use crate::run::{demo, fixtrace, json, stderr, stdout};

fn validate(args: &[&str]) -> std::process::Output {
    let mut all = vec!["validate"];
    all.extend(args);
    fixtrace(&all, b"")
}

fn path(name: &str) -> String {
    testdata("fixtures").join(name).display().to_string()
}

#[test]
fn every_image_is_a_line_of_json_whatever_the_number_of_threads() {
    let names = [
        "14-fastop.ko",
        "15-vmread.ko",
        "16-vmx-asm-cold.ko",
        "demo-5.10.elf",
    ];
    let files: Vec<String> = names.iter().map(|n| path(n)).collect();
    let run = |jobs: &str| {
        let mut args = vec!["--json", "--fail-on", "never", "-j", jobs];
        args.extend(files.iter().map(String::as_str));
        validate(&args)
    };
    let one = run("1");
    assert_eq!(one.status.code(), Some(0), "{}", stderr(&one));
    let lines = json(&one);
    let images: Vec<&str> = lines.iter().filter_map(|l| l["image"].as_str()).collect();
    // The kernel is first: modules are held to it.
    assert_eq!(images[0], "vmlinux");
    assert_eq!(images.len(), names.len());
    let schema = read("validation.json");
    lines
        .iter()
        .for_each(|l| conforms(l, &schema, "validation"));
    for jobs in ["2", "7"] {
        assert_eq!(run(jobs).stdout, one.stdout, "-j {jobs}");
    }
}

#[test]
fn what_cannot_be_read_is_left_out_and_told() {
    let broken = scratch("validate", "broken").join("broken.ko");
    std::fs::write(&broken, b"no ELF file").expect("written");
    let broken = broken.display().to_string();
    let part = validate(&["--fail-on", "never", &demo(), &broken]);
    assert_eq!(part.status.code(), Some(3));
    assert!(stderr(&part).contains("broken.ko"), "{}", stderr(&part));
    assert!(stdout(&part).contains("1 image "), "{}", stdout(&part));
    let none = validate(&[&broken]);
    assert_eq!(none.status.code(), Some(2));
    let junit = validate(&["--format", "junit", "--fail-on", "never", &demo(), &broken]);
    assert!(stdout(&junit).contains("<error type=\"unreadable\""));
    assert!(stdout(&junit).ends_with("</testsuites>\n"));
    for wrong in [
        &[][..],
        &["--allow", "no-such-check", "x"],
        &["-j", "0", "x"],
        &["--release", "no-such-release"],
    ] {
        assert_eq!(validate(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn directories_are_searched_and_empty_ones_refused() {
    let dir = scratch("validate", "tree");
    let boot = dir.join("arch/x86/boot/compressed");
    std::fs::create_dir_all(&boot).expect("directory");
    std::fs::create_dir_all(dir.join("kernel")).expect("directory");
    for (from, to) in [
        ("demo-5.10.elf", "vmlinux"),
        ("15-vmread.ko", "kernel/b.ko"),
        ("14-fastop.ko", "kernel/a.ko"),
        ("01-restore-regs-32.elf", "arch/x86/boot/compressed/vmlinux"),
        ("01-restore-regs-32.elf", "vmlinux.o"),
    ] {
        std::fs::copy(path(from), dir.join(to)).expect("copied");
    }
    let tree = dir.display().to_string();
    let out = validate(&["--json", "--fail-on", "never", &tree]);
    let lines = json(&out);
    let files: Vec<&str> = lines.iter().filter_map(|l| l["file"].as_str()).collect();
    let below: Vec<&Path> = files
        .iter()
        .filter_map(|f| Path::new(f).strip_prefix(&dir).ok())
        .collect();
    assert_eq!(
        below,
        ["vmlinux", "kernel/a.ko", "kernel/b.ko"].map(Path::new)
    );
    let empty = scratch("validate", "empty").display().to_string();
    assert_eq!(validate(&[&empty]).status.code(), Some(2));
}

#[test]
fn an_index_leads_to_its_image_or_is_refused() {
    let dir = scratch("validate", "index");
    let image = dir.join("vmlinux");
    std::fs::copy(path("demo-5.10.elf"), &image).expect("copied");
    let text = |p: &Path| p.display().to_string();
    let (index, image) = (text(&dir.join("demo.fxi")), text(&image));
    let made = fixtrace(&["index", "-o", &index, &image], b"");
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let beside = validate(&["--json", "--fail-on", "never", &index]);
    assert_eq!(beside.status.code(), Some(0), "{}", stderr(&beside));
    let own = validate(&["--json", "--fail-on", "never", &image]);
    assert_eq!(json(&beside)[0]["counts"], json(&own)[0]["counts"]);
    std::fs::remove_file(&image).expect("removed");
    let alone = validate(&[&index]);
    assert_eq!(alone.status.code(), Some(2));
    assert!(stderr(&alone).contains("is an index"), "{}", stderr(&alone));
}

#[test]
fn baselines_are_written_to_files_only() {
    let dir = scratch("validate", "baseline");
    let file = dir.join("known").display().to_string();
    let out = validate(&["--write-baseline", &file, &demo()]);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let written = std::fs::read_to_string(&file).expect("a baseline");
    assert!(written.starts_with("# fixtrace baseline 1"), "{written}");
    let again = validate(&["--baseline", &file, "--fail-on", "note", &demo()]);
    assert_eq!(again.status.code(), Some(0), "{}", stdout(&again));
    for refused in [dir.display().to_string(), "/dev/null".to_owned()] {
        let out = validate(&["--write-baseline", &refused, &demo()]);
        assert_eq!(out.status.code(), Some(2), "{refused}");
    }
    assert_eq!(
        validate(&["--baseline", &demo(), &demo()]).status.code(),
        Some(2)
    );
}

#[test]
fn a_configuration_that_is_wrong_is_told_by_line() {
    let dir = scratch("validate", "config");
    let file = dir.join("fixtrace.toml");
    let run = |text: &str| {
        std::fs::write(&file, text).expect("written");
        validate(&["--config", &file.display().to_string(), &demo()])
    };
    assert_ne!(
        run("fail-on = \"never\"\nchecks = [\"orc\"]\n")
            .status
            .code(),
        Some(2)
    );
    let wrong = run("fail-on = \"never\"\n\n[[allow]]\ncheck = \"no-such\"\n");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        stderr(&wrong).contains("line 4: no check is called"),
        "{}",
        stderr(&wrong)
    );
    assert_eq!(run("fail-on = ").status.code(), Some(2));
}

#[test]
fn two_builds_are_compared() {
    let same = validate(&["--compare", &demo(), &demo()]);
    assert_eq!(same.status.code(), Some(0), "{}", stderr(&same));
    let out = validate(&[
        "--json",
        "--fail-on",
        "never",
        "--compare",
        &demo(),
        &path("01-restore-regs-32.elf"),
    ]);
    let lines = json(&out);
    assert_eq!(lines.len(), 1);
    conforms(&lines[0], &read("comparison.json"), "comparison");
    let form = validate(&["--format", "sarif", "--compare", &demo(), &demo()]);
    assert_eq!(form.status.code(), Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fixtrace"))
        .args([
            "validate",
            "--json",
            &demo(),
            &demo(),
            &path("14-fastop.ko"),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn names_are_explained() {
    let explain = |args: &[&str]| {
        let mut all = vec!["explain"];
        all.extend(args);
        fixtrace(&all, b"")
    };
    let all = explain(&[]);
    assert_eq!(all.status.code(), Some(0));
    assert!(stdout(&all).contains("trust"));
    let word = explain(&["cold", "part"]);
    assert!(
        stdout(&word).starts_with("cold part\n"),
        "{}",
        stdout(&word)
    );
    assert!(stdout(&explain(&["jump-labels"])).contains("what to do"));
    let unknown = explain(&["trsut"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        stderr(&unknown).contains("did you mean trust?"),
        "{}",
        stderr(&unknown)
    );
    let schema = read("explanation.json");
    let lines = json(&explain(&["--json"]));
    assert!(lines.len() > 40);
    lines
        .iter()
        .for_each(|l| conforms(l, &schema, "explanation"));
    for line in stdout(&all).lines() {
        assert!(line.chars().count() <= 120, "{line}");
    }
}
