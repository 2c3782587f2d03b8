//! The processes of a dump's tasks.

use std::collections::HashMap;

use super::{Options, Process, mapped_build_id, mappings};
use crate::base::addr::Addr;
use crate::base::error::Finding;
use crate::formats::image::Storage;
use crate::world::dump::Task;
use crate::world::dump::space::Spaces;
use crate::world::memory::Paged;

/// The processes of a dump's tasks, each once.
pub struct Processes<'a, 'd> {
    all: Vec<Process<'d, Paged<'a, 'd>>>,
    /// Which of them a task belongs to.
    by_task: HashMap<Addr, usize>,
}

impl<'a, 'd> Processes<'a, 'd> {
    /// Those of `tasks`, with the files that are mapped into them; see [`Objects::find`](super::Objects::find).
    pub(crate) fn of<'t>(
        spaces: &Spaces<'a, 'd>,
        tasks: impl Iterator<Item = &'t Task>,
        options: &Options,
        storage: &'d Storage,
    ) -> Self {
        let mut found = Processes {
            all: Vec::new(),
            by_task: HashMap::new(),
        };
        let spaces: Vec<_> = tasks
            .filter_map(|task| Some((task.address, spaces.of(task.address)?)))
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

    /// The process that `task` belongs to.
    pub(crate) fn of_task(&self, task: &Task) -> Option<&Process<'d, Paged<'a, 'd>>> {
        self.all.get(*self.by_task.get(&task.address)?)
    }

    /// What was odd with mapped files, each once.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut all: Vec<Finding> = Vec::new();
        for finding in self.all.iter().flat_map(|p| p.objects().findings()) {
            if !all.contains(&finding) {
                all.push(finding);
            }
        }
        all
    }
}
