//! A stack.

use fixtrace::low::engine::verdicts::Verdicts;
use fixtrace::low::products::report::json;
use fixtrace::low::products::stacks::Owner;
use fixtrace::{Stack as Found, live};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

use crate::frame::Frame;
use crate::twin::object;

/// Frames, innermost first, why there are no more, and what is held of them.
#[pyclass(frozen, module = "fixtrace")]
pub struct Stack(pub Found);

#[pymethods]
impl Stack {
    /// The frames, those of user mode last.
    #[getter]
    fn frames(&self) -> Vec<Frame> {
        self.0.all_frames().cloned().map(Frame).collect()
    }

    /// Why there are no more frames: `end`, `user-mode`, `unreadable`, …
    #[getter]
    fn stop(&self) -> &'static str {
        self.0.last_stop().name()
    }

    /// The same in words.
    #[getter]
    fn stop_detail(&self) -> String {
        self.0.end()
    }

    /// Whether the kernel would call its trace reliable; None where that cannot be decided.
    #[getter]
    fn reliable(&self) -> Option<bool> {
        Verdicts::of(&self.0).is_reliable()
    }

    /// Whether the outermost frame was reached, and every frame is attributed exactly.
    #[getter]
    fn complete(&self) -> bool {
        Verdicts::of(&self.0).gap.is_none()
    }

    /// What keeps it from being reliable, and from being complete.
    #[getter]
    fn why(&self) -> Option<String> {
        Verdicts::of(&self.0).why()
    }

    /// The functions that are live on it: dicts as in fixtrace.trace/1.
    #[getter]
    fn functions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let all = live(&self.0).into_iter();
        let all: Vec<_> = all.map(json::stack::LiveFunction::from).collect();
        object(py, &all)
    }

    /// It as a dict: fixtrace.trace/1, with nothing of a task.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        object(py, &json::stack::Stack::new(&self.0, Owner::default()))
    }

    /// It as a line of JSON: fixtrace.trace/1, with nothing of a task.
    fn to_json(&self) -> String {
        json::line(&json::stack::Stack::new(&self.0, Owner::default()))
    }

    fn __len__(&self) -> usize {
        self.0.all_frames().count()
    }

    fn __getitem__(&self, number: isize) -> PyResult<Frame> {
        let from = match number < 0 {
            true => number + self.__len__().cast_signed(),
            false => number,
        };
        let frame = usize::try_from(from).ok();
        let frame = frame.and_then(|n| self.0.all_frames().nth(n));
        let frame = frame.ok_or_else(|| PyIndexError::new_err("no such frame"))?;
        Ok(Frame(frame.clone()))
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<fixtrace.Stack of {}>", words(&self.0))
    }
}

/// How many frames `stack` has, and why there are no more.
pub fn words(stack: &Found) -> String {
    let (frames, stop) = (stack.all_frames().count(), stack.last_stop().name());
    format!("{frames} frames, {stop}")
}
