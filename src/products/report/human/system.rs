//! The kernel as a whole, above its stacks.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Style;
use crate::base::text::{Escaped, escaped_line};
use crate::world::dump::{Report, World};

/// What the states' letters mean, in the order in which they are told.
const STATES: [(char, &str); 10] = [
    ('R', "running"),
    ('D', "uninterruptible"),
    ('S', "sleeping"),
    ('I', "idle"),
    ('T', "stopped"),
    ('t', "traced"),
    ('Z', "zombies"),
    ('P', "parked"),
    ('X', "dead"),
    ('?', "unknown"),
];

/// The label of what brought the kernel down.
const CRASH: &str = "crash";

/// What taints, by letter.
const TAINTS: [(char, &str); 20] = [
    ('P', "proprietary module"),
    ('F', "module forced in"),
    ('S', "CPU out of specification"),
    ('R', "module forced out"),
    ('M', "machine check"),
    ('B', "bad page"),
    ('U', "by user space"),
    ('D', "died before"),
    ('A', "ACPI table overridden"),
    ('W', "warned"),
    ('C', "staging driver"),
    ('I', "firmware workaround"),
    ('O', "out-of-tree module"),
    ('E', "unsigned module"),
    ('L', "soft lockup"),
    ('K', "livepatched"),
    ('X', "auxiliary"),
    ('T', "randomised structures"),
    ('N', "test"),
    ('J', "fwctl"),
];

/// Adds what is known of the kernel in `world`, of whose end the log tells `report`, and an empty line.
pub fn header(world: &World, report: Option<&Report>, style: Style, out: &mut String) {
    let Some(s) = &world.system else { return };
    let mut row = |label: &str, text: String| {
        if !text.is_empty() {
            let (colour, end) = match label {
                CRASH => (style.doubt, style.reset),
                _ => ("", ""),
            };
            let text = escaped_line(&text);
            let _ = write!(out, "{}{label:>8}{}", style.label, style.reset);
            let _ = writeln!(out, "  {colour}{text}{end}");
        }
    };
    let both = |a: &Option<String>, b: &Option<String>| {
        let parts = [a, b].into_iter().flatten();
        parts.map(String::as_str).collect::<Vec<_>>().join("  ")
    };
    row("kernel", both(&s.release, &s.build));
    row("machine", both(&s.node, &s.machine));
    row("", s.hardware.clone().unwrap_or_default());
    let date = s.date.map(date).unwrap_or_default();
    let up = s.uptime.map(|u| format!("up {}", uptime(u)));
    let load = s.load.map(|all| {
        let all = all.map(|l| format!("{}.{:02}", l / 100, l % 100));
        format!("load {}", all.join(" "))
    });
    let when = [Some(date).filter(|d| !d.is_empty()), up, load];
    let when: Vec<String> = when.into_iter().flatten().collect();
    row("date", when.join("   "));
    let cpus = s
        .cpus
        .map(|(present, online)| match present - online.min(present) {
            0 => format!("{online}"),
            offline => format!("{present}, {offline} of them offline"),
        });
    row("CPUs", cpus.unwrap_or_default());
    row("tasks", tasks(&s.tasks));
    let taint = s.taint.as_deref().map(taints);
    row("taint", taint.unwrap_or_default());
    let message = report.map(|r| r.message().to_owned());
    row(CRASH, message.unwrap_or_default());
    out.push('\n');
}

/// Adds what the log tells of the crash, above the stack of the task that crashed.
pub fn report(report: &Report, style: Style, out: &mut String) {
    let mut label = "log:";
    for line in [&report.title].into_iter().chain(&report.causes) {
        let line = escaped_line(line);
        let _ = writeln!(out, "  {}{label}{} {line}", style.label, style.reset);
        label = "    ";
    }
    for difference in &report.differences {
        let difference = Escaped(difference);
        let _ = writeln!(out, "  {}note: {difference}{}", style.doubt, style.reset);
    }
}

/// How many tasks there are, and how many of them in each state.
fn tasks(counts: &BTreeMap<char, usize>) -> String {
    let states = STATES.iter().filter_map(|(letter, name)| {
        let count = counts.get(letter)?;
        Some(format!("{count} {name}"))
    });
    let states: Vec<String> = states.collect();
    format!("{}: {}", counts.values().sum::<usize>(), states.join(", "))
}

fn taints(letters: &str) -> String {
    let meaning = |letter: char| {
        let found = TAINTS.iter().find(|(l, _)| *l == letter);
        found.map(|(_, name)| *name)
    };
    let all: Vec<&str> = letters.chars().filter_map(meaning).collect();
    match (letters, &all[..]) {
        ("", _) => "none".to_owned(),
        (_, []) => letters.to_owned(),
        (_, all) => format!("{letters}  {}", all.join(", ")),
    }
}

/// `3 days 04:05:06`
fn uptime(seconds: u64) -> String {
    let (days, rest) = (seconds / 86400, seconds % 86400);
    let time = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    match days {
        0 => time,
        1 => format!("1 day {time}"),
        _ => format!("{days} days {time}"),
    }
}

/// Seconds since 1970 as date and time in UTC.
fn date(seconds: u64) -> String {
    /// Days from the first of March of year 0 to 1970, and of 400 years.
    const EPOCH: u64 = 719_468;
    const ERA: u64 = 146_097;
    let (days, rest) = (seconds / 86400 + EPOCH, seconds % 86400);
    let day_of_era = days % ERA;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146_096) / 365;
    // Years that begin in March have their odd day last.
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = days / ERA * 400 + year_of_era + next;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_date_u() {
        // `date -u -d @N`
        for (seconds, wanted) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (1_795_861_366, "2026-11-28 10:22:46 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(date(seconds), wanted);
        }
    }

    #[test]
    fn days_of_uptime_are_told_apart() {
        assert_eq!(uptime(8), "00:00:08");
        assert_eq!(uptime(86400 + 3661), "1 day 01:01:01");
        assert_eq!(uptime(3 * 86400), "3 days 00:00:00");
    }

    #[test]
    fn taints_are_spelled_out() {
        assert_eq!(taints(""), "none");
        assert_eq!(taints("G"), "G");
        assert_eq!(taints("GOE"), "GOE  out-of-tree module, unsigned module");
    }
}
