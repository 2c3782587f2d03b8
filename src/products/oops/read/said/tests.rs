use super::*;
use proptest::prelude::*;

#[test]
fn the_line_of_the_cpu_is_read_in_every_form() {
    let read = |text| match said(text, false) {
        Said::Cpu(c) => (c.cpu, c.pid, c.comm, c.taint, c.release),
        other => panic!("{text}: {other:?}"),
    };
    let release = Some("5.10.0-32-cloud-amd64");
    assert_eq!(
        read(
            "CPU: 0 PID: 90 Comm: trig Tainted: G           OE     5.10.0-32-cloud-amd64 #1 Debian"
        ),
        (
            Some(0),
            Some(90),
            Some("trig"),
            Some("G           OE"),
            release
        )
    );
    assert_eq!(
        read("CPU: 3 UID: 0 PID: 90 Comm: a b Not tainted 6.12.107+deb13-cloud-amd64 #1"),
        (
            Some(3),
            Some(90),
            Some("a b"),
            None,
            Some("6.12.107+deb13-cloud-amd64")
        )
    );
    // Wrapped before the number of the build.
    assert_eq!(
        read("CPU: 0 PID: 87 Comm: init Tainted: G           OE     5.10.0-32-cloud-amd64"),
        (
            Some(0),
            Some(87),
            Some("init"),
            Some("G           OE"),
            release
        )
    );
    assert_eq!(
        read("CPU: 0 PID: 1 Comm: x"),
        (Some(0), Some(1), Some("x"), None, None)
    );
    let id = "0123456789abcdef0123456789abcdef01234567";
    let text = format!("CPU: 0 PID: 1 Comm: x Not tainted 6.12.0 #1 SMP {id}");
    assert!(matches!(said(&text, false), Said::Cpu(c) if c.build_id == Some(id)));
}

#[test]
fn tasks_are_read_in_both_forms() {
    let read = |text| match said(text, false) {
        Said::Task(t) => Some((t.comm, t.state, t.pid)),
        _ => None,
    };
    assert_eq!(
        read(
            "task:lab_hung        state:D stack:0     pid:115   tgid:115   ppid:2      flags:0x00080000"
        ),
        Some(("lab_hung", Some('D'), Some(115)))
    );
    assert_eq!(
        read(
            "task:init            state:R  running task     stack:    0 pid:    1 ppid:     0 flags:0x0"
        ),
        Some(("init", Some('R'), Some(1)))
    );
    assert_eq!(
        read("systemd         S ffff88003f8b7d48     0     1      0 0x00000000"),
        Some(("systemd", Some('S'), Some(1)))
    );
    assert_eq!(
        read("swapper/0       R  running task        0     0      0 0x00000008"),
        Some(("swapper/0", Some('R'), Some(0)))
    );
    assert_eq!(read("a line of words that has such a W in it"), None);
}

#[test]
fn every_line_of_a_report_says_something() {
    for (text, expected) in [
        ("Call Trace:", Said::Trace),
        ("<TASK>", Said::Stack("TASK", true)),
        ("</#DF>", Said::Stack("#DF", false)),
        ("Code: 90 <0f> 0b", Said::Code(" 90 <0f> 0b")),
        ("Modules linked in: lab(OE)", Said::Modules(" lab(OE)")),
        (
            "Kernel Offset: 0x29400000 from 0xffffffff81000000 (relocation range: 0-1)",
            Said::Offset(0x2940_0000),
        ),
        ("Kernel Offset: disabled", Said::Offset(0)),
        ("---[ end trace 0123456789abcdef ]---", Said::EndTrace),
        (
            "---[ end Kernel panic - not syncing: Fatal exception ]---",
            Said::EndPanic,
        ),
        ("#PF: supervisor write access in kernel mode", Said::Detail),
        ("Tainted: [O]=OOT_MODULE, [E]=UNSIGNED_MODULE", Said::Detail),
        (
            "Workqueue: events lab_work [lab]",
            Said::Workqueue("events lab_work [lab]"),
        ),
        ("lab: op hung", Said::Other),
        ("", Said::Other),
        ("<a line in brackets>", Said::Other),
    ] {
        assert_eq!(said(text, false), expected);
    }
}

proptest! {
    #[test]
    fn what_does_not_matter_says_nothing(text in "[ -~]{0,60}") {
        let quiet = matches!(
            said(&text, false),
            Said::Other | Said::Detail | Said::At(_) | Said::Registers(_) | Said::Hardware(_) | Said::Taint(_)
                | Said::Modules(_) | Said::Stack(..)
        );
        prop_assert!(quiet || may_matter(text.as_bytes()), "{text:?}");
    }

    #[test]
    fn any_text_is_read(text in "\\PC{0,80}", indented: bool) {
        let _ = said(&text, indented);
    }
}
