//! What a livepatch replaces, as the kernel's check looks for it on stacks: out of a dump that has the patch, or resolved
//! in the kernel's images.
//!
//! Source: `klp_check_stack_func()`, kernel/livepatch/transition.c (Linux 5.10-7.2).

use crate::base::addr::{Addr, Address};
use crate::world::dump::livepatch::{Function, Livepatch, Patch, Target, TaskState};

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
    /// Its first byte.
    pub start: Addr,
    /// Bytes, up to the next symbol.
    pub size: u64,
    /// The livepatch that it is of; `None` for the original.
    pub patch: Option<String>,
}

impl Code {
    /// Whether the kernel takes `pc` for one of it: as it stands on the stack, not the call before it.
    pub fn holds(&self, pc: Addr) -> bool {
        pc.since(self.start)
            .is_some_and(|offset| offset < self.size)
    }

    /// Whether `pc` is right behind it.
    pub fn ends_at(&self, pc: Addr) -> bool {
        pc.since(self.start) == Some(self.size)
    }
}

impl Replaced {
    /// `k_twin,2@lab`
    pub fn title(&self) -> String {
        let mut text = self.name.clone();
        if let Some(object) = &self.object {
            text.push('@');
            text.push_str(object);
        }
        if self.sympos > 0 {
            text.push_str(&format!(",{}", self.sympos));
        }
        text
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
}

fn replaced(all: &Livepatch, own: &Patch, f: &Function, direction: Direction) -> Replaced {
    let code = match direction {
        Direction::Unpatching => vec![Code {
            start: f.new,
            size: f.new_size,
            patch: Some(own.name.clone()),
        }],
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
        code.push(Code {
            start: under.addr,
            size: under.size,
            patch: under.patch.clone(),
        });
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
        code.push(Code {
            start,
            size: f.old_size,
            patch: None,
        });
    }
    code
}

/// What a function that is not patched yet would replace: what patches of a dump put in its place, the newest first, then
/// itself, from `start` on.
pub fn stacked(all: Option<&Livepatch>, start: Addr, size: u64) -> Vec<Code> {
    let patches = all.into_iter().flat_map(|all| all.patches.iter().rev());
    let above = patches.flat_map(|p| {
        let mine = p
            .functions
            .iter()
            .filter(move |f| f.old == Some(start) && f.patched);
        mine.map(|f| Code {
            start: f.new,
            size: f.new_size,
            patch: Some(p.name.clone()),
        })
    });
    let original = Code {
        start,
        size,
        patch: None,
    };
    above.chain([original]).collect()
}
