//! The machine and what became of it, in a snapshot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::world::dump::{Report, System};

/// `text` without what a terminal would obey: a snapshot may come from anybody.
pub(super) fn plain(text: String) -> String {
    match text.contains(char::is_control) {
        true => text.replace(char::is_control, "?"),
        false => text,
    }
}

/// The machine and what became of it.
#[derive(Serialize, Deserialize)]
pub(super) struct Machine {
    release: Option<String>,
    build: Option<String>,
    node: Option<String>,
    machine: Option<String>,
    hardware: Option<String>,
    date: Option<u64>,
    uptime: Option<u64>,
    load: Option<[u64; 3]>,
    cpus: Option<(u32, u32)>,
    taint: Option<String>,
    #[serde(default)]
    tasks: BTreeMap<char, usize>,
    #[serde(default)]
    report: Option<Told>,
}

/// What the log told of the crash.
#[derive(Serialize, Deserialize)]
struct Told {
    title: String,
    causes: Vec<String>,
    differences: Vec<String>,
    error_code: Option<u64>,
}

impl Told {
    fn of(r: Report) -> Self {
        Told {
            title: r.title,
            causes: r.causes,
            differences: r.differences,
            error_code: r.error_code,
        }
    }

    fn into(self) -> Report {
        Report {
            title: plain(self.title),
            causes: self.causes.into_iter().map(plain).collect(),
            differences: self.differences.into_iter().map(plain).collect(),
            error_code: self.error_code,
        }
    }
}

impl Machine {
    pub(super) fn of(s: &System) -> Self {
        let s = s.clone();
        Machine {
            release: s.release,
            build: s.build,
            node: s.node,
            machine: s.machine,
            hardware: s.hardware,
            date: s.date,
            uptime: s.uptime,
            load: s.load,
            cpus: s.cpus,
            taint: s.taint,
            tasks: s.tasks,
            report: s.report.map(Told::of),
        }
    }

    pub(super) fn into(self) -> System {
        System {
            release: self.release.map(plain),
            build: self.build.map(plain),
            node: self.node.map(plain),
            machine: self.machine.map(plain),
            hardware: self.hardware.map(plain),
            date: self.date,
            uptime: self.uptime,
            load: self.load,
            cpus: self.cpus,
            taint: self.taint.map(plain),
            tasks: self.tasks,
            report: self.report.map(Told::into),
        }
    }
}
