//! Livepatches written by hand: a `struct klp_patch` among the data, found by its shape.
//!
//! Source: include/linux/livepatch.h `klp_for_each_object_static`, `klp_for_each_func_static` (Linux 4.12-7.2): objects
//! end with one that has neither name nor functions, functions with one that has neither name nor code nor position. A
//! pointer to an array of such objects, in a structure that is else empty, is the patch; its `mod` is set by
//! relocation, or by the code that enables the patch.

use std::collections::BTreeSet;

use super::data::{Data, MAX_FUNCTIONS, behind};
use super::module::{Function, Module};
use super::shapes::Shapes;
use crate::base::error::Finding;
use crate::formats::image::pointers::Pointer;

/// The kernel's own `struct module`: what `mod` points to.
const THIS_MODULE: &str = ".gnu.linkonce.this_module";

/// `struct klp_patch`: `mod` at 0, `objs`; what is behind them.
const OBJECTS: u64 = 8;
const PATCH_REST: u64 = 16;

/// `struct klp_object`: `name` at 0, `funcs`; behind them callbacks, of which four are pointers, and what is behind those.
const FUNCTIONS: u64 = 8;
const CALLBACKS: u64 = 16;
const OBJECT_REST: u64 = 56;

/// `struct klp_func`: `old_name` at 0, `new_func`, `old_sympos`; what is behind them.
const NEW: u64 = 8;
const SYMPOS: u64 = 16;
const FUNCTION_REST: u64 = 24;

/// Rows that are looked at in all places that might be a patch; a module has a few thousand at most.
const MAX_ROWS: usize = 1 << 18;

/// What might be a patch.
struct Candidate {
    /// Whether its `mod` is this module.
    own: bool,
    replace: Option<bool>,
    functions: Vec<Function>,
    /// Where it stops to look like one, and how.
    odd: Vec<Finding>,
}

/// Reads the patches in `data`. Gives whether there are any.
pub(super) fn read(data: &Data<'_, '_>, shapes: Shapes, count: usize, module: &mut Module) -> bool {
    let mut left = MAX_ROWS;
    let mut found = Vec::new();
    for section in 0..count {
        let Some(s) = data.section(section) else {
            continue;
        };
        if !s.is_loaded() || s.is_text() || s.data.is_empty() || s.name == THIS_MODULE {
            continue;
        }
        for offset in data.pointers(section).into_iter().flatten().map(|p| *p.0) {
            let at = offset.checked_sub(OBJECTS);
            let at = at.map(|offset| Pointer { section, offset });
            found.extend(at.and_then(|at| candidate(data, shapes, at, &mut left)));
        }
    }
    if left == 0 {
        let what = "too many places that may be a livepatch: not all were looked at";
        module.odd(Finding::about("data", what));
    }
    // Where one says that it is of this module, the others are none.
    if found.iter().any(|c| c.own) {
        found.retain(|c| c.own);
    }
    for c in &mut found {
        module.replace = module.replace.or(c.replace);
        let room = MAX_FUNCTIONS - module.functions.len();
        module.functions.extend(c.functions.drain(..).take(room));
        c.odd.drain(..).for_each(|odd| module.odd(odd));
    }
    !found.is_empty()
}

/// What is at `at`, if it may be a patch.
fn candidate(
    data: &Data<'_, '_>,
    shapes: Shapes,
    at: Pointer,
    left: &mut usize,
) -> Option<Candidate> {
    let objects = data.pointer(behind(at, OBJECTS))?;
    data.bytes(at, shapes.patch)?;
    let own = data.is_relocated(at, 8);
    let module = data.pointer(at);
    let module = module.is_some_and(|p| data.name(p.section) == THIS_MODULE && p.offset == 0);
    if !(if own { module } else { data.is_zero(at, 8) }) {
        return None;
    }
    // Besides states, which it may have, only one bool is for it to fill in.
    let (replace, rest) = match shapes.replace {
        Some(offset) => {
            let flag = *data.bytes(behind(at, offset), 1)?.first()?;
            (Some(flag), offset.checked_add(1)?)
        }
        None => (None, PATCH_REST),
    };
    let kept = shapes.patch.checked_sub(rest)?;
    if !data.is_zero(behind(at, rest), kept) || replace.is_some_and(|flag| flag > 1) {
        return None;
    }
    let mut candidate = Candidate {
        own,
        replace: replace.map(|flag| flag == 1),
        functions: Vec::new(),
        odd: Vec::new(),
    };
    let whole = all_objects(data, shapes, objects, left, &mut candidate);
    if let Err((at, what)) = whole {
        let place = data.name(at.section);
        candidate.odd.push(Finding::new(place, at.offset, what));
    }
    // By chance little looks like names with code behind them.
    let likely = own || candidate.odd.is_empty() || !candidate.functions.is_empty();
    likely.then_some(candidate)
}

/// Where something is not as it must be, and what.
type Odd = (Pointer, &'static str);

fn all_objects(
    data: &Data<'_, '_>,
    shapes: Shapes,
    first: Pointer,
    left: &mut usize,
    candidate: &mut Candidate,
) -> Result<(), Odd> {
    let mut seen = BTreeSet::new();
    let mut at = first;
    loop {
        row(data, at, shapes.object, left)?;
        if data.is_zero(at, CALLBACKS) {
            return match at == first {
                true => Err((at, "the livepatch has no objects")),
                false => Ok(()),
            };
        }
        let name = match data.is_relocated(at, 8) {
            false => None,
            true => {
                let name = data.pointer(at).and_then(|p| data.string(p));
                Some(name.ok_or((at, "the object's name cannot be read"))?)
            }
        };
        let kept = shapes.object.saturating_sub(OBJECT_REST);
        if !data.is_zero(behind(at, OBJECT_REST), kept) {
            return Err((at, "the object is not as a module may fill it in"));
        }
        let functions = data.pointer(behind(at, FUNCTIONS));
        let functions = functions.ok_or((at, "the object's functions cannot be found"))?;
        if !seen.insert((functions.section, functions.offset)) {
            return Err((at, "the object has the functions of another"));
        }
        all_functions(data, shapes, functions, name, left, candidate)?;
        at = behind(at, shapes.object);
    }
}

fn all_functions(
    data: &Data<'_, '_>,
    shapes: Shapes,
    first: Pointer,
    object: Option<&str>,
    left: &mut usize,
    candidate: &mut Candidate,
) -> Result<(), Odd> {
    let mut at = first;
    loop {
        row(data, at, shapes.function, left)?;
        if data.is_zero(at, FUNCTION_REST) {
            return Ok(());
        }
        let name = data.pointer(at).and_then(|p| data.string(p));
        let name = name.ok_or((at, "the function's name cannot be read"))?;
        let new = data.pointer(behind(at, NEW)).and_then(|p| data.code(p));
        let new = new.ok_or((at, "what replaces the function is no code of this module"))?;
        let sympos = data.number(behind(at, SYMPOS));
        let kept = shapes.function.saturating_sub(FUNCTION_REST);
        let sympos = sympos.filter(|_| data.is_zero(behind(at, FUNCTION_REST), kept));
        let sympos = sympos.ok_or((at, "the function is not as a module may fill it in"))?;
        if candidate.functions.len() >= MAX_FUNCTIONS {
            return Err((at, "more functions than a module may replace"));
        }
        candidate.functions.push(Function {
            object: object.map(str::to_owned),
            name: name.to_owned(),
            sympos,
            new: Some(new),
            old: None,
        });
        at = behind(at, shapes.function);
    }
}

/// Looks at one more row, at `at`, of `size` bytes.
fn row(data: &Data<'_, '_>, at: Pointer, size: u64, left: &mut usize) -> Result<(), Odd> {
    *left = left.checked_sub(1).ok_or((at, "too many rows"))?;
    data.bytes(at, size)
        .is_some()
        .then_some(())
        .ok_or((at, "the section ends before the list does"))
}
