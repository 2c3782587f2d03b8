//! Modules of `klp-build`: rows of functions and of objects in two sections.
//!
//! Sources: include/linux/livepatch_external.h `struct klp_func_ext`, `struct klp_object_ext`, scripts/livepatch/init.c,
//! tools/objtool/klp-diff.c (Linux 7.1-7.2); the sections had other names before 7.1. Whether it replaces others its
//! code says.

use super::data::{Data, MAX_FUNCTIONS, behind};
use super::module::{Function, Module};
use crate::base::bytes::u32_at;
use crate::base::error::Finding;
use crate::formats::image::pointers::Pointer;

/// Where the objects are.
pub(super) const OBJECTS: [&str; 2] = [".init.klp_objects", "__klp_objects"];

/// `struct klp_func_ext`: `old_name` at 0, `new_func`, `sympos`; bytes.
const NEW: u64 = 8;
const SYMPOS: u64 = 16;
const FUNCTION: u64 = 24;

/// `struct klp_object_ext`: `name` at 0, `funcs`, then five words of `callbacks`, `nr_funcs`; bytes.
const FUNCTIONS: u64 = 8;
const COUNT: u64 = 56;
const OBJECT: u64 = 64;

/// Reads the objects in section number `section`, which has `size` bytes.
pub(super) fn read(data: &Data<'_, '_>, (section, size): (usize, u64), module: &mut Module) {
    let own = data.name(section);
    if size == 0 || !size.is_multiple_of(OBJECT) {
        let what = format!("{size:#x} bytes are no objects of {OBJECT} bytes each");
        module.odd(Finding::about(own, what));
    }
    for number in 0..size / OBJECT {
        let at = Pointer {
            section,
            offset: number * OBJECT,
        };
        if let Err(what) = object(data, at, module) {
            module.odd(Finding::new(own, at.offset, what));
        }
        if module.functions.len() >= MAX_FUNCTIONS {
            break;
        }
    }
}

/// Adds the functions of the object at `at`.
fn object(data: &Data<'_, '_>, at: Pointer, module: &mut Module) -> Result<(), String> {
    let name = match data.is_relocated(at, 8) {
        false => None,
        true => {
            let name = data.pointer(at).and_then(|p| data.string(p));
            Some(name.ok_or("the object's name cannot be read")?.to_owned())
        }
    };
    let count = data
        .bytes(behind(at, COUNT), 4)
        .and_then(|bytes| u32_at(bytes, 0))
        .unwrap_or_default();
    let first = data
        .pointer(behind(at, FUNCTIONS))
        .ok_or("the object's functions cannot be found")?;
    let room = data.section(first.section).map_or(0, |s| s.data.len()) as u64;
    let room = room.saturating_sub(first.offset) / FUNCTION;
    let left = (MAX_FUNCTIONS - module.functions.len()) as u64;
    let fits = u64::from(count).min(room).min(left);
    for number in 0..fits {
        let at = behind(first, number * FUNCTION);
        let what = match function(data, at, name.as_deref()) {
            Some(function) => {
                let odd = function.new.is_none();
                let what = format!("what replaces {} is no code of this module", function.name);
                module.functions.push(function);
                odd.then_some(what)
            }
            None => Some("the function's name or its position cannot be read".to_owned()),
        };
        if let Some(what) = what {
            module.odd(Finding::new(data.name(at.section), at.offset, what));
        }
    }
    match fits < count.into() {
        true => Err(format!(
            "{count} functions are not there: {fits} can be read"
        )),
        false => Ok(()),
    }
}

fn function(data: &Data<'_, '_>, at: Pointer, object: Option<&str>) -> Option<Function> {
    Some(Function {
        object: object.map(str::to_owned),
        name: data.string(data.pointer(at)?)?.to_owned(),
        sympos: data.number(behind(at, SYMPOS))?,
        new: data.pointer(behind(at, NEW)).and_then(|p| data.code(p)),
        old: None,
    })
}
