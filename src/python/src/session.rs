//! A session.

use std::path::PathBuf;

use fixtrace::low::engine::ask::Walk;
use fixtrace::low::world::dump::{Context, Stack as Bounds, StackKind, Start};
use fixtrace::{Addr, Manner, Pc, Reg, Regs};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::dump::Dump;
use crate::errors::raised;
use crate::frame::Frame;
use crate::log::{self, Text};
use crate::memory::Read;
use crate::options::options;
use crate::stack::Stack;

/// Images of one kernel, opened when they are needed. One session serves many threads.
///
/// Session(vmlinux=None, **options)
///
/// vmlinux           the kernel's image: ELF, also packed, a bzImage, or an index of one
/// symbols           its symbols from a System.map or /proc/kallsyms instead of its own
/// modules           modules to open: paths, or pairs of a path and the runtime address where its core text begins
/// modules_dirs      directories that are searched for modules, with all below them
/// debug_dirs        directories laid out as /usr/lib/debug, which is the one that is looked in unless told
/// debuginfod_cache  the cache of debuginfod
/// sysroot           below what files of processes lie, when they are of another machine
/// index             directory of indexes: an image is read out of its index where there is one
/// write_indexes     whether an image that has none gets one
/// index_size        bytes that all indexes there may take (4 GiB)
/// slide             runtime minus link address of the kernel, where the input does not tell
/// release, build_id what image is looked for when none is named
/// force             whether images are used that are proved to be others
/// lines             whether answers have source lines (True)
/// details           whether noticed() tells details, too
/// limits            what inputs may cost, by the names of the program's --limit: {"work": 128, "unpacked": "8G"}
///
/// Nothing else decides: no environment is read.
#[pyclass(frozen, module = "fixtrace")]
pub struct Session(fixtrace::Session);

#[pymethods]
impl Session {
    #[new]
    #[pyo3(signature = (vmlinux=None, **named))]
    fn new(
        py: Python<'_>,
        vmlinux: Option<PathBuf>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let options = options(vmlinux, named)?;
        let opened = py.detach(|| options.open());
        Ok(Session(opened.map_err(|e| raised(&e))?))
    }

    /// The function at a runtime address. `is_return`: it is a return address, and the call before it is meant. `caller`:
    /// the return address of the next frame outwards, a witness where a fixup is shared.
    #[pyo3(signature = (pc, *, is_return=false, caller=None))]
    fn attribute(&self, py: Python<'_>, pc: u64, is_return: bool, caller: Option<u64>) -> Frame {
        let pc = exact(pc, is_return);
        Frame(py.detach(|| self.0.attribute_called(pc, caller.map(Addr))))
    }

    /// The same for many addresses, in the order asked; made by all processors.
    #[pyo3(signature = (pcs, *, is_return=false))]
    fn attribute_many(&self, py: Python<'_>, pcs: Vec<u64>, is_return: bool) -> Vec<Frame> {
        let pcs: Vec<_> = pcs.into_iter().map(|pc| exact(pc, is_return)).collect();
        let found = py.detach(|| self.0.attribute_many(&pcs));
        found.into_iter().map(Frame).collect()
    }

    /// The places that `text` may mean: an address, `symbol+offset/size`, `module:symbol`.
    fn find(&self, py: Python<'_>, text: &str) -> PyResult<Vec<Frame>> {
        let found = py.detach(|| self.0.find(text)).map_err(|e| raised(&e))?;
        Ok(found.into_iter().map(Frame).collect())
    }

    /// The stack of a CPU with `regs`, by name (`rip` and `rsp` at least), in the memory that `read(address, length)` gives:
    /// bytes, or None where there are none. What `read` raises is raised. `is_return`: RIP is a return address, as that of
    /// a task that sleeps. `stack`: the lowest address of the task's stack and the one past its end, beyond which no frame
    /// is looked for. `running`: the task ran, whose stack the kernel itself would not walk. `unlisted`:
    /// there may be code that no image is of, of modules or made at run time.
    #[pyo3(signature = (regs, read, *, is_return=false, stack=None, running=false, unlisted=false, max_frames=None,
        registers=false))]
    #[allow(clippy::too_many_arguments)]
    fn unwind(
        &self,
        py: Python<'_>,
        regs: &Bound<'_, PyAny>,
        read: Py<PyAny>,
        is_return: bool,
        stack: Option<(u64, u64)>,
        running: bool,
        unlisted: bool,
        max_frames: Option<u32>,
        registers: bool,
    ) -> PyResult<Stack> {
        let start = Start {
            regs: registers_of(regs)?,
            exact: !is_return,
        };
        let plain = Walk::default();
        let walk = Walk {
            max_frames: max_frames.unwrap_or(plain.max_frames),
            registers,
            ..plain
        };
        let bounds = |(low, high)| Bounds {
            kind: StackKind::Task,
            low: Addr(low),
            high: Addr(high),
        };
        let context = Context {
            task: stack.map(bounds),
            running,
            unlisted,
            ..Context::default()
        };
        let memory = Read::new(read);
        let stack = py.detach(|| self.0.unwind_from(start, &memory, context, walk));
        memory.finish()?;
        Ok(Stack(stack))
    }

    /// `log` with what is true of the reports in it; text or bytes, as it was given. Deleting what was added gives it back.
    #[pyo3(signature = (log, *, code=false, verdicts=false, strip_prefixes=Vec::new()))]
    fn annotate<'py>(
        &self,
        py: Python<'py>,
        log: Text,
        code: bool,
        verdicts: bool,
        strip_prefixes: Vec<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let manner = Manner {
            strip_prefixes,
            code,
            verdicts,
        };
        let told = py.detach(|| self.0.annotate_so(log.as_ref(), manner));
        Ok(log.like(py, &told.map_err(|e| raised(&e))?))
    }

    /// The reports of `log`: dicts of fixtrace.oops/1.
    #[pyo3(signature = (log, name=None))]
    fn reports<'py>(
        &self,
        py: Python<'py>,
        log: Text,
        name: Option<String>,
    ) -> PyResult<Bound<'py, PyList>> {
        log::of(py, Some(&self.0), &log, name.as_deref())
    }

    /// The dump, snapshot or core in the file `path`. `parts`: further parts of it, where `makedumpfile --split` made
    /// several.
    #[pyo3(signature = (path, parts=Vec::new()))]
    fn dump(&self, path: PathBuf, parts: Vec<PathBuf>) -> Dump {
        Dump::of(self.0.clone(), path, parts)
    }

    /// The module called `name`: one that is open, or is found on disk now; a dict as in `images`, or None.
    fn find_module<'py>(
        &self,
        py: Python<'py>,
        name: &str,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let found = py.detach(|| self.0.find_module(name));
        found.map(|image| image_dict(py, image)).transpose()
    }

    /// The images that are open, the vmlinux first: dicts with name, path, build_id, release and slide.
    #[getter]
    fn images<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let images = self.0.images().into_iter();
        images.map(|image| image_dict(py, image)).collect()
    }

    /// The release of its kernel.
    #[getter]
    fn release(&self) -> Option<String> {
        self.0.release()
    }

    /// What was noticed since this was asked last: warnings, and details if the session was to have them.
    fn noticed(&self) -> Vec<String> {
        self.0.noticed().iter().map(ToString::to_string).collect()
    }

    fn __repr__(&self) -> String {
        let images = self.0.images();
        let names: Vec<&str> = images.iter().map(|i| &*i.name).collect();
        format!("<fixtrace.Session of {}>", names.join(", "))
    }
}

fn image_dict(py: Python<'_>, image: fixtrace::ImageInfo) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("name", image.name)?;
    dict.set_item("path", image.path)?;
    dict.set_item("build_id", image.build_id)?;
    dict.set_item("release", image.release)?;
    dict.set_item("slide", image.slide.map(|s| s.0))?;
    Ok(dict)
}

/// `pc` as it was obtained.
fn exact(pc: u64, is_return: bool) -> Pc<Addr> {
    match is_return {
        true => Pc::Return(Addr(pc)),
        false => Pc::Exact(Addr(pc)),
    }
}

/// The registers that the mapping `regs` has. Names that no walk needs are passed over.
fn registers_of(regs: &Bound<'_, PyAny>) -> PyResult<Regs> {
    let items = regs.call_method0("items")?;
    let mut found = Regs::default();
    let mut ip = None;
    for item in items.try_iter()? {
        let (name, value): (String, Bound<'_, PyAny>) = item?.extract()?;
        let name = name.to_ascii_lowercase();
        let reg = Reg::from_name(&name);
        if reg.is_none() && !matches!(&*name, "rip" | "ip" | "cs") {
            continue;
        }
        let value: u64 = value.extract().map_err(|e| {
            let what = format!("register {name} is no number of 64 bits: {e}");
            PyTypeError::new_err(what)
        })?;
        match reg {
            Some(reg) => found.set(reg, value),
            None if name == "cs" => found.cs = Some(value as u16),
            None => ip = Some(value),
        }
    }
    let missing = || PyValueError::new_err("registers without rip or rsp");
    found.ip = ip.ok_or_else(missing)?;
    found.sp().ok_or_else(missing)?;
    Ok(found)
}
