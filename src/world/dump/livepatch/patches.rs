//! The lists of patches, of their objects, of the functions of those, and of the functions that replace one.

use std::collections::BTreeMap;

use super::patch::{Beneath, Function, Patch};
use crate::base::addr::{Addr, Address};
use crate::base::error::Finding;
use crate::formats::types::Field;
use crate::world::dump::read::{Read, Reader};

/// Elements of all lists together that are read; more are a lie.
const MAX_ELEMENTS: usize = 1 << 16;

/// Oddities that are told of; of more it is said that there are more.
const MAX_FINDINGS: usize = 16;

/// Bytes of a name with its end: `KSYM_NAME_LEN` (128 before 6.1).
const MAX_NAME: u64 = 512;

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) patches: Vec<Patch>,
    /// Where each is.
    pub(super) places: Vec<Addr>,
    pub(super) findings: Vec<Finding>,
    /// Elements of lists that were read.
    elements: usize,
}

impl Found {
    /// Notes what is odd.
    pub(super) fn odd(&mut self, what: String) {
        let what = match self.findings.len() {
            0..MAX_FINDINGS => what,
            MAX_FINDINGS => "more could not be read".to_owned(),
            _ => return,
        };
        self.findings.push(Finding::about("livepatches", what));
    }

    /// The elements of a list, as long as all lists together are not longer than can be.
    fn list(&mut self, r: &Reader<'_, '_>, head: Addr, member: u64) -> Vec<Addr> {
        if self.elements >= MAX_ELEMENTS {
            return Vec::new();
        }
        let (mut all, broken) = r.list(head, member);
        if let Some(why) = broken {
            self.odd(why);
        }
        self.elements += all.len();
        if self.elements > MAX_ELEMENTS {
            all.truncate(all.len() - (self.elements - MAX_ELEMENTS));
            self.elements = MAX_ELEMENTS;
            self.odd(format!(
                "there are more than {MAX_ELEMENTS} patches, objects and functions: the rest is left out"
            ));
        }
        all
    }
}

/// Where the members are.
struct Layout {
    module: Field,
    module_name: Field,
    patch_link: u64,
    objects: u64,
    object_link: u64,
    object_name: Field,
    object_patched: Field,
    functions: u64,
    function_link: u64,
    name: Field,
    sympos: Field,
    old: Field,
    old_size: Field,
    new: Field,
    new_size: Field,
    /// Since 5.1.
    nop: Option<Field>,
    patched: Field,
    transition: Field,
    /// The list of those that replace the same function.
    stack_link: u64,
    ops_link: u64,
    stack: u64,
}

impl Layout {
    fn of(r: &Reader<'_, '_>) -> Option<Self> {
        let (patch, object) = ("klp_patch", "klp_object");
        let function = |name| r.types.field("klp_func", name);
        Some(Layout {
            module: r.types.field(patch, "mod")?,
            module_name: r.types.field("module", "name")?,
            patch_link: r.types.offset(patch, "list")?,
            objects: r.types.offset(patch, "obj_list")?,
            object_link: r.types.offset(object, "node")?,
            object_name: r.types.field(object, "name")?,
            object_patched: r.types.field(object, "patched")?,
            functions: r.types.offset(object, "func_list")?,
            function_link: r.types.offset("klp_func", "node")?,
            name: function("old_name")?,
            sympos: function("old_sympos")?,
            old: function("old_func")?,
            old_size: function("old_size")?,
            new: function("new_func")?,
            new_size: function("new_size")?,
            nop: function("nop"),
            patched: function("patched")?,
            transition: function("transition")?,
            stack_link: r.types.offset("klp_func", "stack_node")?,
            ops_link: r.types.offset("klp_ops", "node")?,
            stack: r.types.offset("klp_ops", "func_stack")?,
        })
    }
}

/// Reads the patches on the list at `head`; the stacks of functions are on the list at `stacks`. `None` where the types
/// do not describe them.
pub(super) fn find(r: &Reader<'_, '_>, head: Addr, stacks: Addr) -> Option<Found> {
    let layout = Layout::of(r)?;
    let mut found = Found::default();
    // Where functions are, and of which patches.
    let mut owners = BTreeMap::new();
    let mut places: Vec<Vec<Addr>> = Vec::new();
    for at in found.list(r, head, layout.patch_link) {
        let (patch, functions) = patch(r, &layout, at, &mut found);
        let owner = found.patches.len();
        for (number, place) in functions.iter().enumerate() {
            owners.insert(*place, (owner, number));
        }
        places.push(functions);
        found.patches.push(patch);
        found.places.push(at);
    }
    for ops in found.list(r, stacks, layout.ops_link) {
        let head = ops.offset(layout.stack.cast_signed());
        let stack = found.list(r, head, layout.stack_link);
        for (number, place) in stack.iter().enumerate() {
            let Some((patch, function)) = owners.get(place).copied() else {
                found.odd(format!(
                    "the function at {place} replaces another, and is of no livepatch"
                ));
                continue;
            };
            let below = stack.get(number + 1);
            let below = below.map(|place| owners.get(place).copied());
            let beneath = beneath(&found.patches, (patch, function), below);
            let here = found.patches.get_mut(patch);
            if let Some(here) = here.and_then(|p| p.functions.get_mut(function)) {
                here.beneath = beneath;
            }
        }
    }
    Some(found)
}

/// What function `this` lies on: the one `below`, `None` where it is the last. A function is its patch's number and its
/// own in that; one that is of no patch is not known.
fn beneath(
    patches: &[Patch],
    this: (usize, usize),
    below: Option<Option<(usize, usize)>>,
) -> Option<Beneath> {
    let get = |(patch, function): (usize, usize)| {
        let patch = patches.get(patch)?;
        Some((patch, patch.functions.get(function)?))
    };
    match below {
        None => {
            let (_, own) = get(this)?;
            Some(Beneath {
                addr: own.old?,
                size: own.old_size,
                patch: None,
            })
        }
        Some(below) => {
            let (patch, function) = get(below?)?;
            Some(Beneath {
                addr: function.new,
                size: function.new_size,
                patch: Some(patch.name.clone()),
            })
        }
    }
}

/// The patch at `at`, and where each of its functions is.
fn patch(r: &Reader<'_, '_>, layout: &Layout, at: Addr, found: &mut Found) -> (Patch, Vec<Addr>) {
    // Two of them are newer than the rest: since 4.19 and 5.1.
    let flag = |name| {
        let value = r.get(at, r.types.field("klp_patch", name)?).ok()?;
        Some(value != 0)
    };
    let module = r.get(at, layout.module).map(Addr);
    let name = module.and_then(|module| {
        let field = layout.module_name;
        r.text(module.offset(field.offset.cast_signed()), field.size)
    });
    if let Err(why) = name {
        found.odd(format!("the name of the livepatch at {at}: {why}"));
    }
    let mut patch = Patch {
        name: name.unwrap_or_else(|_| "?".to_owned()),
        enabled: flag("enabled"),
        forced: flag("forced"),
        replace: flag("replace"),
        functions: Vec::new(),
    };
    let mut places = Vec::new();
    let head = at.offset(layout.objects.cast_signed());
    for at in found.list(r, head, layout.object_link) {
        let (name, patched) = match object(r, layout, at) {
            Ok(read) => read,
            Err(why) => {
                found.odd(format!("the object at {at} of {}: {why}", patch.name));
                continue;
            }
        };
        let head = at.offset(layout.functions.cast_signed());
        for place in found.list(r, head, layout.function_link) {
            match function(r, layout, place) {
                Ok(read) => {
                    places.push(place);
                    patch.functions.push(Function {
                        object: name.clone(),
                        object_patched: patched,
                        ..read
                    });
                }
                Err(why) => found.odd(format!("the function at {place} of {}: {why}", patch.name)),
            }
        }
    }
    (patch, places)
}

/// Name of the object at `at`, and whether its functions are patched.
fn object(r: &Reader<'_, '_>, layout: &Layout, at: Addr) -> Read<(Option<String>, bool)> {
    let name = match r.get(at, layout.object_name)? {
        0 => None,
        name => Some(r.string(Addr(name), MAX_NAME)?),
    };
    Ok((name, r.get(at, layout.object_patched)? != 0))
}

/// The function at `at`, but for what its object is and what it lies on.
fn function(r: &Reader<'_, '_>, layout: &Layout, at: Addr) -> Read<Function> {
    let flag = |field| r.get(at, field).map(|value| value != 0);
    let old = Addr(r.get(at, layout.old)?);
    Ok(Function {
        object: None,
        name: r.string(Addr(r.get(at, layout.name)?), MAX_NAME)?,
        sympos: r.get(at, layout.sympos)?,
        old: Some(old).filter(|old| *old != Addr(0)),
        old_size: r.get(at, layout.old_size)?,
        new: Addr(r.get(at, layout.new)?),
        new_size: r.get(at, layout.new_size)?,
        nop: layout.nop.map_or(Ok(false), flag)?,
        patched: flag(layout.patched)?,
        transition: flag(layout.transition)?,
        object_patched: false,
        beneath: None,
    })
}
