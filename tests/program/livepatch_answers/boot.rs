//! A boot of `testdata/livepatch`: what its kernel answered, and where its dumps and modules are.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::common::kernels::{self, VERSIONS};
use crate::common::{scratch, testdata};
use crate::run::fixtrace;

/// A boot.
pub struct Boot {
    /// `KERNEL-NAME`, or KERNEL alone.
    pub name: String,
    /// KERNEL: one of the four, or a release.
    pub kernel: String,
    /// As in `testdata/livepatch/answers`.
    pub answers: Value,
    place: Place,
}

/// Where dumps and modules are.
enum Place {
    /// In the tree: dumps cut down to the pages that are read.
    Tree,
    /// In the directory that `testdata/livepatch/boot.sh` made.
    Lab(PathBuf),
}

/// A dump. One that was unpacked goes with it.
pub struct Dump {
    path: PathBuf,
    unpacked: bool,
}

impl Drop for Dump {
    fn drop(&mut self) {
        if self.unpacked {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Boot {
    /// Those with dumps in the tree.
    pub fn in_tree() -> Vec<Boot> {
        let names = ["5.10-kaslr", "6.1", "6.12", "7.2"];
        let more = ["5.10-bpf", "6.1-bpf", "6.12-bpf", "7.2-bpf", "5.10-tail"];
        names.iter().chain(&more).map(|n| Boot::tree(n)).collect()
    }

    /// The one whose answers are `answers/NAME.json`.
    pub fn tree(name: &str) -> Boot {
        let path = testdata(&format!("livepatch/answers/{name}.json"));
        Boot {
            name: name.to_owned(),
            kernel: name.split('-').next().expect("a version").to_owned(),
            answers: read(&path),
            place: Place::Tree,
        }
    }

    /// The one in `dir`, if its kernel is there. The answers are made of its console, as those in the tree were.
    pub fn lab(dir: &Path) -> Option<Boot> {
        let name = dir.file_name()?.to_string_lossy().into_owned();
        let (kernel, run) = name.rsplit_once('-')?;
        let boot = Boot {
            name: name.clone(),
            kernel: kernel.to_owned(),
            answers: answers(dir, &format!("{kernel}/{run}")),
            place: Place::Lab(dir.to_owned()),
        };
        let there = boot.debug().is_dir();
        if !there {
            println!("{name}: no kernel in {}", boot.debug().display());
        }
        there.then_some(boot)
    }

    /// What is in force or under way at each moment.
    pub fn cases(&self) -> Vec<Case<'_>> {
        let all = list(&self.answers["cases"]).iter();
        all.map(|case| Case { boot: self, case }).collect()
    }

    /// The case that was collected as `moment`.
    pub fn case(&self, moment: &str) -> Case<'_> {
        let mut all = self.cases().into_iter();
        let found = all.find(|c| c.moment() == moment);
        found.unwrap_or_else(|| panic!("{}: no {moment}", self.name))
    }

    /// Addresses of a recorded stack, innermost first.
    pub fn entries(&self, stack: &Value) -> Vec<&str> {
        let address = |e: &'_ Value| -> Option<_> { e.as_str()?.split(' ').next().map(str::len) };
        let all = list(&self.answers["stacks"][number(stack)]).iter();
        all.map(|e| &e.as_str().expect("an entry")[..address(e).expect("an address")])
            .collect()
    }

    /// The same as the kernel printed them: `name+0xoffset/0xsize`.
    pub fn symbols(&self, stack: &Value) -> Vec<&str> {
        let all = list(&self.answers["stacks"][number(stack)]).iter();
        all.map(|e| {
            e.as_str()
                .and_then(|e| e.split_once(' '))
                .expect("a symbol")
                .1
        })
        .collect()
    }

    /// The dump that was made at `moment`, if it is there.
    pub fn dump(&self, moment: &str) -> Option<Dump> {
        let file = format!("{moment}.elf");
        let here = |path: PathBuf| {
            let unpacked = false;
            path.exists().then_some(Dump { path, unpacked })
        };
        match &self.place {
            Place::Tree => here(testdata(&format!(
                "livepatch/dumps/{}-{file}.xz",
                self.name
            ))),
            Place::Lab(dir) => here(dir.join(&file)).or_else(|| self.unpack(dir, &file)),
        }
    }

    fn unpack(&self, dir: &Path, file: &str) -> Option<Dump> {
        let pack = dir.join("packed");
        let entries = pack.join("pack.json");
        let entries = entries.exists().then(|| read(&entries))?;
        list(&entries).iter().find(|e| e["file"] == file)?;
        let to = scratch("livepatches", &format!("{}-{file}", self.name));
        python("pack.py", &["-u".as_ref(), &pack, &to, file.as_ref()]);
        Some(Dump {
            path: to.join(file),
            unpacked: true,
        })
    }

    /// A module of the guest, if its file is there.
    pub fn module(&self, name: &str) -> Option<PathBuf> {
        let path = match &self.place {
            Place::Tree => testdata(&format!("livepatch/ko/{}/{name}.ko.xz", self.kernel)),
            Place::Lab(dir) => dir.join(format!("ko/{name}.ko")),
        };
        path.exists().then_some(path)
    }

    /// Where its kernel is.
    fn debug(&self) -> PathBuf {
        let known = VERSIONS.iter().any(|(v, _)| *v == self.kernel);
        let all = match known {
            true => kernels::kernels(),
            false => kernels::other_kernels(),
        };
        all.join(&self.kernel).join("debug")
    }

    /// Runs the program on `dump`.
    pub fn run(&self, verb: &str, dump: &Dump, more: &[&str]) -> Output {
        let lab = self.module("lab").expect("lab.ko");
        let paths = [&dump.path, &self.debug(), &lab].map(|p| p.display().to_string());
        let [dump, debug, lab] = &paths;
        let args = [
            verb,
            dump,
            "--json",
            "--no-lines",
            "-q",
            "--no-index",
            "--debug-dir",
            debug,
            "--module",
            lab,
        ];
        fixtrace(&[&args, more].concat(), b"")
    }
}

/// A livepatch at a moment.
pub struct Case<'b> {
    boot: &'b Boot,
    case: &'b Value,
}

impl<'b> Case<'b> {
    pub fn moment(&self) -> &'b str {
        text(&self.case["moment"])
    }

    /// The module.
    pub fn patch(&self) -> &'b str {
        text(&self.case["patch"])
    }

    /// Whether the kernel took the functions that were put in place, and not those that were replaced.
    pub fn unpatching(&self) -> bool {
        self.case["direction"] == "unpatching"
    }

    pub fn completed(&self) -> bool {
        self.case["completed"] == true
    }

    pub fn open(&self) -> bool {
        self.case["open"] == true
    }

    /// Why the kernel did not take it.
    pub fn refused(&self) -> Option<&'b str> {
        let said = self.case["refused"].as_array()?.first()?;
        text(said).strip_prefix("livepatch: ")
    }

    /// Whether the tasks of `pre` were those that it found, and it was the only patch.
    pub fn on_what_was_before(&self) -> bool {
        let plain = self.moment() == self.patch();
        plain && self.case["steps"].is_null() && !self.unpatching()
    }

    /// Whether each task was tested by what it was in, and neither forced nor sent a signal.
    pub fn plain(&self) -> bool {
        !forced(self.case) && self.moment() != "signal"
    }

    /// The functions as the kernel resolved them: object, name, sympos, old address and size, new address and size.
    pub fn patched(&self) -> &'b [Value] {
        list(&self.case["patched"])
    }

    /// Where the kernel looks for `function` on stacks: address and size.
    pub fn tested(&self, function: &Value) -> [&'b Value; 2] {
        let same = |f: &&Value| f[1] == *function;
        let own = self.patched().iter().find(same).expect("it is patched");
        // What another patch had put in place is what this one replaces.
        let cases = list(&self.boot.answers["cases"]).iter();
        let before = cases.take_while(|c| !std::ptr::eq(*c, self.case));
        let below = before
            .filter(|c| forced(c) && c["patch"] != self.case["patch"])
            .filter_map(|c| list(&c["patched"]).iter().find(same))
            .last();
        match below {
            Some(below) => [&below[5], &below[6]],
            None if self.unpatching() => [&own[5], &own[6]],
            None => [&own[3], &own[4]],
        }
    }

    /// Those that are of interest.
    pub fn tasks(&self) -> impl Iterator<Item = Answer<'b>> + use<'b> {
        list(&self.case["tasks"]).iter().map(Answer)
    }

    /// The task `comm`.
    pub fn task(&self, comm: &str) -> Answer<'b> {
        let found = self.tasks().find(|t| t.comm() == comm);
        found.unwrap_or_else(|| panic!("{} {}: no {comm}", self.boot.name, self.moment()))
    }
}

/// What the kernel answered of a task, and what is to be expected.
#[derive(Clone, Copy)]
pub struct Answer<'b>(pub &'b Value);

impl<'b> Answer<'b> {
    pub fn comm(self) -> &'b str {
        text(&self.0["comm"])
    }

    /// [`key`].
    pub fn key(self) -> String {
        match self.0["idle"].as_u64() {
            Some(cpu) => format!("idle{cpu}"),
            None => self.0["pid"].to_string(),
        }
    }

    pub fn expected(self) -> &'b str {
        text(&self.0["expected"])
    }

    /// The function that the kernel's debug output says that it sleeps in.
    pub fn sleeps_in(self) -> Option<&'b str> {
        let line = self.0["line"].as_str()?;
        line.split_once(" is sleeping on function ").map(|l| l.1)
    }

    /// What `expected` is about: function, via, frames in range.
    pub fn about(self) -> (Value, Value, Value) {
        let frames = self.0["frames"].as_array();
        let frames = frames.into_iter().flatten();
        let mut frames: Vec<u64> = frames.map(|f| number(&f[1]) as u64).collect();
        frames.sort_unstable();
        frames.dedup();
        let of = |key: &str| self.0[key].clone();
        (of("function"), of("via"), frames.into())
    }
}

/// What tells tasks apart: a number, or `idleN` of CPU N.
pub fn key(task: &Value) -> String {
    match task["pid"] == 0 {
        true => format!("idle{}", task["cpu"]),
        false => task["pid"].to_string(),
    }
}

fn forced(case: &Value) -> bool {
    let steps = case["steps"].as_array().into_iter().flatten();
    steps
        .filter_map(Value::as_str)
        .any(|s| s.starts_with("KLP-FORCE"))
}

/// The answers of a boot, from its console.
fn answers(dir: &Path, boot: &str) -> Value {
    let to = scratch("livepatches", &boot.replace('/', "-"));
    let [manifest, answers] = ["manifest.json", "answers.json"].map(|n| to.join(n));
    python("manifest.py", &[&manifest, dir]);
    python("answers.py", &[&manifest, boot.as_ref(), &answers]);
    read(&answers)
}

/// Runs a script of `testdata/livepatch`.
fn python(script: &str, args: &[&Path]) {
    let script = testdata("livepatch").join(script);
    let out = Command::new("python3").arg(&script).args(args).output();
    let out = out.expect("python3");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{}: {said}", script.display());
}

fn read(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The items of a list; none if it is missing.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

pub fn number(value: &Value) -> usize {
    let number = value.as_u64().expect("a number");
    usize::try_from(number).expect("small")
}
