//! A process in any memory: that of a dumped task.

use super::memory::Backed;
use super::objects::{Mapping, Objects, Options, VDSO};
use crate::base::addr::Addr;
use crate::formats::image::Storage;
use crate::world::dump::space::{FileMapping, Space};
use crate::world::memory::Memory;

/// The files mapped into a process over its memory.
pub struct Process<'d, M> {
    objects: Objects<'d>,
    memory: Backed<'d, M>,
}

impl<'d, M: Memory> Process<'d, M> {
    /// Finds the files of `mappings`; see [`Objects::find`]. Pages that `memory` does not have are read from them,
    /// unless the process could write there.
    pub(crate) fn new(
        mappings: &[Mapping],
        memory: M,
        options: &Options,
        storage: &'d Storage,
    ) -> Self {
        let objects = Objects::find(mappings, &memory, options, storage);
        let memory = Backed::new(memory, objects.pieces());
        Process { objects, memory }
    }

    /// The programs and libraries found.
    pub(crate) fn objects(&self) -> &Objects<'d> {
        &self.objects
    }

    /// Its memory.
    pub(crate) fn memory(&self) -> &Backed<'d, M> {
        &self.memory
    }
}

/// The mappings of `space`, its vDSO among them.
pub(crate) fn mappings(space: &Space<'_, '_>) -> Vec<Mapping> {
    let file = |m: &FileMapping| Mapping {
        start: m.start,
        end: m.end,
        offset: m.offset,
        path: m.path.clone(),
        build_id: None,
        writable: m.writable,
    };
    let vdso = space.vdso.map(|start| Mapping {
        start,
        end: Addr(u64::MAX),
        path: VDSO.to_owned(),
        ..Mapping::default()
    });
    space.mappings.iter().map(file).chain(vdso).collect()
}
