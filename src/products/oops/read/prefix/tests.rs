use super::*;
use proptest::prelude::*;

fn text(line: &str) -> &str {
    &line[prefix(line.as_bytes()).len..]
}

#[test]
fn every_prefix_is_told_from_the_text() {
    for before in [
        "",
        "[   12.345678] ",
        "[   12.345678][  T123] ",
        "[12345.678901] [    C1] ",
        "<4>[    1.000000] ",
        "<4>",
        "[Sun Nov 22 20:42:47 2026] ",
        "[2026-11-22 20:42:47] ",
        "[Nov22 20:31] ",
        "[  +0.000111] ",
        "[ 1916.894444 <    0.000350>] ",
        "\u{feff}[    1.000000] ",
        "2026-11-22T20:42:47,123456+01:00 ",
        "2026-11-22T20:42:47.123456Z ",
        "2026-11-22 20:42:47.123 [   12.345678] ",
        "20:42:47.123 ",
        "kern  :warn  : [   12.345678] ",
        "Nov 22 20:42:47 host kernel: ",
        "Nov  2 20:42:47 host kernel: [   12.345678] ",
        "Nov 22 20:42:47 host.example.org kernel[0]: ",
        "2026-11-22T20:42:47.123456+01:00 host kernel: [   12.345678] ",
        "[   12.345678] host kernel: ",
        "2026-11-22T20:42:47+0100 host kernel: ",
        "<4>2026-11-22T20:42:47.123456+01:00 host kernel - - - ",
        "4,1234,12345678,-;",
        "4,1234,12345678,-,caller=T123;",
        "11-22 20:42:47.123     0     0 W kernel  : ",
        "11-22 20:42:47.123     0     0 W         : ",
        "> [   12.345678] ",
        "> > ",
        ">> ",
        "    ",
        "\x1b[32m[   12.345678] \x1b[0m\x1b[33m",
        "labhost login: [   12.345678] ",
        "/ # [   12.345678] ",
        "# ok 7 lab_test[   12.345678] ",
        "** 12 printk messages dropped ** [   12.345678] ",
        "dmesg.log:123:[   12.345678] ",
        "dmesg.log-124-[   12.345678][  T12] ",
        "logs/a-b.txt:[   12.345678] ",
        "    12\t[   12.345678] ",
        "    12\t",
        "Nov 22 20:42:47 10.0.0.5 [   12.345678] ",
        "Nov 22 20:42:47 10.0.0.5 4,1234,12345678,-,caller=T123;",
        "2026-11-22T20:42:47+01:00 fe80::1 4,1234,12345678,-;",
        "<4>1 2026-11-22T20:42:47.123456+01:00 host kernel - - - ",
        "2026-11-22T20:42:47Z host kernel - - [meta x=\"1\"] ",
        "Tue Nov  2 03:04:05 2026 kern.warn kernel: [   12.345678] ",
        "Tue Nov  2 03:04:05 2026 kern.warn: ",
        "kern.warn: ",
        "kern.alert kernel: ",
        " kernel:[   12.345678] ",
        "build\tRun tests\t2026-11-22T20:42:47.1234567Z [   12.345678] ",
        "build\tRun tests\t2026-11-22T20:42:47.1234567Z ",
        "2026-11-22T20:42:47.123456Z 01O ",
        "2026-11-22T20:42:47.123456789Z stdout F ",
        "<font color=\"red\"><b>",
        "&nbsp;&nbsp;&gt; ",
        "&lt;4&gt;[   12.345678] ",
        "    MESSAGE=",
    ] {
        for said in [
            "RIP: 0010:vfs_read+0x1/0x2",
            "BUG: kernel NULL pointer dereference, address: 0",
            "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [a:1]",
            "? foo+0x1/0x2",
            "12 kernel: of them",
        ] {
            // Numbers and names need a line of a report behind them.
            if !said.starts_with(['R', 'B']) && (before.ends_with('\t') || before.is_empty()) {
                continue;
            }
            if said.starts_with("12") && !before.is_empty() {
                continue;
            }
            assert_eq!(text(&format!("{before}{said}")), said, "{before:?}");
        }
    }
}

#[test]
fn text_is_no_prefix() {
    for line in [
        "Call Trace:",
        "[<ffffffff81000000>] foo+0x1/0x2",
        "[ BUG: Invalid wait context ]",
        "<TASK>",
        "<IRQ>",
        "CPU: 0 PID: 1 Comm: x",
        "this is a kernel: it says so",
        "0-....: (742 ticks this GP)",
        "----[ end trace",
        ">ffff888004645dc0: fb fb",
        "[lab]",
        "12: in words",
        "1-...!: (10499 ticks this GP)",
        "file.c:12: assertion failed",
        "<tagged>",
    ] {
        assert_eq!(text(line), line);
    }
}

#[test]
fn callers_are_kept_apart() {
    let caller = |line: &str| prefix(line.as_bytes()).caller;
    assert_eq!(caller("[ 1.0][  T12] x"), Some(Caller::Task(12)));
    assert_eq!(caller("[ 1.0][    C3] x"), Some(Caller::Cpu(3)));
    assert_eq!(caller("4,1,2,-,caller=C3;x"), Some(Caller::Cpu(3)));
    assert_eq!(caller("[ 1.0] x"), None);
}

proptest! {
    #[test]
    fn a_prefix_lies_in_its_line(line in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(prefix(&line).len <= line.len());
    }

    #[test]
    fn a_prefix_of_its_own_letters_lies_in_its_line(line in "[\\[\\]<>T0-9.,:; |\x1bm-]{0,60}( kernel: )?") {
        prop_assert!(prefix(line.as_bytes()).len <= line.len());
    }
}
