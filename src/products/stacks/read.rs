//! Opening a file: what it is, which images it is of, and where they were.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::choice::{Choice, Failed, Owner, Patching, Stacks, Stage, Step, not_walked};
use super::tasks::Tasks;
use crate::base::error::{Error, ErrorKind, Finding};
use crate::base::parallel;
use crate::engine::attribute::Memo;
use crate::engine::stack::{Stop, user_stack};
use crate::engine::unwind::user::walk;
use crate::products::livepatch::module::module;
use crate::products::oops::dmesg::dmesg;
use crate::products::oops::read::report::Oops;
use crate::products::oops::read::reports;
#[cfg(feature = "json")]
use crate::products::report::snapshot;
use crate::world::dump::livepatch::{self as dumped, Livepatch};
use crate::world::dump::recovered;
use crate::world::dump::space::Spaces;
use crate::world::dump::touched::{Wanted as Touchable, touched};
use crate::world::dump::{Place, Task, World, discover, log, place};
use crate::world::image::Image;
#[cfg(feature = "json")]
use crate::world::kernel::WithText;
use crate::world::memory::{Dump, Memory};
use crate::world::process::ProcessCore;
use crate::world::session::{Noticed, Placement, Session, View, Wanted, with};

type Answer<R> = std::result::Result<R, Failed>;

impl Session {
    /// Walks the stacks of `choice` in the file `path`: a dump of a kernel, a snapshot of one, or a process's core. `tell`
    /// makes the answer of them; what outlives it is taken by [`into_owned`](crate::engine::stack::Stack::into_owned).
    ///
    /// # Errors
    /// When the file cannot be read or is none of these, its images are not found, or are proved to be others.
    pub fn stacks<R>(
        &self,
        path: &Path,
        choice: &Choice,
        tell: impl FnOnce(Stacks<'_>) -> R,
    ) -> Answer<R> {
        self.stacks_watched(path, choice, &|_| {}, tell)
    }

    /// The same, with someone who watches how far it is.
    ///
    /// # Errors
    /// As [`Session::stacks`].
    pub fn stacks_watched<R>(
        &self,
        path: &Path,
        choice: &Choice,
        watch: &(dyn Fn(Step) + Sync),
        tell: impl FnOnce(Stacks<'_>) -> R,
    ) -> Answer<R> {
        with(self, |view| {
            File {
                view,
                choice,
                watch,
                stored: Cell::new(0),
                partly: Cell::new(false),
            }
            .open(path, tell)
        })
    }
}

struct File<'a, 'd> {
    view: View<'a, 'd>,
    choice: &'a Choice,
    watch: &'a (dyn Fn(Step) + Sync),
    /// Bytes of it.
    stored: Cell<u64>,
    /// Whether something of it is left out.
    partly: Cell<bool>,
}

impl<'d> File<'_, 'd> {
    /// Says what is left out.
    fn leave_out(&self, what: String) {
        self.partly.set(true);
        let finding = Finding::about("stacks", what);
        self.view.notice(Noticed::Input {
            file: None,
            finding,
        });
    }

    /// Frames that all stacks may have.
    fn frames(&self) -> u64 {
        self.view.options().limits.frames_of(self.stored.get())
    }

    fn open<R>(&self, path: &Path, tell: impl FnOnce(Stacks<'_>) -> R) -> Answer<R> {
        let storage = self.view.storage();
        let input = Failed::at(Stage::Input);
        if !self.choice.parts.is_empty() {
            return self.dump(path, self.parts(path), tell);
        }
        if Dump::is_live(path) {
            return self.dump(path, Dump::open(path, storage), tell);
        }
        let (bytes, cut) = storage.plain_part(path).map_err(&input)?;
        if let Some(finding) = cut {
            self.partly.set(true);
            let file = Some(path.to_owned());
            self.view.notice(Noticed::Input { file, finding });
        }
        self.stored.set(bytes.len() as u64);
        #[cfg(feature = "json")]
        if snapshot::is_snapshot(bytes) {
            let found = snapshot::read_within(bytes, storage.limits())
                .map_err(|e| input(e.in_file(path)))?;
            return self.snapshot(&found, tell);
        }
        if ProcessCore::recognises(bytes) {
            let options = self.view.options().into();
            let core = ProcessCore::parse(bytes, &options, storage);
            return Ok(tell(
                self.process(&core.map_err(|e| input(e.in_file(path)))?),
            ));
        }
        let dump = Dump::parse(bytes).map(|dump| dump.within(storage.limits()));
        self.dump(path, dump, tell)
    }

    /// The dump whose first part is `path`.
    fn parts(&self, path: &Path) -> std::result::Result<Dump<'d>, Error> {
        let paths: Vec<&Path> = std::iter::once(path)
            .chain(self.choice.parts.iter().map(PathBuf::as_path))
            .collect();
        let files = paths.iter().map(|p| self.view.storage().plain(p));
        let files: Vec<&[u8]> = files.collect::<Result<_, _>>()?;
        let dump = Dump::of_parts(&files, |n| paths.get(n).copied().unwrap_or(path).to_owned());
        dump.map(|dump| dump.within(self.view.storage().limits()))
    }

    #[cfg(feature = "json")]
    fn snapshot<R>(
        &self,
        found: &snapshot::Snapshot<'_>,
        tell: impl FnOnce(Stacks<'_>) -> R,
    ) -> Answer<R> {
        let world = &found.world;
        let vmlinux = world.images.iter().find(|l| l.name == "vmlinux");
        self.images(Wanted {
            release: world.release.as_deref(),
            build_id: vmlinux.and_then(|v| v.build_id.as_deref()),
        })?;
        let mut placed = self.place(world)?;
        self.recover(world, &mut placed, &|| Box::new(&found.memory));
        let memory = || -> Box<dyn Memory + '_> {
            let memory = found.memory.clone();
            match found.without_text {
                true => Box::new(WithText {
                    memory,
                    kernel: &placed.kernel,
                }),
                false => Box::new(memory),
            }
        };
        let patching = self.patching(world, &placed, None)?;
        self.tasks(world, &placed, &memory, (None, &[]), |mut stacks| {
            stacks.livepatch = patching;
            tell(stacks)
        })
    }

    /// The livepatch that is asked about, if one is; `all` are those of the dump.
    fn patching(
        &self,
        world: &World,
        placed: &Placement<'d>,
        all: Option<Livepatch>,
    ) -> Answer<Option<Patching>> {
        let Some(wanted) = &self.choice.livepatch else {
            return Ok(None);
        };
        let patch = wanted
            .patch
            .as_ref()
            .map(|path| module(path, &placed.kernel, &self.view.options().limits));
        let module = patch.transpose().map_err(Failed::at(Stage::Patch))?;
        let mut findings: Vec<Finding> = all.iter().flat_map(|a| a.findings.clone()).collect();
        findings.extend(module.iter().flat_map(|m| m.findings.clone()));
        let states = all.iter().flat_map(|a| world.tasks.iter().zip(&a.tasks));
        Ok(Some(Patching {
            planned: wanted.plan(module.as_ref(), &placed.kernel, all.as_ref()),
            states: states.map(|(task, state)| (task.address, *state)).collect(),
            findings,
        }))
    }

    /// What is in a dump of a kernel.
    fn dump<R>(
        &self,
        path: &Path,
        dump: std::result::Result<Dump<'d>, Error>,
        tell: impl FnOnce(Stacks<'_>) -> R,
    ) -> Answer<R> {
        let input = Failed::at(Stage::Input);
        let dump = dump.map_err(|e| input(e.in_file(path)))?;
        self.stored.set(dump.stored());
        for finding in dump.findings() {
            let file = finding.place.file.is_none().then(|| path.to_owned());
            let finding = finding.clone();
            self.view.notice(Noticed::Input { file, finding });
        }
        // An image given is proved by what is in memory; only without one must the dump say what to look for.
        let release = match self.view.options().vmlinux {
            Some(_) => None,
            None => place::release(&dump),
        };
        self.images(Wanted {
            release: release.as_deref(),
            build_id: None,
        })?;
        let given = self.view.kernel();
        let vmlinux = given.vmlinux().ok_or_else(|| {
            Failed::at(Stage::Images)(Error::new(ErrorKind::NoImage, "no kernel image"))
        })?;
        let found = place::find(&dump, &vmlinux.image).map_err(&input)?;
        let world = discover(&dump, &vmlinux.image, &found).map_err(&input)?;
        let memory = || -> Box<dyn Memory + '_> { Box::new(found.memory(&dump)) };
        let mut placed = self.place(&world)?;
        self.recover(&world, &mut placed, &memory);
        let spaces = placed
            .kernel
            .vmlinux()
            .filter(|_| self.choice.user)
            .and_then(|v| Spaces::new(&dump, &v.image, &found));
        let reports = self.reports(&world, &dump, (&vmlinux.image, &found));
        let asked = (spaces.as_ref(), &reports[..]);
        let livepatches = match self.choice.livepatch {
            Some(_) => dumped::read(&dump, &vmlinux.image, &found, &world),
            None => None,
        };
        let patching = self.patching(&world, &placed, livepatches)?;
        self.tasks(&world, &placed, &memory, asked, |mut stacks| {
            stacks.livepatch = patching;
            // Walks ask for pages, too.
            let missed = dump.missed().findings();
            stacks.damaged = !missed.is_empty();
            for finding in missed {
                let file = Some(path.to_owned());
                self.view.notice(Noticed::Input { file, finding });
            }
            tell(stacks)
        })
    }

    /// The reports in the log of `dump`, if it is asked who brought the kernel down.
    fn reports(&self, world: &World, dump: &Dump<'_>, vmlinux: (&Image<'_>, &Place)) -> Vec<Oops> {
        let crashed = world.tasks.iter().any(Task::crashed);
        if !crashed || !self.choice.is_of_all(world) {
            return Vec::new();
        }
        let log = log::read(dump, Some(vmlinux));
        let limits = dump.limits();
        let steps = limits.steps_of(dump.stored());
        let reports = |log| reports::parse_within(&dmesg(&log), limits, steps).0;
        log.map_or(Vec::new(), reports)
    }

    fn images(&self, wanted: Wanted<'_>) -> Answer<()> {
        let opened = self.view.open_images(wanted);
        opened.map_err(Failed::at(Stage::Images))
    }

    fn place(&self, world: &World) -> Answer<Placement<'d>> {
        self.partly.set(self.partly.get() | world.cut);
        let placed = self.view.place(world).map_err(Failed::at(Stage::Placing))?;
        for finding in &world.findings {
            let (finding, file) = (finding.clone(), None);
            self.view.notice(Noticed::Input { file, finding });
        }
        Ok(placed)
    }

    /// Makes images of modules that the stacks lead to and that no file is at hand of.
    fn recover<'m>(
        &self,
        world: &World,
        placed: &mut Placement<'d>,
        memory: &(dyn Fn() -> Box<dyn Memory + 'm> + Sync),
    ) {
        let wanted = placed.lacking(world);
        if wanted.is_empty() {
            return;
        }
        let chosen: Vec<usize> = self.choice.tasks(world).collect();
        let wanted = Touchable::of(world, &wanted);
        let look = |memory: &mut Box<dyn Memory + 'm>, task: &usize| {
            touched(world, *task, &wanted, &**memory)
        };
        let found = parallel::map_with(&chosen, memory, look);
        let found: BTreeSet<usize> = found.into_iter().flatten().collect();
        let memory = memory();
        let limits = &self.view.options().limits;
        let mut left = limits.copied_of(self.stored.get());
        for number in found {
            let size = world.images.get(number).map_or(0, recovered::size);
            let Some(rest) = left.checked_sub(size) else {
                let what = "modules are said to be larger than they can be: not all are made of memory (limit copied)";
                self.leave_out(what.to_owned());
                break;
            };
            left = rest;
            self.view.recover(placed, world, number, &*memory);
        }
    }

    fn tasks<'m, R>(
        &self,
        world: &World,
        placed: &Placement<'d>,
        memory: &(dyn Fn() -> Box<dyn Memory + 'm> + Sync),
        (spaces, reports): (Option<&Spaces<'_, 'd>>, &[Oops]),
        tell: impl FnOnce(Stacks<'_>) -> R,
    ) -> Answer<R> {
        let tasks = Tasks {
            world,
            placed,
            memory,
            choice: self.choice,
            lines: self.view.options().lines,
            reports,
            limits: &self.view.options().limits,
            stored: self.stored.get(),
        };
        let mut stacks = tasks.walk(self.watch)?;
        if let Some(what) = stacks.short.take() {
            self.leave_out(what);
        }
        let Some(spaces) = spaces else {
            stacks.no_user = self.choice.user;
            stacks.partly = self.partly.get();
            return Ok(tell(stacks));
        };
        stacks.no_user = self.choice.snapshot.is_some();
        let processes = tasks.processes(&stacks, spaces, self.view);
        if !tasks.walk_on(&processes, &mut stacks, self.frames()) {
            let what = "all stacks have more frames than they can: the rest of them is left out (limit frames)";
            self.leave_out(what.to_owned());
        }
        stacks.partly = self.partly.get();
        Ok(tell(stacks))
    }

    /// The threads of a process.
    fn process<'p>(&self, core: &'p ProcessCore<'d>) -> Stacks<'p> {
        let lines = self.view.options().lines;
        let pids = &self.choice.pids;
        let chosen = |tid: u32| pids.is_empty() || pids.contains(&tid);
        let mut memo = Memo::default();
        let threads = core.threads().iter().filter(|t| chosen(t.tid));
        let (mut left, mut unwalked) = (self.frames(), 0);
        let all = threads.map(|thread| {
            let walked = match left {
                0 => {
                    unwalked += 1;
                    (Vec::new(), Stop::Budget)
                }
                _ => walk(core.objects(), core.memory(), &thread.regs),
            };
            left = left.saturating_sub(walked.0.len() as u64);
            let stack = user_stack(core.objects(), walked, lines, &mut memo);
            let owner = Owner {
                task: None,
                thread: Some((thread.tid, core.pid(), core.comm())),
            };
            (stack, owner)
        });
        let all: Vec<_> = all.collect();
        if unwalked > 0 {
            self.leave_out(not_walked(unwalked));
        }
        Stacks {
            partly: self.partly.get() | core.is_cut(),
            chosen: all.len(),
            all,
            of_process: true,
            odd: core.findings(),
            ..Stacks::default()
        }
    }
}
