//! What a session is to open, out of keyword arguments.

use std::path::PathBuf;

use fixtrace::low::base::addr::Slide;
use fixtrace::low::base::limits::{Limits, parse_amount};
use fixtrace::low::world::index::Cache;
use fixtrace::low::world::session::{Indexes, Options};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Bytes of all indexes in a directory, unless told.
const CACHE: u64 = 4 << 30;

/// The options that `vmlinux` and `named` say.
pub fn options(vmlinux: Option<PathBuf>, named: Option<&Bound<'_, PyDict>>) -> PyResult<Options> {
    let mut options = Options::default();
    options.vmlinux = vmlinux;
    let mut index: Option<PathBuf> = None;
    let mut most = CACHE;
    for (key, value) in named.into_iter().flat_map(|d| d.iter()) {
        let key: String = key.extract()?;
        if value.is_none() {
            continue;
        }
        match &*key {
            "vmlinux" => options.vmlinux = Some(value.extract()?),
            "symbols" => options.symbols = Some(value.extract()?),
            "modules" => {
                for module in value.try_iter()? {
                    let module = module?;
                    let (path, at) = match module.extract::<(PathBuf, Option<u64>)>() {
                        Ok(both) => both,
                        Err(_) => (module.extract::<PathBuf>()?, None),
                    };
                    options = options.module(path, at.map(Slide));
                }
            }
            "modules_dirs" => options.modules_dirs = value.extract()?,
            "debug_dirs" => options.debug_dirs = value.extract()?,
            "debuginfod_cache" => options.debuginfod_cache = Some(value.extract()?),
            "sysroot" => options.sysroot = Some(value.extract()?),
            "index" => index = Some(value.extract()?),
            "index_size" => most = value.extract()?,
            "write_indexes" => {
                options.indexes = match value.extract()? {
                    true => Indexes::UseAndWrite,
                    false => Indexes::Use,
                }
            }
            "slide" => options.slide = Some(Slide(value.extract()?)),
            "release" => options.release = Some(value.extract()?),
            "build_id" => {
                let id: String = value.extract()?;
                options.build_id = Some(bytes(&id)?);
            }
            "force" => options.force = value.extract()?,
            "lines" => options.lines = value.extract()?,
            "details" => options.details = value.extract()?,
            "limits" => limits(&mut options.limits, value.cast::<PyDict>()?)?,
            _ => {
                let what = format!("no option {key:?} (see help(fixtrace.Session))");
                return Err(PyTypeError::new_err(what));
            }
        }
    }
    options.cache = index.map(|dir| Cache { dir, max: most });
    Ok(options)
}

/// Bytes of a build-id, as digits have it.
fn bytes(id: &str) -> PyResult<Vec<u8>> {
    let digits = |at: usize| u8::from_str_radix(id.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..id.len()).step_by(2).map(digits).collect();
    bytes.ok_or_else(|| PyValueError::new_err(format!("{id:?} is no build-id")))
}

fn limits(limits: &mut Limits, named: &Bound<'_, PyDict>) -> PyResult<()> {
    for (name, amount) in named.iter() {
        // `64M` and `none`, as the program takes them, or a number.
        let (name, text) = (name.str()?.to_string(), amount.str()?.to_string());
        let amount = parse_amount(&text)
            .ok_or_else(|| PyValueError::new_err(format!("limit {name}: {text:?} is no amount")))?;
        let set = limits.set(&name, amount);
        set.map_err(|e| PyValueError::new_err(e.to_string()))?;
    }
    Ok(())
}
