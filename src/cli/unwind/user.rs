//! User frames of dumped tasks.

use std::collections::HashMap;

use fixtrace::low::base::addr::Addr;
use fixtrace::low::base::error::Finding;
use fixtrace::low::engine::attribute::Memo;
use fixtrace::low::engine::stack::{Stack, user_stack};
use fixtrace::low::engine::unwind::user::walk;
use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::dump::Task;
use fixtrace::low::world::dump::space::Spaces;
use fixtrace::low::world::memory::Paged;
use fixtrace::low::world::process::{Options, Process, mapped_build_id, mappings};

/// The processes of a dump's tasks.
pub(super) struct Processes<'a, 'd> {
    all: Vec<Process<'d, Paged<'a, 'd>>>,
    /// Which of them a task belongs to.
    by_task: HashMap<Addr, usize>,
}

impl<'a, 'd> Processes<'a, 'd> {
    /// Those of the tasks whose stack ends in user mode.
    pub(super) fn of<'t>(
        spaces: &Spaces<'a, 'd>,
        tasks: impl Iterator<Item = (&'t Task, bool)>,
        options: &Options,
        storage: &'d Storage,
    ) -> Self {
        let mut found = Processes {
            all: Vec::new(),
            by_task: HashMap::new(),
        };
        let spaces: Vec<_> = tasks
            .filter(|(_, user)| *user)
            .filter_map(|(task, _)| Some((task.address, spaces.of(task.address)?)))
            .collect();
        // The page that a file is known by need not be present everywhere: another process may have it.
        let mut build_ids: HashMap<Addr, Vec<u8>> = HashMap::new();
        for (_, space) in &spaces {
            for (file, mapping) in space.mappings.iter().zip(mappings(space)) {
                if !build_ids.contains_key(&file.inode)
                    && mapping.offset == 0
                    && let Some(id) = mapped_build_id(&mapping, &space.memory)
                {
                    build_ids.insert(file.inode, id);
                }
            }
        }
        let mut by_mm = HashMap::new();
        for (task, space) in &spaces {
            let number = *by_mm.entry(space.mm).or_insert_with(|| {
                let mut files = mappings(space);
                for (file, mapping) in space.mappings.iter().zip(&mut files) {
                    mapping.build_id = build_ids.get(&file.inode).cloned();
                }
                let process = Process::new(&files, space.memory.clone(), options, storage);
                found.all.push(process);
                found.all.len() - 1
            });
            found.by_task.insert(*task, number);
        }
        found
    }

    /// Walks on in user mode, where `stack`, which is of `task`, comes from there.
    pub(super) fn walk<'p>(
        &'p self,
        task: &Task,
        stack: &mut Stack<'p>,
        lines: bool,
        memo: &mut Memo<'p, 'd>,
    ) {
        let number = self.by_task.get(&task.address);
        let process = number.and_then(|n| self.all.get(*n));
        if let (Some(process), Some(user)) = (process, &mut stack.user) {
            let walked = walk(process.objects(), process.memory(), &user.regs);
            let mut own = user_stack(process.objects(), walked, lines, memo);
            for frame in &mut own.frames {
                frame.stack = Some("USER".into());
            }
            user.stack = Some(Box::new(own));
        }
    }

    /// What was odd with mapped files, each once.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut all: Vec<Finding> = Vec::new();
        for finding in self.all.iter().flat_map(|p| p.objects().findings()) {
            if !all.contains(&finding) {
                all.push(finding);
            }
        }
        all
    }
}
