//! Crashed kernels as kdump found them, cut down to the pages that are read: who crashed, held to what the kernel itself
//! had printed.

use std::path::Path;
use std::process::Output;

use crate::common::{kernels, scratch, testdata};
use crate::run::{fixtrace, json, stderr, stdout};
use fixtrace::low::formats::image::{Packing, Storage};
use serde_json::Value;

/// A null pointer in a module, while CPU 1 stays in an NMI handler; a stack that ran over.
const DUMPS: [&str; 2] = ["6.1-deaf", "6.1-df"];

/// `unwind` of `dump` with the vmlinux of its kernel. No module's file is given.
fn unwind(dump: &Path, more: &[&str]) -> Output {
    let vmlinux = kernels::vmlinux_path("6.1");
    with(dump, &vmlinux, more)
}

fn with(dump: &Path, vmlinux: &Path, more: &[&str]) -> Output {
    let text = |p: &Path| p.display().to_string();
    let (dump, vmlinux) = (text(dump), text(vmlinux));
    let args = ["unwind", &dump, "--vmlinux", &vmlinux, "--no-lines"];
    fixtrace(&[&args, more].concat(), b"")
}

fn dump(name: &str) -> std::path::PathBuf {
    testdata(&format!("dumps/{name}.elf.xz"))
}

/// The report that the kernel had printed.
fn log(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(testdata(&format!("dumps/{name}.txt"))).expect("a log");
    let line = |l: &str| l.split_once("] ").map(|(_, text)| text.to_owned());
    text.lines().filter_map(line).collect()
}

/// Functions that the kernel vouched for, from where it happened on: `name+offset`.
fn printed(name: &str) -> Vec<String> {
    let log = log(name);
    let place = |l: &String| {
        let text = l.trim().strip_prefix("RIP: 0010:").unwrap_or(l.trim());
        let (place, size) = text.split(' ').next()?.split_once('/')?;
        let is = place.contains("+0x") && size.starts_with("0x");
        is.then(|| place.to_owned())
    };
    log.iter().filter_map(place).collect()
}

fn frames(stack: &Value) -> &Vec<Value> {
    stack["frames"].as_array().expect("frames")
}

/// `name+offset`, as others print it.
fn symbol(frame: &Value) -> String {
    let name = frame["symbol"]["name"].as_str().unwrap_or_default();
    let offset = frame["symbol"]["offset"].as_u64().unwrap_or_default();
    format!("{name}+{offset:#x}")
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn the_crashed_task_comes_first_with_all_that_its_kernel_had_printed() {
    for name in DUMPS {
        let out = unwind(&dump(name), &["--json"]);
        let stacks = json(&out);
        let crashed: Vec<bool> = stacks.iter().map(|s| s["crashed"] == true).collect();
        assert_eq!(crashed.iter().position(|c| *c), Some(0), "{name}");
        assert_eq!(crashed.iter().filter(|c| **c).count(), 1, "{name}");
        let log = log(name);
        let whose = log.iter().find_map(|l| l.strip_prefix("CPU: "));
        let whose: Vec<&str> = whose.expect("a CPU").split(' ').collect();
        let first = &stacks[0];
        let own = [&first["cpu"], &first["pid"], &first["comm"]];
        let own = own.map(|v| v.as_str().map_or(v.to_string(), str::to_owned));
        assert_eq!(
            [whose[0], whose[2], whose[4]],
            own.each_ref().map(|s| &**s),
            "{name}"
        );
        // In this order; ours may have more between them.
        let mut ours = frames(first).iter().map(symbol);
        for wanted in printed(name) {
            assert!(ours.any(|own| own == wanted), "{name}: {wanted} is missing");
        }
        assert_eq!(
            first["report"]["differences"],
            Value::Array(Vec::new()),
            "{name}"
        );
        assert_eq!(first["report"]["title"], *log[0], "{name}");
        assert_eq!(first["system"]["message"], *log[0], "{name}");
        assert!(stacks[1]["system"].is_null() && stacks[1]["report"].is_null());
        let alone = json(&unwind(&dump(name), &["--json", "--crashed"]));
        assert_eq!(alone, stacks[..1], "{name}");
    }
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn an_exception_says_what_happened() {
    for (name, vector, code) in [("6.1-deaf", "#PF", "0x2"), ("6.1-df", "#DF", "0x0")] {
        let stacks = json(&unwind(&dump(name), &["--json", "--crashed"]));
        let exception = &frames(&stacks[0])[0]["exception"];
        assert_eq!(exception["vector"], vector, "{name}");
        assert_eq!(exception["error_code"], code, "{name}");
    }
    // "BUG: kernel NULL pointer dereference, address: 0000000000000008", "#PF: supervisor write access in kernel mode"
    let stacks = json(&unwind(&dump("6.1-deaf"), &["--json", "--crashed"]));
    let first = &frames(&stacks[0])[0];
    assert_eq!(first["exception"]["access"], "write");
    assert_eq!(first["exception"]["address"], "0x8");
    let registers = log("6.1-deaf");
    let logged = |name: &str| {
        let mut words = registers.iter().flat_map(|l| l.split(' '));
        words.find(|w| *w == name).expect("a register");
        words.next().map(|v| v.trim_start_matches('0').to_owned())
    };
    for (own, name) in [("rax", "RAX:"), ("rsi", "RSI:"), ("rdi", "RDI:")] {
        let value = first["registers"][own].as_str().expect("known");
        assert_eq!(value.strip_prefix("0x"), logged(name).as_deref(), "{own}");
    }
    let text = stdout(&unwind(&dump("6.1-deaf"), &["--crashed", "-v"]));
    let wanted = "interrupted by page fault (#PF), error code 0x0002: write to 0x8\n";
    assert!(
        text.contains(wanted) && text.contains("RSI: ffffffffc04101b0"),
        "{text}"
    );
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn every_form_of_the_image_and_every_table_gives_the_same_stacks() {
    let vmlinux = kernels::vmlinux_path("6.1");
    let index = scratch("crashes", "index").join("6.1.fxi");
    let (from, to) = (vmlinux.display().to_string(), index.display().to_string());
    let made = fixtrace(&["index", &from, "-o", &to, "--no-lines"], b"");
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let pcs = |out: &Output| -> Vec<(Value, Vec<(Value, Value)>)> {
        let stacks = json(out);
        let all = stacks.iter().map(|s| {
            let frames = frames(s).iter();
            let frames = frames.map(|f| (f["pc"].clone(), f["function"].clone()));
            (s["task"].clone(), frames.collect())
        });
        all.collect()
    };
    for name in DUMPS {
        let wanted = pcs(&unwind(&dump(name), &["--json"]));
        assert!(wanted.len() > 70, "{name}");
        assert_eq!(
            pcs(&with(&dump(name), &index, &["--json"])),
            wanted,
            "{name}: index"
        );
        let orc = unwind(&dump(name), &["--json", "--by", "orc"]);
        assert_eq!(pcs(&orc), wanted, "{name}: ORC alone");
        // A snapshot takes with it what the module's image is made of.
        let snapshot = scratch("crashes", name).join("crashed.fxs");
        let path = snapshot.display().to_string();
        let crashed = ["--crashed", "--snapshot", &path];
        let kept = unwind(&dump(name), &crashed);
        assert_eq!(
            stdout(&with(&snapshot, &index, &[])),
            stdout(&kept),
            "{name}"
        );
    }
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn a_cpu_that_did_not_answer_is_listed_and_says_so() {
    let stacks = json(&unwind(&dump("6.1-deaf"), &["--json", "--running"]));
    let cpus: Vec<String> = (0..4)
        .map(|cpu| {
            let stack = stacks.iter().find(|s| s["cpu"] == cpu).expect("a task");
            let word = |name: &str| stack[name].as_str().unwrap_or("-").to_owned();
            format!("{} {}", word("stopped"), word("registers"))
        })
        .collect();
    assert_eq!(
        cpus,
        ["crash note", "no-answer nmi-stack", "nmi note", "nmi note"]
    );
    let deaf = stacks.iter().find(|s| s["cpu"] == 1).expect("a task");
    // The module's thread spins; an NMI came, whose handler the same module stays in.
    let first = &frames(deaf)[0];
    assert_eq!(first["trust"], "saved-registers");
    assert_eq!(first["function"], "spin");
    let functions: Vec<&Value> = frames(deaf).iter().map(|f| &f["function"]).collect();
    assert_eq!(functions, ["spin", "spinner", "kthread", "ret_from_fork"]);
    let text = stdout(&unwind(&dump("6.1-deaf"), &["--cpu", "1"]));
    assert!(
        text.contains("(running, did not answer: in an NMI"),
        "{text}"
    );
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn whatever_notes_are_gone_all_cpus_are_there() {
    let storage = Storage::new();
    let whole = storage.plain(&dump("6.1-deaf")).expect("a dump").to_vec();
    // Name and type of a note with registers, behind the length of `struct elf_prstatus`.
    let head = [&336u32.to_le_bytes()[..], &1u32.to_le_bytes(), b"CORE\0"].concat();
    let notes: Vec<usize> = (0..0x2_0000)
        .filter(|at| whole[*at..].starts_with(&head))
        .collect();
    assert_eq!(notes.len(), 3);
    let wanted = json(&unwind(&dump("6.1-deaf"), &["--json"]));
    for gone in 1..8u32 {
        let mut bytes = whole.clone();
        for (number, at) in notes.iter().enumerate() {
            if gone >> number & 1 == 1 {
                bytes[at + 4] = 0x77;
            }
        }
        let path = scratch("crashes", &format!("notes-{gone}")).join("dump.elf");
        std::fs::write(&path, &bytes).expect("written");
        let stacks = json(&unwind(&path, &["--json"]));
        assert_eq!(stacks.len(), wanted.len(), "{gone:03b}");
        for (own, wanted) in stacks.iter().zip(&wanted) {
            for part in ["task", "cpu", "running", "crashed", "stopped", "frames"] {
                assert_eq!(own[part], wanted[part], "{gone:03b}");
            }
        }
        let kept = stacks.iter().filter(|s| s["registers"] == "crash-notes");
        assert_eq!(kept.count() as u32, gone.count_ones());
    }
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn frames_that_repeat_are_counted_and_raw_shows_each() {
    let stacks = json(&unwind(&dump("6.1-df"), &["--json", "--crashed"]));
    let deeper = frames(&stacks[0])
        .iter()
        .filter(|f| f["function"] == "deeper");
    let deeper = deeper.count();
    // As often as the kernel printed it.
    let theirs = printed("6.1-df")
        .iter()
        .filter(|f| f.starts_with("deeper+"))
        .count();
    assert!(deeper >= theirs && theirs > 40, "{deeper} {theirs}");
    let text = stdout(&unwind(&dump("6.1-df"), &["--crashed"]));
    let counted = format!(
        "the frame before {} times more, #2 to #{}\n",
        deeper - 2,
        deeper - 1
    );
    assert!(text.contains(&counted), "{text}");
    assert_eq!(text.matches("deeper+").count(), 2);
    let raw = stdout(&unwind(&dump("6.1-df"), &["--crashed", "--raw"]));
    assert!(!raw.contains("times more") && raw.matches("] <").count() == 0);
    let numbered = raw.lines().filter(|l| l.trim_start().starts_with('#'));
    assert_eq!(numbered.count(), frames(&stacks[0]).len());
    // Each word of each frame, once; the last word of a called frame is its return address.
    let words = json(&unwind(&dump("6.1-df"), &["--json", "--crashed", "--raw"]));
    let words = frames(&words[0]);
    for pair in words.windows(2).filter(|p| p[0]["stack"] == p[1]["stack"]) {
        let last = pair[0]["words"].as_array().and_then(|w| w.last());
        if let Some(last) = last.filter(|_| pair[1]["trust"] != "saved-registers") {
            assert_eq!(last["value"], pair[1]["pc"]);
        }
    }
    let registers = stdout(&unwind(&dump("6.1-df"), &["--crashed", "--regs"]));
    assert!(registers.matches("RIP: ").count() > 10, "{registers}");
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn a_dump_that_is_packed_is_the_same() {
    let packed = std::fs::read(dump("6.1-df")).expect("a dump");
    let plain = Packing::of(&packed)
        .decompress(&packed, 1 << 30)
        .expect("a dump");
    let path = scratch("crashes", "plain").join("dump.elf");
    std::fs::write(&path, plain).expect("written");
    let both = [dump("6.1-df"), path].map(|p| stdout(&unwind(&p, &["--crashed"])));
    assert_eq!(both[0], both[1]);
}
