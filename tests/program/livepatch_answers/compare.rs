//! What the program says of a boot, held to what its kernel answered.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::boot::{Answer, Boot, Case, Dump, key, list, text};
use crate::run::{json, stderr};

/// Threads that wait for another thing, and come back to where they were, whenever there is something for them to do: of
/// RCU, and those that print the kernel's log where it can be preempted, so also the answers.
const WAKE: [&str; 2] = ["rcu_", "pr/"];

/// What init of the guest waits with: begun when the kernel had been asked, and over before it is asked again.
const LATER: &str = "zz";

/// Tasks that are on a CPU now and then: idle tasks; those that are there to run, or to keep others from it; those that
/// collect; workers.
const RUN: [&str; 9] = [
    "swapper/", "u_spin", "k_zero", "k/spin", "sample", "b_bpf", "init", "rcu_", "kworker/",
];

/// How much was compared.
#[derive(Default)]
pub struct Tally {
    /// Cases, each from a dump.
    pub cases: usize,
    /// Answers about a task.
    pub tasks: usize,
    /// Those that are the kernel's.
    pub equal: usize,
    /// Addresses in stacks, and functions as the kernel resolved them.
    pub addresses: usize,
    /// Tasks that did something else at the one time than at the other, and why that is known.
    pub moved: BTreeMap<(String, &'static str), usize>,
    /// All else.
    pub wrong: Vec<String>,
    /// How often each verdict was given and right.
    pub verdicts: BTreeMap<String, usize>,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.cases += other.cases;
        self.tasks += other.tasks;
        self.equal += other.equal;
        self.addresses += other.addresses;
        self.wrong.extend(other.wrong);
        for (who, count) in other.moved {
            *self.moved.entry(who).or_default() += count;
        }
        for (verdict, count) in other.verdicts {
            *self.verdicts.entry(verdict).or_default() += count;
        }
    }

    /// What was said of a task, and what was to be said.
    fn task<T: PartialEq + fmt::Debug>(&mut self, who: &str, ours: &T, theirs: &T) -> bool {
        self.tasks += 1;
        let same = ours == theirs;
        match same {
            true => self.equal += 1,
            false => self.wrong(format!("{who}: {ours:?}, the kernel {theirs:?}")),
        }
        same
    }

    fn moved(&mut self, comm: &str, why: &'static str) {
        *self.moved.entry((comm.to_owned(), why)).or_default() += 1;
    }

    pub fn wrong(&mut self, what: String) {
        self.wrong.push(what);
    }
}

/// A row of the table: boot, cases, tasks, how many equal.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moved: usize = self.moved.values().sum();
        let Tally {
            cases,
            tasks,
            equal,
            addresses,
            ..
        } = self;
        write!(
            f,
            "{cases:5} cases {tasks:6} tasks {equal:6} equal {moved:4} moved {addresses:6} addresses"
        )
    }
}

/// Whether a task runs: what was asked at another time says nothing of it.
fn runs(comm: &str, ours: bool, theirs: bool, tally: &mut Tally) -> bool {
    let runs = ours || theirs;
    if runs {
        tally.moved(comm, "on a CPU");
        if !RUN.iter().any(|r| comm.starts_with(r)) {
            tally.wrong(format!("{comm} is on a CPU"));
        }
    }
    runs
}

/// The verdict of each stack in `dump`, and the stack, by task.
fn stacks(boot: &Boot, dump: &Dump) -> BTreeMap<String, Value> {
    let out = boot.run("unwind", dump, &[]);
    assert!(
        matches!(out.status.code(), Some(0 | 3)),
        "{}: {}",
        boot.name,
        stderr(&out)
    );
    json(&out).into_iter().map(|s| (key(&s), s)).collect()
}

/// A stack is as reliable as the kernel says, and has the entries that it has.
fn stack(boot: &Boot, who: &str, ours: &Value, theirs: (&Value, &Value), tally: &mut Tally) {
    let (reliable, entries) = theirs;
    let reliable = reliable.as_i64().expect("a number") >= 0;
    let pcs = list(&ours["frames"]).iter().map(|f| text(&f["pc"]));
    let pcs: Vec<&str> = pcs.collect();
    let comm = text(&ours["comm"]);
    let entries = match reliable {
        true => boot.entries(entries),
        // It gives none.
        false => pcs.clone(),
    };
    let both = ours["reliable"] == true && reliable;
    if WAKE.iter().any(|w| comm.starts_with(w)) && both && pcs != entries {
        return tally.moved(comm, "woke up");
    }
    tally.addresses += if reliable { entries.len() } else { 0 };
    let ours = (ours["reliable"] == true, pcs);
    tally.task(who, &ours, &(reliable, entries));
}

/// `unwind` of what was before any patch, every task.
pub fn before(boot: &Boot, dump: &Dump, tally: &mut Tally) {
    let mut ours = stacks(boot, dump);
    tally.cases += 1;
    for row in list(&boot.answers["pre"]) {
        let (key, comm) = (text(&row[0]), text(&row[1]));
        let Some(own) = ours.remove(key) else {
            tally.wrong(format!("{} pre: no task {key} {comm}", boot.name));
            continue;
        };
        if !runs(comm, own["running"] == true, row[3] != 0, tally) {
            let who = format!("{} pre {key} {comm}", boot.name);
            stack(boot, &who, &own, (&row[4], &row[5]), tally);
        }
    }
    for (key, own) in ours {
        if own["comm"] == LATER {
            tally.moved(LATER, "began later");
            continue;
        }
        tally.wrong(format!(
            "{} pre: the kernel has no task {key} {}",
            boot.name, own["comm"]
        ));
    }
}

/// `unwind` of the dump of a case, the tasks of interest.
pub fn during(boot: &Boot, case: &Case<'_>, dump: &Dump, tally: &mut Tally) {
    let mut ours = stacks(boot, dump);
    tally.cases += 1;
    for task in case.tasks() {
        let who = format!(
            "{} {} {} {}",
            boot.name,
            case.moment(),
            task.key(),
            task.comm()
        );
        let Some(own) = ours.remove(&task.key()) else {
            tally.wrong(format!("{who}: not in the dump"));
            continue;
        };
        if !runs(
            task.comm(),
            own["running"] == true,
            task.0["on_cpu"] != 0,
            tally,
        ) {
            stack(
                boot,
                &who,
                &own,
                (&task.0["reliable"], &task.0["stack"]),
                tally,
            );
        }
    }
}

/// What `livepatch` says of the patch of `case`.
pub struct Asked<'a, 'b> {
    pub boot: &'b Boot,
    pub case: &'a Case<'b>,
    /// Whether the dump is of the case, and not of before.
    pub inside: bool,
    /// Whether the patch is named, and not found in the dump.
    pub named: bool,
}

impl Asked<'_, '_> {
    /// Runs it, and compares all that there is.
    pub fn compare(&self, dump: &Dump, tally: &mut Tally) {
        let lines = self.lines(dump);
        tally.cases += 1;
        let name = self.name();
        let Some(first) = lines.first() else {
            return tally.wrong(format!("{name}: nothing is said"));
        };
        if let Some(words) = self.case.refused() {
            let says = first["why"].as_str().unwrap_or_default();
            // What it would meet if it were taken follows.
            let refused = first["verdict"] == "refused" && says.contains(words);
            return match refused {
                true => *tally.verdicts.entry("refused".to_owned()).or_default() += 1,
                false => tally.wrong(format!("{name}: {first}, the kernel {words}")),
            };
        }
        self.patch(&first["patch"], tally);
        self.tasks(&lines, tally);
    }

    /// The lines.
    pub fn lines(&self, dump: &Dump) -> Vec<Value> {
        let path = self.boot.module(self.case.patch());
        let path = path.filter(|_| self.named).map(|p| p.display().to_string());
        let named: Vec<&str> = path.iter().flat_map(|p| ["--patch", p]).collect();
        let out = self.boot.run("livepatch", dump, &named);
        let code = out.status.code();
        assert!(
            matches!(code, Some(0 | 1 | 3)),
            "{}: {}",
            self.name(),
            stderr(&out)
        );
        json(&out)
    }

    fn name(&self) -> String {
        let (boot, moment) = (&self.boot.name, self.case.moment());
        let place = match (self.inside, self.named) {
            (true, true) => "inside",
            (true, false) => "inside, alone",
            _ => "before",
        };
        format!("{boot} {moment} {place}")
    }

    /// What is patched, as the kernel resolved it.
    fn patch(&self, ours: &Value, tally: &mut Tally) {
        let (name, case) = (self.name(), self.case);
        let direction = match case.unpatching() {
            true => "unpatching",
            false => "patching",
        };
        let wanted = [case.patch(), direction].map(Value::from);
        let own = [ours["name"].clone(), ours["direction"].clone()];
        if own != wanted {
            tally.wrong(format!("{name}: {own:?}, not {wanted:?}"));
        }
        let open = ours["loaded"] == true && ours["open"] == case.open();
        if self.inside && !open {
            tally.wrong(format!("{name}: {ours}"));
        }
        let mut functions = list(&ours["functions"]).to_vec();
        for theirs in case.patched() {
            let [object, function, sympos, ..] = list(theirs) else {
                panic!("{theirs}")
            };
            let [at, size] = case.tested(function);
            let keys = ["object", "name", "sympos", "address", "size"];
            let wanted = [object, function, sympos, at, size];
            let same = |f: &Value| keys.map(|k| &f[k]) == wanted;
            match functions.iter().position(same) {
                Some(place) => drop(functions.remove(place)),
                None => tally.wrong(format!("{name}: {theirs} is not in {functions:?}")),
            }
            tally.addresses += 1;
        }
        if !functions.is_empty() {
            tally.wrong(format!("{name}: the kernel patches no {functions:?}"));
        }
    }

    fn tasks(&self, lines: &[Value], tally: &mut Tally) {
        let mut answers: BTreeMap<String, Answer<'_>> =
            self.case.tasks().map(|t| (t.key(), t)).collect();
        for line in lines {
            self.task(line, answers.remove(&key(line)), tally);
        }
        for (key, left) in answers {
            // Of the tasks that a scenario starts on the way there are none before it.
            let later =
                !self.inside && !list(&self.boot.answers["pre"]).iter().any(|r| r[0] == *key);
            match later {
                true => tally.moved(left.comm(), "began later"),
                false => tally.wrong(format!("{}: no task {key} {}", self.name(), left.comm())),
            }
        }
    }

    fn task(&self, line: &Value, answer: Option<Answer<'_>>, tally: &mut Tally) {
        let comm = text(&line["comm"]);
        let who = format!("{} {} {comm}", self.name(), key(line));
        if comm == LATER {
            return tally.moved(LATER, "began later");
        }
        if answer.is_some_and(|a| a.comm() != comm) {
            return tally.wrong(format!("{who}: another name"));
        }
        // What is not listed is safe.
        let expected = answer.map_or("safe", Answer::expected);
        let on_cpu = answer.is_some_and(|a| a.0["on_cpu"] != 0) || expected == "running";
        if line["verdict"] != expected && runs(comm, line["verdict"] == "running", on_cpu, tally) {
            return;
        }
        let nothing = (Value::Null, Value::Null, Value::Array(Vec::new()));
        let own = [&line["function"], &line["via"], &line["frames"]].map(Value::clone);
        let [function, via, frames] = own;
        let (own, about) = match (expected, answer) {
            // The frame of what is hidden is in no range; the answer has none.
            ("hidden", Some(a)) => ((function, via, Value::Null), {
                let (function, via, _) = a.about();
                (function, via, Value::Null)
            }),
            // Which frames are in range tells which functions.
            ("blocked" | "blocked-falsely", Some(a)) => (
                (Value::Null, via, frames),
                (Value::Null, Value::Null, a.about().2),
            ),
            ("safe", _) => ((function, via, frames), nothing),
            _ => (
                (Value::Null, via, Value::Null),
                (Value::Null, Value::Null, Value::Null),
            ),
        };
        let verdict = text(&line["verdict"]);
        if tally.task(&who, &(verdict, own), &(expected, about)) {
            let via = answer.and_then(|a| a.0["via"].as_str());
            let verdict = via.map_or(expected.to_owned(), |via| format!("{expected} by {via}"));
            *tally.verdicts.entry(verdict).or_default() += 1;
        }
        let Some(answer) = answer else { return };
        let kernel = &line["kernel"];
        if self.inside && kernel["patch_state"] != answer.0["patch_state"] {
            let states = (&kernel["patch_state"], &answer.0["patch_state"]);
            tally.wrong(format!("{who}: patch_state {states:?}"));
        }
        // An idle task is switched without a test; a task that runs, by itself.
        let tested =
            answer.0["idle"].is_null() && expected != "running" && line["verdict"] != "running";
        let check = match answer.0["kernel"].as_str() {
            Some("switched") if tested && self.case.plain() => "safe",
            Some(check @ ("blocked" | "unreliable")) => check,
            _ => return,
        };
        if kernel["check"] != check {
            tally.wrong(format!(
                "{who}: the kernel's check says {}, and said {check}",
                kernel["check"]
            ));
        }
        if check == "blocked" && kernel["function"].as_str() != answer.sleeps_in() {
            let functions = (&kernel["function"], answer.sleeps_in());
            tally.wrong(format!("{who}: {functions:?}"));
        }
    }
}

/// Everything that there is of a boot.
pub fn all(boot: &Boot) -> Tally {
    let mut tally = Tally::default();
    if let Some(dump) = boot.dump("pre") {
        before(boot, &dump, &mut tally);
        for case in &boot.cases() {
            if case.on_what_was_before() && boot.module(case.patch()).is_some() {
                let (inside, named) = (false, true);
                Asked {
                    boot,
                    case,
                    inside,
                    named,
                }
                .compare(&dump, &mut tally);
            }
        }
    }
    for case in &boot.cases() {
        // What was refused left memory as it was.
        let Some(dump) = boot
            .dump(case.moment())
            .filter(|_| case.refused().is_none())
        else {
            continue;
        };
        during(boot, case, &dump, &mut tally);
        for named in [true, false] {
            // Only a transition that is open tells what is patched.
            if named || case.open() {
                let inside = true;
                Asked {
                    boot,
                    case,
                    inside,
                    named,
                }
                .compare(&dump, &mut tally);
            }
        }
    }
    tally
}

/// Prints a table, with all that is not equal; fails if something of it is wrong. The sum.
pub fn table(rows: Vec<(String, Tally)>) -> Tally {
    let mut sum = Tally::default();
    for (name, row) in rows {
        println!("{name:24} {row}");
        sum.add(row);
    }
    println!("{:24} {sum}", "all");
    println!("{:?}", sum.verdicts);
    for ((comm, why), count) in &sum.moved {
        println!("moved: {comm} {why}: {count}");
    }
    for wrong in &sum.wrong {
        println!("wrong: {wrong}");
    }
    assert!(sum.wrong.is_empty(), "{} differ", sum.wrong.len());
    assert_eq!(sum.equal, sum.tasks);
    // What is let off is what cannot be compared, and little.
    let moved: usize = sum.moved.values().sum();
    assert!(moved * 20 < sum.tasks, "{moved} moved");
    sum
}
