//! What a livepatch replaces, as the kernel's check looks for it on stacks: out of a dump that has the patch, or resolved
//! in the kernel's images.
//!
//! Source: `klp_check_stack_func()`, kernel/livepatch/transition.c (Linux 5.10-7.2).

use super::asked::Asked;
use crate::base::addr::{Addr, Address, LinkAddr};
use crate::engine::stack::{Frame, Place};
use crate::world::dump::livepatch::{Function, Livepatch, Patch, Target, TaskState};
use crate::world::kernel::same_name;

/// What becomes of the functions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// New code takes the place of old.
    Patching,
    /// Old code takes the place of new.
    Unpatching,
}

/// A livepatch, as far as stacks are concerned.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// The patch's module; `None` where only functions were named.
    pub patch: Option<String>,
    /// What becomes of its functions.
    pub direction: Direction,
    /// Whether the patch is loaded in the dump.
    pub loaded: bool,
    /// Whether its transition is not over there.
    pub open: bool,
    /// Whether a transition was forced there.
    pub forced: bool,
    /// Functions, in the order in which the kernel looks for them.
    pub functions: Vec<Replaced>,
}

/// A function that is replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Replaced {
    /// The module that it is in; `None` for the vmlinux.
    pub object: Option<String>,
    /// Its name.
    pub name: String,
    /// Which of the symbols of that name, from 1 on; 0 where there is but one.
    pub sympos: u64,
    /// Code that tasks may be in and that is replaced: what the kernel looks for first, then what that had replaced.
    pub code: Vec<Code>,
}

/// Code that is replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Code {
    /// Its first byte, where it runs; `None` where that is not known.
    pub start: Option<Addr>,
    /// The same in its image, by name, where that is known: logs tell no addresses.
    pub place: Option<(String, LinkAddr)>,
    /// Bytes, up to the next symbol.
    pub size: u64,
    /// The livepatch that it is of; `None` for the original.
    pub patch: Option<String>,
}

impl Code {
    /// Code of `patch`, which runs at `start`.
    pub fn at(start: Addr, size: u64, patch: Option<String>) -> Self {
        Code {
            start: Some(start),
            place: None,
            size,
            patch,
        }
    }

    /// How many bytes behind its first one the PC of `frame` is, as it stands on the stack, not the call before it; `None`
    /// before it, and where that cannot be told.
    fn offset(&self, frame: &Frame<'_>) -> Option<u64> {
        match (self.start, frame.pc) {
            (Some(start), Some(pc)) => pc.raw().since(start),
            _ => {
                let (place, (image, link)) = (frame.place.as_ref()?, self.place.as_ref()?);
                let same = same_name(&place.image, image);
                place.pc.raw().since(*link).filter(|_| same)
            }
        }
    }

    /// Whether the kernel takes the PC of `frame` for one of it.
    pub fn holds(&self, frame: &Frame<'_>) -> bool {
        self.offset(frame).is_some_and(|offset| offset < self.size)
    }

    /// Whether the PC of `frame` is right behind it.
    pub fn ends_at(&self, frame: &Frame<'_>) -> bool {
        self.offset(frame) == Some(self.size)
    }

    /// Whether it begins at `link` of the image that `place` is in.
    pub fn begins(&self, place: &Place<'_>, link: LinkAddr) -> bool {
        match (self.start, place.slide) {
            (Some(start), Some(slide)) => slide.runtime(link) == start,
            _ => self
                .place
                .as_ref()
                .is_some_and(|(image, own)| *own == link && same_name(&place.image, image)),
        }
    }
}

impl Replaced {
    /// `k_twin@lab,2`
    pub fn title(&self) -> String {
        let asked = Asked {
            name: self.name.clone(),
            object: self.object.clone(),
            sympos: self.sympos,
        };
        asked.to_string()
    }
}

/// Patches that one function may lie on; more are a circle or a lie.
const MAX_DEPTH: usize = 256;

impl Plan {
    /// Whether a task in `state` is switched already; `None` where no transition is open.
    pub fn switched(&self, state: TaskState) -> Option<bool> {
        let target = match self.direction {
            Direction::Patching => Target::Patched,
            Direction::Unpatching => Target::Unpatched,
        };
        let state = state.patch_state.filter(|_| self.open)?;
        Some(state == target.number())
    }

    /// Of number `patch` of those in a dump: what its transition looks for in `direction`.
    pub fn loaded(all: &Livepatch, patch: usize, direction: Direction) -> Option<Self> {
        let own = all.patches.get(patch)?;
        // The kernel passes over objects that are not loaded.
        let there = own.functions.iter().filter(|f| f.object_patched);
        let functions = there.map(|f| replaced(all, own, f, direction));
        Some(Plan {
            patch: Some(own.name.clone()),
            direction,
            loaded: true,
            open: all.transition == Some(patch),
            forced: own.forced == Some(true),
            functions: functions.filter(|f| !f.code.is_empty()).collect(),
        })
    }

    /// Of all patches that are loaded, each function as the newest of them has it.
    pub fn of_all(all: &Livepatch, direction: Direction) -> Self {
        let mut known = Vec::new();
        let mut functions = Vec::new();
        for own in all.patches.iter().rev() {
            let there = own.functions.iter().filter(|f| f.object_patched && !f.nop);
            for f in there {
                if f.old.is_some_and(|old| !known.contains(&old)) {
                    known.extend(f.old);
                    functions.push(replaced(all, own, f, direction));
                }
            }
        }
        let names: Vec<&str> = all.patches.iter().map(|p| p.name.as_str()).collect();
        Plan {
            patch: Some(names.join(", ")),
            direction,
            loaded: true,
            open: false,
            forced: all.patches.iter().any(|p| p.forced == Some(true)),
            functions,
        }
    }
}

fn replaced(all: &Livepatch, own: &Patch, f: &Function, direction: Direction) -> Replaced {
    let code = match direction {
        Direction::Unpatching => vec![Code::at(f.new, f.new_size, Some(own.name.clone()))],
        Direction::Patching => beneath(all, f),
    };
    Replaced {
        object: f.object.clone(),
        name: f.name.clone(),
        sympos: f.sympos,
        code,
    }
}

/// All that `f` lies on, down to the original.
fn beneath(all: &Livepatch, f: &Function) -> Vec<Code> {
    let mut code = Vec::new();
    let mut at = f;
    for _ in 0..MAX_DEPTH {
        let Some(under) = &at.beneath else { break };
        code.push(Code::at(under.addr, under.size, under.patch.clone()));
        let lower = all
            .patches
            .iter()
            .find(|p| Some(&p.name) == under.patch.as_ref());
        let same = |g: &&Function| g.new == under.addr && g.old == f.old;
        match lower.and_then(|p| p.functions.iter().find(same)) {
            Some(next) => at = next,
            None => break,
        }
    }
    // A function that is on no stack of functions has replaced nothing yet.
    if let (true, Some(start)) = (code.is_empty(), f.old) {
        code.push(Code::at(start, f.old_size, None));
    }
    code
}

/// What a function that is not patched yet would replace: what patches of a dump put in its place, the newest first, then
/// `original` itself.
pub fn stacked(all: Option<&Livepatch>, original: Code) -> Vec<Code> {
    let patches = all.into_iter().flat_map(|all| all.patches.iter().rev());
    let above = patches.flat_map(|p| {
        let mine = |f: &&Function| f.old.is_some() && f.old == original.start && f.patched;
        let own = || Some(p.name.clone());
        let found = p.functions.iter().filter(mine);
        found.map(move |f| Code::at(f.new, f.new_size, own()))
    });
    above.chain([original.clone()]).collect()
}
