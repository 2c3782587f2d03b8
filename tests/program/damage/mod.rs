//! A thousand truncations and losses of pages of one dump: no task whose pages are there is missing, every CPU is named
//! by its registers, and every reason that is given is true.

mod copies;
mod truth;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Mutex;

use fixtrace::low::formats::image::Storage;
use serde_json::Value;

use crate::common::random::Random;
use crate::common::{kernels, testdata};
use crate::run::{fixtrace, json, stderr};
use copies::{BEHIND, CORRUPT, Damage, Lost, OTHER_PART, PAGE, UNWRITTEN, Whole};
use truth::{Reasons, Tables, plain, wrong_reason};

/// Damaged copies that are tried.
const COPIES: u64 = 1000;

fn unwind(files: &[PathBuf], version: &str, modules: &[PathBuf]) -> Output {
    let text = |p: &Path| p.display().to_string();
    let mut args = vec!["unwind".to_owned(), "--json".into(), "--no-lines".into()];
    args.extend(["--vmlinux".into(), text(&kernels::vmlinux_path(version))]);
    for module in modules {
        args.extend(["--module".to_owned(), text(module)]);
    }
    args.extend(files.iter().map(|f| text(f)));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    fixtrace(&args, b"")
}

/// A task as the whole dump has it.
struct Known {
    address: u64,
    pid: Value,
    comm: Value,
    cpu: Value,
    running: bool,
    /// PCs and notes, innermost first.
    frames: Vec<(Value, Value)>,
}

impl Known {
    fn of(stack: &Value) -> Self {
        let hex = |v: &Value| u64::from_str_radix(v.as_str()?.strip_prefix("0x")?, 16).ok();
        let frames = stack["frames"].as_array().expect("frames").iter();
        Known {
            address: hex(&stack["task"]).unwrap_or(0),
            pid: stack["pid"].clone(),
            comm: stack["comm"].clone(),
            cpu: stack["cpu"].clone(),
            running: stack["running"] == true,
            frames: frames
                .map(|f| (f["pc"].clone(), f["notes"].clone()))
                .collect(),
        }
    }

    fn pcs(&self) -> Vec<&Value> {
        self.frames.iter().map(|f| &f.0).collect()
    }
}

/// A dump, and what is known of it.
struct Case<'w> {
    whole: &'w Whole,
    tables: Tables<'w>,
    version: &'w str,
    modules: Vec<PathBuf>,
    tasks: Vec<Known>,
    /// Bytes of a `task_struct`: no two are nearer.
    task_size: u64,
    /// Pages that more depends on than on others.
    hot: Vec<u64>,
    /// What is said of the whole dump.
    known: BTreeSet<String>,
    folder: PathBuf,
}

impl<'w> Case<'w> {
    fn new(whole: &'w Whole, version: &'w str, modules: Vec<PathBuf>, name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("fixtrace-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut case = Case {
            whole,
            tables: Tables::of(whole),
            version,
            modules,
            tasks: Vec::new(),
            task_size: 0,
            hot: Vec::new(),
            known: BTreeSet::new(),
            folder,
        };
        let file = case.folder.join("whole");
        std::fs::write(&file, &whole.as_kdump(None).bytes).expect("written");
        let out = unwind(&[file], version, &case.modules);
        // Of a dump that was cut down some pages are missing already.
        assert!(matches!(out.status.code(), Some(0 | 3)), "{}", stderr(&out));
        case.known = stderr(&out).lines().map(plain).collect();
        case.tasks = json(&out).iter().map(Known::of).collect();
        let mut places: Vec<u64> = case.tasks.iter().map(|t| t.address).collect();
        places.sort_unstable();
        let gaps = places.windows(2).map(|w| w[1] - w[0]);
        case.task_size = gaps.min().expect("tasks").min(0x4000);
        let mut hot = BTreeSet::new();
        for task in &case.tasks {
            hot.extend(case.pages_of(task));
            for at in (task.address..task.address + case.task_size).step_by(PAGE) {
                hot.extend(case.tables.way(at).tables);
            }
        }
        case.hot = hot.into_iter().collect();
        case
    }

    /// Pages of its `task_struct`; those that the dump never had are not missed.
    fn pages_of(&self, task: &Known) -> BTreeSet<u64> {
        let last = task.address + self.task_size - 1;
        let places = (task.address..last).step_by(PAGE).chain([last]);
        let pages = places.filter_map(|at| self.tables.way(at).page);
        pages.filter(|p| self.whole.pages.contains_key(p)).collect()
    }

    /// Whether `line` is of a page that the dump never had: it was cut down.
    fn never_had(&self, line: &str) -> bool {
        let place = line.split_once("memory+0x").map(|(_, rest)| rest);
        let digits = place.and_then(|rest| rest.split(':').next());
        let at = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        at.is_some_and(|at| !self.whole.pages.contains_key(&(at / PAGE as u64)))
    }

    /// What is wrong with what was said of a copy from which `lost` is missing.
    fn faults(&self, out: &Output, lost: &Lost, said: &Mutex<Reasons>) -> Vec<String> {
        let mut faults = Vec::new();
        let mut said = said.lock().expect("reasons");
        for line in stderr(out).lines() {
            said.count("said", line.rsplit_once("copy: ").map_or(line, |l| l.1));
            if self.known.contains(&plain(line)) {
                continue;
            }
            let reasons = [BEHIND, UNWRITTEN, CORRUPT, OTHER_PART];
            let named = reasons.iter().filter(|r| line.contains(**r));
            let wrong = named.filter(|r| !lost.values().any(|why| why == *r));
            faults.extend(wrong.map(|_| format!("not so: {line}")));
            let missing = line.contains("not in the dump") && !self.never_had(line);
            if missing || line.contains("is not the") {
                faults.push(line.to_owned());
            }
        }
        if !matches!(out.status.code(), Some(0 | 3)) {
            faults.push(format!(
                "ends with {:?}: {}",
                out.status.code(),
                stderr(out)
            ));
            return faults;
        }
        if out.status.code() == Some(0) && !lost.is_empty() {
            said.count("exit", "0 although pages are lost that nothing asked for");
        }
        let found: Vec<Value> = json(out);
        let by_place: BTreeMap<u64, (Known, &Value)> = found
            .iter()
            .map(|v| (Known::of(v), v))
            .filter(|(k, _)| k.address != 0)
            .map(|(k, v)| (k.address, (k, v)))
            .collect();
        for task in &self.tasks {
            let there = self.pages_of(task).iter().all(|p| !lost.contains_key(p));
            let Some((seen, value)) = by_place.get(&task.address) else {
                if there {
                    faults.push(format!(
                        "no task {} {} at {:x}",
                        task.pid, task.comm, task.address
                    ));
                }
                continue;
            };
            if there && (&seen.pid, &seen.comm) != (&task.pid, &task.comm) {
                faults.push(format!(
                    "{} {} is {} {}",
                    task.pid, task.comm, seen.pid, seen.comm
                ));
            }
            if seen.running != task.running {
                said.count("running", "not known to run");
                continue;
            }
            faults.extend(self.stack_faults(task, seen, value, lost, &mut said));
        }
        // Each CPU's registers are in the notes.
        for task in self.tasks.iter().filter(|t| t.running) {
            let same = |v: &&Value| v["running"] == true && v["cpu"] == task.cpu;
            let shown = found.iter().find(same).map(Known::of);
            let pc = |t: &Known| t.frames.first().map(|f| f.0.clone());
            match shown {
                None => faults.push(format!("no CPU {}", task.cpu)),
                Some(shown) if pc(&shown) != pc(task) => {
                    faults.push(format!("CPU {} is at {:?}", task.cpu, pc(&shown)));
                }
                Some(_) => {}
            }
        }
        for value in found.iter().filter(|v| v["task"].is_null()) {
            self.stop_faults(value, lost, &mut said, &mut faults);
        }
        let known: BTreeSet<u64> = self.tasks.iter().map(|t| t.address).collect();
        for (seen, _) in by_place
            .values()
            .filter(|(k, _)| !known.contains(&k.address))
        {
            faults.push(format!(
                "a task of nobody: {} {} at {:x}",
                seen.pid, seen.comm, seen.address
            ));
        }
        faults
    }

    fn stop_faults(
        &self,
        value: &Value,
        lost: &Lost,
        said: &mut Reasons,
        faults: &mut Vec<String>,
    ) {
        let detail = value["stop_detail"].as_str().unwrap_or_default();
        said.count("stop", detail);
        faults.extend(wrong_reason(detail, &self.tables, lost));
    }

    /// A stack that differs from the whole dump's ends earlier, and because of memory that is lost.
    fn stack_faults(
        &self,
        task: &Known,
        seen: &Known,
        value: &Value,
        lost: &Lost,
        said: &mut Reasons,
    ) -> Vec<String> {
        let mut faults = Vec::new();
        let who = format!("{} {}", task.pid, task.comm);
        self.stop_faults(value, lost, said, &mut faults);
        let (all, part) = (task.pcs(), seen.pcs());
        if !all.starts_with(&part) {
            faults.push(format!("{who}: another stack: {part:?}, not {all:?}"));
        } else if part.len() < all.len() && !wants_pages(value) {
            faults.push(format!("{who}: ends for {}", value["stop_detail"]));
        }
        for (frame, whole) in seen.frames.iter().zip(&task.frames) {
            if frame.1 != whole.1 {
                faults.push(format!("{who}: notes {} for {}", frame.1, whole.1));
            }
        }
        faults
    }

    /// Copy number `seed`: its files, what is lost, and how it came to be.
    fn copy(
        &self,
        seed: u64,
        kdump: &copies::Copy,
        elf: &copies::Copy,
    ) -> (Vec<Vec<u8>>, Lost, String) {
        let mut random =
            Random(0x9e37_79b9_7f4a_7c15 ^ (seed + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
        random.next();
        match seed % 10 {
            0 | 1 => {
                let len = random.below(kdump.bytes.len() as u64) as usize;
                let (file, lost) = kdump.cut(len.max(kdump.head));
                (vec![file], lost, format!("kdump cut at {len}"))
            }
            2 => {
                let room = (elf.bytes.len() - elf.head) as u64;
                let len = elf.head + random.below(room) as usize;
                let (file, lost) = elf.cut(len);
                (vec![file], lost, format!("ELF cut at {len}"))
            }
            3 => {
                let last = *self.whole.pages.keys().next_back().expect("pages") + 1;
                let mut ends = [random.below(last), random.below(last)];
                ends.sort_unstable();
                let ranges = [(0, ends[0]), (ends[0], ends[1]), (ends[1], last)];
                let given = 1 + random.below(6);
                let chosen: Vec<_> = (0..3).rev().filter(|n| given >> n & 1 != 0).collect();
                let files = chosen
                    .iter()
                    .map(|n| self.whole.as_kdump(Some(ranges[*n])).bytes);
                let gone = |page: &&u64| {
                    let within = |n: &usize| (ranges[*n].0..ranges[*n].1).contains(*page);
                    !chosen.iter().any(within)
                };
                let lost = self
                    .whole
                    .pages
                    .keys()
                    .filter(gone)
                    .map(|p| (*p, OTHER_PART));
                (
                    files.collect(),
                    lost.collect(),
                    format!("parts {chosen:?} of {ranges:?}"),
                )
            }
            kind => {
                let damage = match kind {
                    4 | 5 => Damage::NoRow,
                    6 => Damage::BadRow,
                    7 => Damage::Zeroes,
                    _ => Damage::Flipped,
                };
                let all: Vec<u64> = self.whole.pages.keys().copied().collect();
                let count = [1, 1, 3, 20, self.hot.len() as u64 / 2][random.below(5) as usize];
                let from = if random.below(4) == 0 {
                    &all
                } else {
                    &self.hot
                };
                let pick = |_| from[random.below(from.len() as u64) as usize];
                let pages: BTreeSet<u64> = (0..count).map(pick).collect();
                let (file, lost) = kdump.without(&pages, damage, &mut random);
                (vec![file], lost, format!("{damage:?} of {count} pages"))
            }
        }
    }

    /// Tries all copies; prints the reasons that were given, and fails for what was wrong.
    fn run(&self) {
        let (kdump, elf) = (self.whole.as_kdump(None), self.whole.as_elf());
        let (said, faults) = (Mutex::new(Reasons::default()), Mutex::new(Vec::new()));
        let next = std::sync::atomic::AtomicU64::new(0);
        let worker = || loop {
            let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if seed >= COPIES {
                return;
            }
            let (files, lost, how) = self.copy(seed, &kdump, &elf);
            let name = |n: usize| self.folder.join(format!("{seed}-{n}-copy"));
            let paths: Vec<PathBuf> = (0..files.len()).map(name).collect();
            for (path, file) in paths.iter().zip(&files) {
                std::fs::write(path, file).expect("written");
            }
            let begun = std::time::Instant::now();
            let out = unwind(&paths, self.version, &self.modules);
            let slow = begun.elapsed().as_secs() > 60;
            let mut wrong = self.faults(&out, &lost, &said);
            wrong.extend(slow.then(|| "takes more than a minute".to_owned()));
            let label = format!("{seed} ({how}; {} pages lost)", lost.len());
            let mut all = faults.lock().expect("faults");
            for fault in wrong {
                eprintln!("{label}: {fault}");
                all.push(format!("{label}: {fault}"));
            }
            for path in &paths {
                let _ = std::fs::remove_file(path);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(worker);
            }
        });
        let _ = std::fs::remove_dir_all(&self.folder);
        said.into_inner().expect("reasons").print();
        let faults = faults.into_inner().expect("faults");
        let shown = faults.iter().take(40).cloned().collect::<Vec<_>>();
        assert!(
            faults.is_empty(),
            "{} faults:\n{}",
            faults.len(),
            shown.join("\n")
        );
    }
}

/// Whether a stack ends because of memory that is lost: its own, or what tells which module its code is of.
fn wants_pages(stack: &Value) -> bool {
    stack["stop"] == "unreadable" || stack["stop"] == "unknown-code"
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn what_is_left_of_a_damaged_dump_is_all_shown() {
    let storage = Storage::new();
    let path = testdata("dumps/6.1-misc.elf.xz");
    let whole = Whole::read(storage.plain(&path).expect("a dump"));
    let module = testdata("snapshots/modules/lab-6.1-2.ko.xz");
    Case::new(&whole, "6.1", vec![module], "damage").run();
}

/// The same of a dump of one's own: `FIXTRACE_VMCORE=FILE:VERSION[:MODULE…]`, ELF or kdump without packed pages.
#[test]
#[ignore = "needs a dump: FIXTRACE_VMCORE"]
fn what_is_left_of_a_damaged_dump_of_one_s_own_is_all_shown() {
    let Some(named) = std::env::var_os("FIXTRACE_VMCORE") else {
        return;
    };
    let named = named.into_string().expect("text");
    let mut parts = named.split(':');
    let (file, version) = (
        parts.next().expect("a file"),
        parts.next().expect("a version"),
    );
    let modules = parts.map(PathBuf::from).collect();
    let storage = Storage::new();
    let whole = Whole::read(storage.plain(Path::new(file)).expect("a dump"));
    Case::new(&whole, version, modules, "own").run();
}
