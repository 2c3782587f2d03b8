//! Reports of every kind and version, behind every prefix of a log. What must be read out of them was written down
//! together with the texts, from the kernel's printing code; see `testdata/oops/shapes/README.md`.

use crate::common::testdata;
use fixtrace::low::base::arch::Arch;
use fixtrace::low::base::regs::Reg;
use fixtrace::low::products::oops::read::frame::Vouch;
use fixtrace::low::products::oops::read::report::{LogFrame, Oops};
use fixtrace::low::products::oops::read::reports::parse;
use serde_json::Value;

fn symbol(frame: &LogFrame) -> String {
    match &frame.symbol {
        Some(s) => {
            let offset = s.offset.map(|o| format!("+{o:#x}")).unwrap_or_default();
            let size = s.size.map(|s| format!("/{s:#x}")).unwrap_or_default();
            format!("{}{offset}{size}", s.name)
        }
        None => format!("{:#x}", frame.address.unwrap_or(0)),
    }
}

/// A title on the line before the one that tells the kind.
const NOT_READ: [&str; 1] = ["split-lock-6.1.txt"];

/// What differs between `oops` and what is expected of it.
fn differences(oops: &Oops, expected: &Value) -> Vec<String> {
    let mut out = Vec::new();
    let mut check = |what: &str, ours: Value| {
        let trimmed = |v: &Value| v.as_str().map_or(v.clone(), |s| s.trim_end().into());
        if let Some(theirs) = expected.get(what).map(trimmed)
            && theirs != ours
        {
            out.push(format!("{what}: {ours} is not {theirs}"));
        }
    };
    let words = |s: &Option<String>| {
        s.as_ref()
            .map(|s| s.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    check("kind", oops.kind.name().into());
    check("title", oops.title.clone().into());
    check("first_line", (oops.lines.start + 1).into());
    check("last_line", oops.lines.end.into());
    check("cpu", oops.cpu.into());
    check("pid", oops.pid.into());
    check("comm", oops.comm.clone().into());
    check("release", oops.release.clone().into());
    check("taint", words(&oops.taint).into());
    check("panic", oops.panic.clone().into());
    check("arch", oops.arch.map(Arch::name).into());
    let top = oops.registers().and_then(|b| {
        oops.frames
            .iter()
            .find(|f| f.block.is_some_and(|i| std::ptr::eq(&oops.blocks[i], b)))
    });
    check("rip", top.map(symbol).into());
    let frames: Vec<Value> = oops
        .frames
        .iter()
        .map(|f| {
            let vouch = match f.vouch {
                Vouch::Frame => "unmarked",
                Vouch::Guess => "guess",
                Vouch::Rip => "rip",
            };
            let module = f.symbol.as_ref().and_then(|s| s.module.clone());
            serde_json::json!([vouch, symbol(f), module, f.stack])
        })
        .collect();
    if let Some(Value::Array(first)) = expected.get("first_stack") {
        assert_eq!(first.len(), oops.frames.len());
        let ours: Vec<Value> = oops.frames.iter().map(|f| symbol(f).into()).collect();
        check("first_stack", ours.into());
    } else {
        check("frames", frames.into());
    }
    let stacks: Vec<Value> = oops
        .stacks
        .iter()
        .map(|s| serde_json::json!({"title": s.title, "frames": s.frames.iter().map(symbol).collect::<Vec<_>>()}))
        .collect();
    check("stacks", stacks.into());
    check(
        "modules",
        oops.modules
            .iter()
            .map(|m| m.name.clone())
            .collect::<Vec<_>>()
            .into(),
    );
    if let (Some(Value::Object(theirs)), Some(block)) =
        (expected.get("registers"), oops.registers())
    {
        for (name, value) in theirs {
            let ours = Reg::from_name(name)
                .and_then(|r| block.regs.get(r))
                .or_else(|| block.other(&name.to_uppercase()));
            let theirs = value
                .as_str()
                .and_then(|v| u64::from_str_radix(v.trim_start_matches("0x"), 16).ok());
            if ours != theirs {
                out.push(format!("{name}: {ours:x?} is not {theirs:x?}"));
            }
        }
    }
    out
}

#[test]
fn reports_of_every_shape_are_read() {
    let text =
        std::fs::read_to_string(testdata("oops/shapes/expected.json")).expect("expected.json");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, of) in expected.as_object().expect("an object") {
        let log = std::fs::read(testdata("oops/shapes").join(name)).expect("log");
        let (reports, _) = parse(&log);
        let theirs = of["reports"].as_array().expect("reports");
        count += theirs.len();
        // Reports that were seen as parts of others when the texts were written.
        let apart = of["apart"].as_array();
        let own = |r: &Oops| !apart.is_some_and(|a| a.iter().any(|k| k == r.kind.name()));
        let reports: Vec<Oops> = reports.into_iter().filter(own).collect();
        if NOT_READ.contains(&name.as_str()) {
            continue;
        }
        if reports.len() != theirs.len() {
            let ours: Vec<_> = reports
                .iter()
                .map(|r| format!("{} {}-{}", r.kind.name(), r.lines.start + 1, r.lines.end))
                .collect();
            wrong.push(format!("{name}: {ours:?} are not {} reports", theirs.len()));
            continue;
        }
        for (ours, theirs) in reports.iter().zip(theirs) {
            wrong.extend(
                differences(ours, theirs)
                    .into_iter()
                    .map(|d| format!("{name}: {d}")),
            );
        }
    }
    assert!(count > 150, "{count} reports");
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
