//! A frame.

use fixtrace::low::products::report::json;
use fixtrace::{Frame as Found, Pc};
use pyo3::prelude::*;

use crate::twin::object;

/// Where something was running, and which function that is. What it says is made when it is asked for.
#[pyclass(frozen, module = "fixtrace")]
pub struct Frame(pub Found);

#[pymethods]
impl Frame {
    /// Runtime address; None where an image is known, and not where it was.
    #[getter]
    fn pc(&self) -> Option<u64> {
        self.0.pc.map(|pc| pc.raw().0)
    }

    /// Whether the PC is a return address.
    #[getter]
    fn is_return(&self) -> bool {
        let place = self.0.place.as_ref().map(|p| p.pc);
        matches!(self.0.pc, Some(Pc::Return(_))) || matches!(place, Some(Pc::Return(_)))
    }

    /// Link address in `image`; None for a PC in no image.
    #[getter]
    fn address(&self) -> Option<u64> {
        self.0.place.as_ref().map(|p| p.pc.raw().0)
    }

    /// `vmlinux`, a module's name, or a path.
    #[getter]
    fn image(&self) -> Option<&str> {
        self.0.place.as_ref().map(|p| &*p.image)
    }

    /// The function, if it is known.
    #[getter]
    fn function(&self) -> Option<String> {
        self.twin().function.map(|f| f.into_owned())
    }

    /// The source-level function of a `.part`, `.isra` or `.constprop` clone.
    #[getter]
    fn parent(&self) -> Option<String> {
        self.twin().parent.map(|f| f.into_owned())
    }

    /// All functions that it may be.
    #[getter]
    fn candidates(&self) -> Vec<String> {
        let all = self.twin().candidates.into_iter();
        all.map(|f| f.into_owned()).collect()
    }

    /// `exact`, `ambiguous` or `unknown`.
    #[getter]
    fn certainty(&self) -> &'static str {
        self.0.attribution.certainty.name()
    }

    /// How the function is known: `symbol`, `cold`, `fixup`, …
    #[getter]
    fn basis(&self) -> &'static str {
        self.0.attribution.basis.name()
    }

    /// How the PC was obtained: `registers`, `orc+cfi`, `text`, …
    #[getter]
    fn trust(&self) -> &'static str {
        self.twin().trust
    }

    /// What others print: name, offset, and size in bytes, which is None for a label.
    #[getter]
    fn symbol(&self) -> Option<(&str, u64, Option<u64>)> {
        let nearest = self.0.attribution.nearest.as_ref()?;
        Some((&nearest.name, nearest.offset, nearest.size))
    }

    /// The fixup that the PC is in: a dict as in fixtrace.frame/1, or None.
    #[getter]
    fn fixup<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        object(py, &self.twin().fixup)
    }

    /// Inlined calls with their source lines, innermost first: dicts as in fixtrace.frame/1.
    #[getter]
    fn inlines<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        object(py, &self.twin().inlines)
    }

    /// What else was noticed.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.twin().notes
    }

    /// The frame's address: the caller's stack pointer before the call.
    #[getter]
    fn cfa(&self) -> Option<u64> {
        self.0.cfa.map(|a| a.0)
    }

    /// Registers that are known here, by name; None where they were neither saved nor asked for.
    #[getter]
    fn registers(&self) -> Option<std::collections::BTreeMap<&'static str, u64>> {
        let regs = self.0.registers.as_deref()?;
        let all = fixtrace::Reg::all();
        let known = all.filter_map(|reg| Some((reg.name64(), regs.get(reg)?)));
        Some(known.collect())
    }

    /// It as a dict: fixtrace.frame/1.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        object(py, &self.twin())
    }

    /// It as a line of JSON: fixtrace.frame/1.
    fn to_json(&self) -> String {
        json::line(&self.twin())
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        let pc = self.pc().map(|pc| format!("{pc:#x}: ")).unwrap_or_default();
        format!("<fixtrace.Frame {pc}{}, {}>", self.0, self.certainty())
    }
}

impl Frame {
    fn twin(&self) -> json::frame::Frame<'_> {
        json::frame::Frame::new(&self.0, None)
    }
}
