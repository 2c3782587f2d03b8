//! What validating found, in each of its forms, out of findings made for that.

use std::path::Path;

use crate::common::schema::{conforms, read};
use crate::common::{fixture, scratch};
use fixtrace::low::base::addr::LinkAddr;
use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::report::human::validation::Told;
use fixtrace::low::products::report::human::{Style, comparison};
use fixtrace::low::products::report::{github, json, junit, sarif};
use fixtrace::low::products::validate::check::Check;
use fixtrace::low::products::validate::compare::compare;
use fixtrace::low::products::validate::{
    self as product, Allow, Baseline, Family, Finding, Options, Policy, Report, Severity, Spot,
    Standing, Validation, What,
};
use serde_json::Value;

static UNSORTED: Check = Check {
    id: "orc-unsorted",
    family: Family::Orc,
    severity: Severity::Error,
    title: "the table is not sorted",
    why: "The kernel searches it by halves, and finds no row, or another one's.",
    help: "Sort it: sorttable has to run after the last change of the image.",
    example: "error orc-unsorted 0xffffffff81000010 f+0x10: lies below its predecessor",
    source: "scripts/sorttable.c, arch/x86/kernel/unwind_orc.c: __orc_find()",
    explains: &[],
};

static DOUBT: Check = Check {
    id: "fixup-doubt",
    family: Family::Fixup,
    severity: Severity::Warning,
    title: "two functions share a landing",
    help: "Nothing, unless traces through it matter.",
    ..UNSORTED_BASE
};

static COLD: Check = Check {
    id: "livepatch-cold",
    family: Family::Livepatch,
    severity: Severity::Note,
    title: "a cold part lies elsewhere",
    help: "Know it.",
    ..UNSORTED_BASE
};

const UNSORTED_BASE: Check = Check {
    id: "",
    family: Family::Orc,
    severity: Severity::Note,
    title: "",
    why: "It may mislead.",
    help: "",
    example: "none",
    source: "none",
    explains: &[],
};

fn rules() -> Vec<&'static Check> {
    vec![&UNSORTED, &DOUBT, &COLD]
}

fn at(check: &'static Check, link: u64, function: &str, offset: u64, message: &str) -> Finding {
    let mut spot = Spot::image();
    spot.link = LinkAddr(link);
    spot.what = What::Row;
    spot.function = Some(function.to_owned());
    spot.offset = offset;
    Finding::at(check, spot, message)
}

/// Names that nobody should trust, more of one kind than are shown, and the whole image.
fn findings(shift: u64) -> Vec<Finding> {
    let base = 0xffff_ffff_8100_0000 + shift;
    let mut all = vec![Finding::of_image(&COLD, "214 cold parts & <more>")];
    all.push(at(
        &UNSORTED,
        base + 0x10,
        "a\u{1b}[2J,:%\n<\"&'>",
        0x10,
        "lies below 100% of\r\nothers",
    ));
    for n in 0..12 {
        let name = if n % 2 == 0 { "f.constprop.0" } else { "g" };
        all.push(at(&DOUBT, base + 0x100 + n, name, n, "shared with h"));
    }
    all
}

fn validation(findings: Vec<Finding>) -> Validation {
    let storage = Storage::new();
    let image = fixture("demo-5.10.elf", &storage);
    let mut found = product::validate(&image, None, &Options::default());
    found.counts = vec![
        (Family::Orc, vec![("rows", 1000), ("return_sites", 20)]),
        (Family::Fixup, vec![("landings", 7)]),
        (Family::Lines, vec![]),
        (Family::Livepatch, vec![("cold_parts", 214)]),
    ];
    found.findings = findings;
    found.skipped = vec![(Family::Lines, "no debug information <here>".to_owned())];
    found
}

fn report(policy: &Policy, findings: Vec<Finding>) -> Report {
    let mut report = policy.weigh("build/vm linux", validation(findings));
    if let Some(first) = report.findings.get_mut(1) {
        first.source = Some(("fs/select.c".to_owned(), 784));
    }
    report
}

fn all() -> Report {
    report(&Policy::default(), findings(0))
}

fn text(report: &Report, list: bool) -> String {
    let mut told = Told::default();
    (told.list, told.single) = (list, true);
    let mut text = String::new();
    told.report(report, Style::default(), &mut text);
    told.counts(Style::default(), &mut text);
    told.summary(Style::default(), &mut text);
    text
}

#[test]
fn as_people_read_it() {
    insta::assert_snapshot!("validate-text", text(&all(), false));
    let list = text(&all(), true);
    assert_eq!(list.matches("fixup-doubt").count(), 12);
    assert!(list.contains("note livepatch-cold: 214"), "{list}");
}

#[test]
fn as_json() {
    let report = all();
    let line = json::line(&json::validation::Validation::new(&report));
    let value: Value = serde_json::from_str(&line).expect("JSON");
    conforms(&value, &read("validation.json"), "validation");
    assert_eq!(value["tally"]["failing"], 1);
    assert_eq!(value["findings"][0]["address"], Value::Null);
    insta::assert_snapshot!(
        "validate-json",
        serde_json::to_string_pretty(&value["findings"][1]).expect("JSON")
    );
}

#[test]
fn as_sarif() {
    let policy = Policy {
        allow: vec![Allow {
            id: "fixup-doubt".into(),
            function: Some("g*".into()),
            reason: Some("asm".into()),
        }],
        baseline: Some(Baseline::default()),
        ..Policy::default()
    };
    let mut log = String::new();
    let mut writer = sarif::Writer::new(rules(), &mut log);
    writer.report(&report(&policy, findings(0)), &mut log);
    writer.unreadable("kvm.ko: no ELF file");
    writer.close(&mut log);
    // CI holds this file to the official schema.
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sarif");
    std::fs::create_dir_all(&dir).expect("directory");
    std::fs::write(dir.join("made.sarif"), &log).expect("written");
    let value: Value = serde_json::from_str(&log).expect("JSON");
    let run = &value["runs"][0];
    assert_eq!(run["results"].as_array().map(Vec::len), Some(14));
    for result in run["results"].as_array().into_iter().flatten() {
        let index = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(
            run["tool"]["driver"]["rules"][index]["id"],
            result["ruleId"]
        );
    }
    assert_eq!(run["results"][3]["suppressions"][0]["justification"], "asm");
    insta::assert_snapshot!(
        "validate-sarif",
        serde_json::to_string_pretty(&run["results"][1]).expect("JSON")
    );
}

#[test]
fn as_junit() {
    let mut xml = junit::HEAD.to_owned();
    junit::suite(&all(), &mut xml);
    junit::unreadable("kvm.ko", "no <ELF> file", &mut xml);
    xml.push_str(junit::TAIL);
    std::fs::write(scratch("junit", "made").join("made.xml"), &xml).expect("written");
    insta::assert_snapshot!("validate-junit", xml);
}

#[test]
fn as_annotations() {
    let mut lines = String::new();
    github::report(&all(), false, &mut lines);
    assert_eq!(lines.lines().count(), 13);
    assert!(lines.lines().all(|l| l.starts_with("::")), "{lines}");
    insta::assert_snapshot!(
        "validate-github",
        lines.lines().take(2).collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn what_was_known_stays_known_when_all_of_it_moves() {
    let mut baseline = Baseline::default();
    baseline.add(&all().kept());
    let written = baseline.text();
    insta::assert_snapshot!("validate-baseline", written);
    let policy = Policy {
        baseline: Baseline::parse(&written).ok(),
        ..Policy::default()
    };
    // Another build: everything lies elsewhere, clones have other numbers, one fault is new, one gone.
    let mut moved = findings(0x4321);
    moved.remove(2);
    for f in &mut moved {
        if let Some(name) = &mut f.spot.function {
            *name = name.replace("constprop.0", "constprop.7");
        }
    }
    moved.push(at(&UNSORTED, u64::MAX, "new", 0, "lies below"));
    let report = report(&policy, moved);
    let tally = report.tally();
    assert_eq!((tally.errors, tally.warnings, tally.notes), (1, 0, 0));
    assert_eq!((tally.known, tally.gone, tally.failing), (13, 1, 1));
    assert_eq!(report.gone[0].function, "f.constprop");
    // Baseline of a run with a baseline: what is known stays in it.
    assert_eq!(report.kept().len(), 14);
}

#[test]
fn what_fails_is_asked_for() {
    let failing = |policy: &Policy| report(policy, findings(0)).tally().failing;
    let on = |fail_on| {
        failing(&Policy {
            fail_on,
            ..Policy::default()
        })
    };
    assert_eq!(on(None), 0);
    assert_eq!(on(Some(Severity::Error)), 1);
    assert_eq!(on(Some(Severity::Warning)), 13);
    assert_eq!(on(Some(Severity::Note)), 14);
    let allowing = |function: Option<&str>| {
        let allow = vec![Allow {
            id: "fixup-doubt".into(),
            function: function.map(str::to_owned),
            reason: None,
        }];
        let fail_on = Some(Severity::Warning);
        failing(&Policy {
            fail_on,
            allow,
            baseline: None,
        })
    };
    assert_eq!(allowing(None), 1);
    assert_eq!(allowing(Some("g")), 7);
    assert_eq!(allowing(Some("f.constprop")), 7);
    assert_eq!(allowing(Some("f*")), 7);
    assert_eq!(allowing(Some("x*")), 13);
    let report = report(&Policy::default(), findings(0));
    assert!(report.findings.iter().all(|f| f.standing == Standing::New));
}

#[test]
fn two_builds_side_by_side() {
    let old = all();
    let mut new = report(&Policy::default(), findings(0x1000).split_off(3));
    new.validation.counts[3].1[0].1 = 0;
    let found = compare("vmlinux", Some(&old), Some(&new));
    assert_eq!(
        (found.appeared.len(), found.gone.len(), found.same),
        (0, 3, 11)
    );
    let line = json::line(&json::comparison::Comparison::new(&found));
    let value: Value = serde_json::from_str(&line).expect("JSON");
    conforms(&value, &read("comparison.json"), "comparison");
    assert_eq!(value["counts"]["livepatch"]["cold_parts"]["old"], 214);
    let rows = comparison::rows(&found);
    assert_eq!(
        rows,
        [["vmlinux", "livepatch cold parts", "214", "0", "-214"]]
    );
    let mut text = String::new();
    comparison::findings(&found, false, Style::default(), &mut text);
    insta::assert_snapshot!("validate-compare", text);
    let alone = compare("vmlinux", None, Some(&new));
    assert_eq!((alone.appeared.len(), alone.same), (11, 0));
}
