//! The machine, the kernel and what became of it, as `uname`, `uptime` and the log's head lines tell.
//!
//! Sources: include/linux/utsname.h, include/linux/timekeeper_internal.h, kernel/sched/loadavg.c, kernel/panic.c
//! `taint_flags` (Linux 5.10-7.2).

use std::collections::BTreeMap;

use super::read::Reader;
use super::task::Task;
use crate::base::addr::{Addr, Address};
use crate::world::memory::Dump;

/// Bits of a load behind the point (`FSHIFT`).
const FSHIFT: u32 = 11;

/// Bytes of a text of `struct new_utsname`.
const UTS: u64 = 65;

/// Bytes of the machine's own description.
const DESCRIPTION: u64 = 128;

/// The letters of taints by bit (Linux 7.2).
const TAINTS: &[u8; 20] = b"PFSRMBUDAWCIOELKXTNJ";

/// What is known of a system; what is not is `None`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct System {
    /// `uname -r`
    pub release: Option<String>,
    /// `uname -v`: the build.
    pub build: Option<String>,
    /// `uname -n`
    pub node: Option<String>,
    /// `uname -m`
    pub machine: Option<String>,
    /// The machine's own description: vendor, model, firmware.
    pub hardware: Option<String>,
    /// Seconds since 1970.
    pub date: Option<u64>,
    /// Seconds since it was booted.
    pub uptime: Option<u64>,
    /// Load of the last minute, 5 and 15 minutes, in hundredths.
    pub load: Option<[u64; 3]>,
    /// CPUs that are there, and those of them that are online.
    pub cpus: Option<(u32, u32)>,
    /// Letters of what taints it; empty for none.
    pub taint: Option<String>,
    /// How many tasks there are in each state.
    pub tasks: BTreeMap<char, usize>,
    /// The newest report of a crash in its log.
    pub report: Option<Report>,
}

/// A report of a crash in the log, beside the stack of the task that crashed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Its main line.
    pub title: String,
    /// What the kernel says of it in other lines, the panic last.
    pub causes: Vec<String>,
    /// Where log and stack tell different things, in words.
    pub differences: Vec<String>,
    /// The exception's error code.
    pub error_code: Option<u64>,
}

impl Report {
    /// What the kernel said when it went down: that it panicked, else the main line.
    pub fn message(&self) -> &str {
        let panic = self.causes.iter().find(|c| c.starts_with("Kernel panic"));
        panic.unwrap_or(&self.title)
    }
}

/// The system in `dump`, which has `tasks`.
pub(super) fn of(r: &Reader<'_, '_>, dump: &Dump<'_>, tasks: &[Task]) -> System {
    let [uts, description, load, tainted] = r.symbols([
        "init_uts_ns",
        "dump_stack_arch_desc_str",
        "avenrun",
        "tainted_mask",
    ]);
    let name = |member: &str| {
        let path = format!("name.{member}");
        let offset = r.types.offset("uts_namespace", &path)?;
        let text = r.text(uts?.offset(offset.cast_signed()), UTS).ok()?;
        Some(text).filter(|t| !t.is_empty())
    };
    let loads = |at: Addr| {
        let one = |n: i64| {
            let fixed = r.memory.u64(at.offset(n * 8)).ok()?;
            Some(fixed.checked_mul(100)?.checked_add(1 << (FSHIFT - 1))? >> FSHIFT)
        };
        Some([one(0)?, one(1)?, one(2)?])
    };
    let hardware = description.and_then(|at| r.text(at, DESCRIPTION).ok());
    let mut states = BTreeMap::new();
    for task in tasks {
        *states.entry(task.state).or_default() += 1;
    }
    let noted = dump.vmcoreinfo().and_then(|i| i.crash_time());
    System {
        release: name("release").or_else(|| r.vmlinux.release().map(str::to_owned)),
        build: name("version"),
        node: name("nodename"),
        machine: name("machine"),
        hardware: hardware.filter(|h| !h.is_empty()),
        date: noted.or_else(|| clock(r, "xtime_sec")),
        uptime: clock(r, "ktime_sec"),
        load: load.and_then(loads),
        cpus: cpus(r),
        taint: tainted.and_then(|at| r.memory.u64(at).ok()).map(letters),
        tasks: states,
        report: None,
    }
}

/// A member of the timekeeper: a variable of its own, or in one that holds all clocks (6.13).
fn clock(r: &Reader<'_, '_>, member: &str) -> Option<u64> {
    let [shadow, data, core] = r.symbols(["shadow_timekeeper", "timekeeper_data", "tk_core"]);
    let own = r.types.field("timekeeper", member)?;
    let inside = r.types.offset("tk_data", "timekeeper");
    let at = shadow.or_else(|| Some(data.or(core)?.offset(inside?.cast_signed())))?;
    r.get(at, own).ok().filter(|seconds| *seconds > 0)
}

/// CPUs that are there, and that are online.
fn cpus(r: &Reader<'_, '_>) -> Option<(u32, u32)> {
    /// Words of a mask that are looked at.
    const WORDS: i64 = 128;
    let [present, online, count] =
        r.symbols(["__cpu_present_mask", "__cpu_online_mask", "nr_cpu_ids"]);
    let count = count.and_then(|at| r.memory.u32(at).ok()).unwrap_or(64);
    let words = i64::from(count.div_ceil(64)).min(WORDS);
    let ones = |mask: Addr| {
        let word = |n: i64| Some(r.memory.u64(mask.offset(n * 8)).ok()?.count_ones());
        (0..words).map(word).sum::<Option<u32>>()
    };
    Some((ones(present?)?, ones(online?)?))
}

/// The letters of the bits in `mask`; `G` stands for a kernel without proprietary modules, as the log has it.
fn letters(mask: u64) -> String {
    if mask == 0 {
        return String::new();
    }
    let set = |(bit, letter): (usize, &u8)| {
        let set = mask >> bit & 1 != 0;
        match (bit, set) {
            (0, false) => Some('G'),
            (_, true) => Some(char::from(*letter)),
            _ => None,
        }
    };
    TAINTS.iter().enumerate().filter_map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taints_have_the_letters_of_the_log() {
        assert_eq!(letters(0), "");
        // "Tainted: G           OE" of a module from elsewhere without a signature.
        assert_eq!(letters(1 << 12 | 1 << 13), "GOE");
        assert_eq!(letters(1 | 1 << 7 | 1 << 9), "PDW");
    }
}
