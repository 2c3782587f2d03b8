//! The kernel as a whole as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::world::dump::{Report, World};

/// A kernel and the machine that it ran on.
#[derive(Clone, Serialize, Debug)]
pub struct System<'a> {
    /// `uname -r`
    pub release: Option<&'a str>,
    /// `uname -v`
    pub build: Option<&'a str>,
    /// `uname -n`
    pub node: Option<&'a str>,
    /// `uname -m`
    pub machine: Option<&'a str>,
    /// Vendor, model and firmware.
    pub hardware: Option<&'a str>,
    /// Seconds since 1970.
    pub date: Option<u64>,
    /// Seconds since it was booted.
    pub uptime: Option<u64>,
    /// Load of the last minute, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// CPUs that are there.
    pub cpus: Option<u32>,
    /// Those of them that are online.
    pub online: Option<u32>,
    /// Letters of what taints it.
    pub taint: Option<&'a str>,
    /// What it said when it went down.
    pub message: Option<&'a str>,
    /// Tasks by their state's letter.
    pub tasks: &'a BTreeMap<char, usize>,
    /// The slide of its image.
    pub slide: Option<super::Address>,
}

impl<'a> System<'a> {
    /// The twin of the kernel in `world`, of whose end the log tells `report`; `None` where nothing is known of it.
    pub fn new(world: &'a World, report: Option<&'a Report>) -> Option<Self> {
        let s = world.system.as_ref()?;
        Some(System {
            release: s.release.as_deref(),
            build: s.build.as_deref(),
            node: s.node.as_deref(),
            machine: s.machine.as_deref(),
            hardware: s.hardware.as_deref(),
            date: s.date,
            uptime: s.uptime,
            load: s.load.map(|all| all.map(|l| l as f64 / 100.0)),
            cpus: s.cpus.map(|(present, _)| present),
            online: s.cpus.map(|(_, online)| online),
            taint: s.taint.as_deref(),
            message: report.map(Report::message),
            tasks: &s.tasks,
            slide: world.images.first().map(|i| super::Address(i.slide.0)),
        })
    }
}

/// A report of the log.
#[derive(Clone, Serialize, Debug)]
pub struct Told<'a> {
    /// Its main line.
    pub title: &'a str,
    /// What else the kernel says of it.
    pub causes: &'a [String],
    /// Where log and stack tell different things.
    pub differences: &'a [String],
}

impl<'a> Told<'a> {
    /// The twin of `report`.
    pub fn new(report: &'a Report) -> Self {
        Told {
            title: &report.title,
            causes: &report.causes,
            differences: &report.differences,
        }
    }
}
