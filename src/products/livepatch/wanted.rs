//! What is asked about: a livepatch module, functions by name, or the transition that a dump is in; and the plan that the
//! kernel of the dump would make of it.

use std::path::PathBuf;

use super::asked::Asked;
use super::location::{Location, location, refused};
use super::module;
use super::plan::{Code, Direction, Plan, Replaced, stacked};
use super::target::{Target, resolve};
use super::unresolved::Unresolved;
use crate::formats::livepatch::Module;
use crate::world::dump::livepatch::{self as dumped, Livepatch};
use crate::world::kernel::{Kernel, same_name};

/// What is asked about.
#[derive(Clone, Default, Debug)]
pub struct Wanted {
    /// A livepatch module's file.
    pub patch: Option<PathBuf>,
    /// Functions by name.
    pub functions: Vec<Asked>,
    /// Whether the patch is to be taken away.
    pub unpatch: bool,
}

/// The plan, and what else was found.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Planned {
    /// What the kernel's check looks for.
    pub plan: Plan,
    /// What the kernel would refuse the patch for: the function, and why.
    pub refused: Vec<Refused>,
    /// Functions of modules that are not loaded, which the kernel passes over.
    pub absent: Vec<String>,
    /// Functions of which the image does not tell whether their calls can be diverted.
    pub untold: Vec<String>,
}

/// A function that the kernel refuses.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Refused {
    /// As it was asked for.
    pub function: String,
    /// Why.
    pub why: Why,
    /// What the kernel logs, where that is known.
    pub kernel: Option<String>,
}

/// Why a function is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Why {
    /// It is not found as the kernel looks for it.
    Unresolved(Unresolved),
    /// Its calls cannot be diverted.
    NoLocation,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Why::Unresolved(why) => why.fmt(f),
            Why::NoLocation => f.write_str(
                "ftrace has no place in it where calls can be diverted: it is assembler, a cold part, or must not be traced",
            ),
        }
    }
}

/// Why there is no plan.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NoPlan {
    /// Nothing was named, and no livepatch is loaded in the dump.
    NotAny,
    /// The kernel has no livepatches, or its image does not tell where they are.
    NoLivepatch,
    /// What is to be taken away is not loaded.
    NotLoaded,
    /// The module is no livepatch, or nothing tells what it replaces.
    NoPatch,
}

impl std::fmt::Display for NoPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NoPlan::NotAny => f.write_str("no livepatch is loaded in the dump"),
            NoPlan::NoLivepatch => f.write_str(
                "nothing is known of livepatches in the dump: its kernel has none, or its image does not tell where they are",
            ),
            NoPlan::NoPatch => f.write_str(
                "the module named is no livepatch, or nothing tells what it replaces",
            ),
            NoPlan::NotLoaded => f.write_str("that livepatch is not loaded in the dump"),
        }
    }
}

impl Planned {
    /// `plan`, with nothing to say against it.
    fn new(plan: Plan) -> Self {
        Planned {
            plan,
            refused: Vec::new(),
            absent: Vec::new(),
            untold: Vec::new(),
        }
    }
}

impl Wanted {
    /// What `kernel`, whose dump has the livepatches `all`, would make of it. `module` is what was read of `patch`.
    ///
    /// # Errors
    /// When it is about what the dump has not.
    pub fn plan(
        &self,
        module: Option<&Module>,
        kernel: &Kernel<'_>,
        all: Option<&Livepatch>,
    ) -> Result<Planned, NoPlan> {
        let own = |name: &str| {
            let patches = all.map_or(&[][..], |all| &all.patches);
            patches.iter().position(|p| same_name(&p.name, name))
        };
        let loaded = match module {
            Some(module) => own(&module.name),
            None if self.functions.is_empty() => {
                let all = all.ok_or(NoPlan::NoLivepatch)?;
                match all.transition {
                    None if all.patches.is_empty() => return Err(NoPlan::NotAny),
                    // Who is still in code that was replaced, though all transitions are over?
                    None => return Ok(Planned::new(Plan::of_all(all, self.direction(all, false)))),
                    open => open,
                }
            }
            None => None,
        };
        if let (Some(all), Some(number)) = (all, loaded) {
            let direction = self.direction(all, all.transition == Some(number));
            if let Some(plan) = Plan::loaded(all, number, direction) {
                return Ok(Planned::new(plan));
            }
        }
        if module.is_some_and(|m| m.functions.is_empty()) {
            return Err(NoPlan::NoPatch);
        }
        if self.unpatch {
            return Err(NoPlan::NotLoaded);
        }
        Ok(self.resolved(module, kernel, all))
    }

    /// What becomes of patches that are loaded, in the transition that is `open`, if it is theirs.
    fn direction(&self, all: &Livepatch, open: bool) -> Direction {
        match all.target.filter(|_| open) {
            _ if self.unpatch => Direction::Unpatching,
            Some(dumped::Target::Unpatched) => Direction::Unpatching,
            _ => Direction::Patching,
        }
    }

    /// What would be found if it were loaded.
    fn resolved(
        &self,
        module: Option<&Module>,
        kernel: &Kernel<'_>,
        all: Option<&Livepatch>,
    ) -> Planned {
        let of_module = module.into_iter().flat_map(module::asked);
        let mut planned = Planned::new(Plan {
            patch: module.map(|m| m.name.clone()),
            direction: Direction::Patching,
            loaded: false,
            open: false,
            forced: false,
            functions: Vec::new(),
        });
        for asked in of_module.chain(self.functions.iter().cloned()) {
            match resolve(kernel, &asked) {
                Ok(target) => {
                    let image = kernel.image(&target.image).map(|p| &p.image);
                    let found = image.map(|image| (location(image, &target), image));
                    match found {
                        Some((Location::Nowhere, image)) => planned.refused.push(Refused {
                            function: asked.to_string(),
                            why: Why::NoLocation,
                            kernel: Some(refused(image, &asked.name)),
                        }),
                        Some((Location::At(_), _)) => {}
                        Some((Location::Unknown, _)) | None => {
                            planned.untold.push(asked.to_string());
                        }
                    }
                    planned.plan.functions.push(function(&asked, &target, all));
                }
                // Of a module that is not loaded the kernel waits for it; at hand it would be if it were.
                Err(Unresolved::NoImage) if asked.object.is_some() => {
                    planned.absent.push(asked.to_string());
                }
                Err(why) => planned.refused.push(Refused {
                    function: asked.to_string(),
                    kernel: why.kernel(&asked),
                    why: Why::Unresolved(why),
                }),
            }
        }
        if let (Some(true), Some(all)) = (module.and_then(|m| m.replace), all) {
            put_back(&mut planned.plan, all);
        }
        planned
    }
}

/// Adds what earlier patches replaced and a patch that takes their place does not: the kernel puts it back, and looks for
/// their code (`klp_add_nops()`, kernel/livepatch/core.c, Linux 5.1-7.2).
fn put_back(plan: &mut Plan, all: &Livepatch) {
    for f in all.patches.iter().rev().flat_map(|p| &p.functions) {
        let Some(old) = f.old.filter(|_| f.patched) else {
            continue;
        };
        let known = |r: &Replaced| r.code.last().is_some_and(|c| c.start == Some(old));
        let mut code = stacked(Some(all), Code::at(old, f.old_size, None));
        // The original is what it becomes.
        code.pop();
        let same = |r: &Replaced| r.code == code;
        if !plan.functions.iter().any(|r| known(r) || same(r)) {
            plan.functions.push(Replaced {
                object: f.object.clone(),
                name: f.name.clone(),
                sympos: f.sympos,
                code,
            });
        }
    }
}

/// What is replaced at `target`.
fn function(asked: &Asked, target: &Target, all: Option<&Livepatch>) -> Replaced {
    let original = Code {
        start: target.addr,
        place: Some((target.image.clone(), target.link)),
        size: target.size,
        patch: None,
    };
    Replaced {
        object: asked.object.clone(),
        name: asked.name.clone(),
        sympos: asked.sympos,
        code: stacked(all, original),
    }
}
