//! Modules of `kpatch-build`: rows of functions in one section.
//!
//! Sources: kpatch, kmod/patch/kpatch-patch.h `struct kpatch_patch_func`, kmod/patch/livepatch-patch-hook.c,
//! kpatch-build/create-diff-object.c (0.3-0.9). Whether it replaces others its code says.

use super::data::{Data, MAX_FUNCTIONS, behind};
use super::module::{Function, Module, New, Old};
use crate::base::addr::LinkAddr;
use crate::base::error::Finding;
use crate::formats::image::pointers::Pointer;

/// Where the functions are.
pub(super) const FUNCTIONS: [&str; 1] = [".kpatch.funcs"];

/// `struct kpatch_patch_func`: `new_addr` at 0, `new_size`, `old_addr`, `old_size`, `sympos`, `name`, `objname`; bytes.
const NEW_SIZE: u64 = 8;
const OLD: u64 = 16;
const OLD_SIZE: u64 = 24;
const SYMPOS: u64 = 32;
const NAME: u64 = 40;
const OBJECT: u64 = 48;
const FUNCTION: u64 = 56;

/// Reads the functions in section number `section`, which has `size` bytes.
pub(super) fn read(data: &Data<'_, '_>, (section, size): (usize, u64), module: &mut Module) {
    let own = data.name(section);
    // Up to 0.2 there was no position, and the name stood in its place.
    let at = |offset| Pointer { section, offset };
    if data.is_relocated(at(SYMPOS), 8) {
        let what = "functions without a position, as kpatch-build up to 0.2 has them, are not read";
        return module.odd(Finding::about(own, what));
    }
    if size == 0 || !size.is_multiple_of(FUNCTION) {
        let what = format!("{size:#x} bytes are no functions of {FUNCTION} bytes each");
        module.odd(Finding::about(own, what));
    }
    for number in 0..size / FUNCTION {
        let at = at(number * FUNCTION);
        if number >= MAX_FUNCTIONS as u64 {
            let what = format!("more than {MAX_FUNCTIONS} functions");
            return module.odd(Finding::new(own, at.offset, what));
        }
        let what = match function(data, at) {
            Some(function) => {
                let odd = function.new.is_none();
                let what = format!("what replaces {} is no code of this module", function.name);
                module.functions.push(function);
                odd.then_some(what)
            }
            None => Some("the function's name, object or numbers cannot be read".to_owned()),
        };
        if let Some(what) = what {
            module.odd(Finding::new(own, at.offset, what));
        }
    }
}

fn function(data: &Data<'_, '_>, at: Pointer) -> Option<Function> {
    let string = |by| data.string(data.pointer(behind(at, by))?);
    let number = |by| data.number(behind(at, by));
    let (object, new_size) = (string(OBJECT)?, number(NEW_SIZE)?);
    let new = data.pointer(at).and_then(|p| data.code(p));
    Some(Function {
        object: Some(object.to_owned()).filter(|name| name != "vmlinux"),
        name: string(NAME)?.to_owned(),
        sympos: number(SYMPOS)?,
        new: new.map(|new| New {
            size: Some(new_size),
            ..new
        }),
        old: Some(Old {
            address: LinkAddr(number(OLD)?),
            size: number(OLD_SIZE)?,
        }),
    })
}
