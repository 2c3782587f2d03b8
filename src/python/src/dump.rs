//! Dumps of kernels, snapshots of them, cores of processes.

use std::path::PathBuf;

use fixtrace::low::products::report::json::{self, Value};
use fixtrace::low::products::stacks::{Choice, Stacks};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::raised;
use crate::options::options;
use crate::stack::{Stack, words};
use crate::twin::object;

/// A file with stacks. It is read when its tasks are asked for.
#[pyclass(frozen, module = "fixtrace")]
pub struct Dump {
    session: fixtrace::Session,
    path: PathBuf,
    parts: Vec<PathBuf>,
}

impl Dump {
    pub fn of(session: fixtrace::Session, path: PathBuf, parts: Vec<PathBuf>) -> Self {
        Dump {
            session,
            path,
            parts,
        }
    }
}

#[pymethods]
impl Dump {
    /// The file `path`. Images are looked for by what it says, unless they are named as for a Session.
    #[new]
    #[pyo3(signature = (path, vmlinux=None, *, parts=Vec::new(), **named))]
    fn new(
        path: PathBuf,
        vmlinux: Option<PathBuf>,
        parts: Vec<PathBuf>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let options = options(vmlinux, named)?;
        Ok(Dump::of(fixtrace::Session::new(options), path, parts))
    }

    /// Its tasks, or the threads of a process, each with its stack; who brought the kernel down is first. Without a choice
    /// all of them; else those that any choice names. `user`: with what they did in user mode.
    #[pyo3(signature = (*, pids=Vec::new(), cpus=Vec::new(), comms=Vec::new(), running=false, sleeping=false,
        crashed=false, user=false))]
    #[allow(clippy::too_many_arguments)]
    fn tasks(
        &self,
        py: Python<'_>,
        pids: Vec<u32>,
        cpus: Vec<u32>,
        comms: Vec<String>,
        running: bool,
        sleeping: bool,
        crashed: bool,
        user: bool,
    ) -> PyResult<Vec<Task>> {
        let choice = Choice {
            pids,
            cpus,
            comms,
            running,
            sleeping,
            crashed,
            user,
            parts: self.parts.clone(),
            ..Choice::default()
        };
        let told = py.detach(|| self.session.stacks(&self.path, &choice, tasks));
        told.map_err(|failed| raised(&fixtrace::Error::from(failed)))
    }

    /// What was noticed since this was asked last.
    fn noticed(&self) -> Vec<String> {
        let noticed = self.session.noticed();
        noticed.iter().map(ToString::to_string).collect()
    }

    fn __repr__(&self) -> String {
        format!("<fixtrace.Dump {}>", self.path.display())
    }
}

/// The stacks, apart from what they were read from.
fn tasks(stacks: Stacks<'_>) -> Vec<Task> {
    let twins = json::stack::all(&stacks).map(|twin| json::value(&twin));
    let twins: Vec<Value> = twins.collect();
    let stacks = stacks.all.into_iter().map(|(stack, _)| stack.into_owned());
    let all = twins.into_iter().zip(stacks);
    all.map(|(twin, stack)| Task { twin, stack }).collect()
}

/// A task, or a thread of a process, with its stack.
#[pyclass(frozen, module = "fixtrace")]
pub struct Task {
    twin: Value,
    stack: fixtrace::Stack,
}

#[pymethods]
impl Task {
    /// Thread id.
    #[getter]
    fn pid(&self) -> Option<u64> {
        self.twin["pid"].as_u64()
    }

    /// Process id.
    #[getter]
    fn tgid(&self) -> Option<u64> {
        self.twin["tgid"].as_u64()
    }

    /// The CPU that it ran on last.
    #[getter]
    fn cpu(&self) -> Option<u64> {
        self.twin["cpu"].as_u64()
    }

    /// Its name.
    #[getter]
    fn comm(&self) -> Option<&str> {
        self.twin["comm"].as_str()
    }

    /// Its state, one letter.
    #[getter]
    fn state(&self) -> Option<&str> {
        self.twin["state"].as_str()
    }

    /// Whether it was running.
    #[getter]
    fn running(&self) -> Option<bool> {
        self.twin["running"].as_bool()
    }

    /// Whether it brought the kernel down.
    #[getter]
    fn crashed(&self) -> Option<bool> {
        self.twin["crashed"].as_bool()
    }

    /// Its stack.
    #[getter]
    fn stack(&self) -> Stack {
        Stack(self.stack.clone())
    }

    /// It as a dict: fixtrace.trace/1.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        object(py, &self.twin)
    }

    /// It as a line of JSON: fixtrace.trace/1.
    fn to_json(&self) -> String {
        json::line(&self.twin)
    }

    fn __repr__(&self) -> String {
        let pid = self.pid().map_or("?".to_owned(), |pid| pid.to_string());
        let comm = self.comm().unwrap_or("?");
        format!("<fixtrace.Task {pid} {comm}, {}>", words(&self.stack))
    }
}
