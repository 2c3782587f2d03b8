//! Following a function from its entry, until nothing new is learned.

use super::body::Body;
use super::ground::Ground;
use super::judge::{What, adopt, judge};
use super::op::{Goes, Op, mark};
use super::state::{Class, SP, State};
use crate::base::addr::LinkAddr;
use crate::formats::rule::{Base, Cfa, Row, Shape};

/// A place where the code and a row contradict each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mismatch {
    /// The instruction before, if it is not the entry.
    pub(super) from: Option<LinkAddr>,
    /// The instruction whose row it is.
    pub(super) at: LinkAddr,
    /// Rows, by number in the body: of the instruction before, and of this one; none of a return.
    pub(super) rows: (u32, u32),
    pub(super) what: What,
    /// The function that was called just before.
    pub(super) behind: Option<LinkAddr>,
    /// Whether the row before was taken on trust.
    pub(super) trusted: bool,
}

/// What was learned of one function beside contradictions.
#[derive(Default)]
pub(super) struct Learned {
    pub(super) mismatches: Vec<Mismatch>,
    /// Functions behind whose calls code goes on.
    pub(super) calls: Vec<LinkAddr>,
    /// Functions behind whose calls there is none.
    pub(super) ended: Vec<LinkAddr>,
    /// Whether it returns, and the functions that it ends in otherwise.
    pub(super) returns: bool,
    pub(super) tails: Vec<LinkAddr>,
}

/// How often an instruction is followed at most, on average.
const ROUNDS: usize = 48;
/// Contradictions of one function: more are not told.
const MOST: usize = 256;

/// What is used again for every function.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) body: Body,
    /// By instruction: which state is known before it.
    at: Vec<u32>,
    seen: Vec<bool>,
    states: Vec<State>,
    work: Vec<u32>,
    left: usize,
    pub(super) learned: Learned,
}

const NOWHERE: u32 = u32::MAX;

impl Walk {
    /// Follows the function from `start` to `end`.
    pub(super) fn function(&mut self, ground: &Ground<'_, '_>, start: LinkAddr, end: LinkAddr) {
        if self.prepare(ground, start, end) {
            self.enter(ground);
            self.run(ground);
            self.rest(ground);
        }
    }

    /// Follows a part of a function to which no way is known.
    pub(super) fn part(&mut self, ground: &Ground<'_, '_>, start: LinkAddr, end: LinkAddr) {
        if self.prepare(ground, start, end) {
            self.rest(ground);
        }
    }

    fn prepare(&mut self, ground: &Ground<'_, '_>, start: LinkAddr, end: LinkAddr) -> bool {
        self.body.fill(ground, start, end);
        let len = self.body.ops.len();
        self.at.clear();
        self.at.resize(len, NOWHERE);
        self.seen.clear();
        self.seen.resize(len, false);
        self.states.clear();
        self.work.clear();
        self.left = len.saturating_mul(ROUNDS);
        self.learned = Learned::default();
        len > 0
    }

    fn enter(&mut self, ground: &Ground<'_, '_>) {
        let mut state = State::entry();
        if ground.orc.is_some() {
            let row = self.body.row(0).map(|s| s.row);
            let called = matches!(row, Some(Row::Step(rule)) if rule.shape == Shape::Call
                && (matches!(rule.cfa, Cfa::Register(Base::Sp, _)) || self.begins_as_function()));
            if !called {
                state = State::lost();
            }
            let first = self.body.ops[0];
            let mismatches = &mut self.learned.mismatches;
            judge(row.as_ref(), &mut state, false, |what| {
                mismatches.push(Mismatch {
                    from: None,
                    at: first.at,
                    rows: (u32::MAX, first.row),
                    what: match what {
                        What::Cfa(by) => What::Entry(by),
                        what => what,
                    },
                    behind: None,
                    trusted: false,
                });
            });
        }
        self.join(0, &state);
    }

    /// Whether it begins with what compilers put before functions: assembler may begin within a frame.
    fn begins_as_function(&self) -> bool {
        let first = self.body.ops.iter().take(2);
        first.into_iter().any(|op| op.has(mark::TRACE))
    }

    /// Code that nothing known leads to: its first row is taken on trust.
    fn rest(&mut self, ground: &Ground<'_, '_>) {
        for i in 0..self.body.ops.len() as u32 {
            let op = self.body.ops[i as usize];
            if self.seen[i as usize] || op.has(mark::INSIDE) || op.goes == Goes::Stop {
                continue;
            }
            let Some(Row::Step(rule)) = self.body.row(i).map(|s| s.row) else {
                continue;
            };
            let mut state = State::lost();
            let class = match rule.shape {
                Shape::Call => Class::Call,
                _ => Class::Regs,
            };
            adopt(&rule, class, &mut state);
            self.body.ops[i as usize].marks |= mark::LEADER;
            self.join(i, &state);
            self.run(ground);
        }
    }

    fn run(&mut self, ground: &Ground<'_, '_>) {
        while let Some(first) = self.work.pop() {
            let Some(state) = self.states.get(self.at[first as usize] as usize) else {
                continue;
            };
            let mut state = state.clone();
            let mut i = first;
            while self.left > 0 {
                self.left -= 1;
                self.seen[i as usize] = true;
                let Some(next) = self.step(ground, i, &mut state) else {
                    break;
                };
                if self.body.ops[next as usize].has(mark::LEADER) {
                    self.join(next, &state);
                    break;
                }
                i = next;
            }
        }
    }

    /// Runs instruction `i`; what follows it directly, if something does.
    fn step(&mut self, ground: &Ground<'_, '_>, i: u32, state: &mut State) -> Option<u32> {
        let op = self.body.ops[i as usize];
        if op.has(mark::FAULTS) {
            self.fault(ground, i, state);
        }
        if op.has(mark::SITE) {
            self.replace(ground, i, state);
        }
        state.run(&op);
        // A return address is put in place right before it is used; what is written there earlier is some variable.
        let decides = matches!(op.goes, Goes::Branch | Goes::Call | Goes::CallThrough);
        if let (true, Some((_, false))) = (decides, state.planted) {
            state.planted = None;
        }
        let mut behind = None;
        match op.goes {
            Goes::Next => {}
            Goes::Jump => {
                self.jump(ground, i, state.clone());
                return None;
            }
            Goes::Branch => self.jump(ground, i, state.clone()),
            Goes::Call if op.has(mark::TRACE) => {}
            Goes::Call => {
                if self.inner_call(ground, i, state) || ground.ends.contains(&op.target) {
                    return None;
                }
                state.called();
                behind = Some(op.target);
            }
            Goes::CallThrough => state.called(),
            Goes::JumpThrough => {
                self.learned.returns = true;
                return None;
            }
            Goes::Return => {
                self.leave(&op, state);
                return None;
            }
            Goes::Stop => return None,
        }
        let next = self.body.behind(i);
        if let Some(target) = behind {
            let goes_on = next.is_some_and(|next| {
                let stop = self.body.ops[next as usize];
                let known = matches!(self.body.row(next), Some(s) if s.row != Row::Unknown);
                (known || ground.orc.is_none()) && !is_int3(&stop)
            });
            if !goes_on {
                self.learned.ended.push(target);
                return None;
            }
            self.learned.calls.push(target);
        }
        let next = next?;
        self.edge(ground, i, next, behind, state);
        Some(next)
    }

    /// Whether a call leads into the function itself, but not to its beginning: it pushes, and goes on there.
    fn inner_call(&mut self, ground: &Ground<'_, '_>, i: u32, state: &State) -> bool {
        let op = self.body.ops[i as usize];
        let Some(to) = self.body.find(op.target).filter(|to| *to != 0) else {
            return false;
        };
        let mut state = state.clone();
        state.regs[SP] = state.regs[SP].plus(-8);
        state.spoil(state.regs[SP], 8);
        self.edge(ground, i, to, None, &mut state);
        self.join(to, &state);
        true
    }

    /// Instruction `i` jumps.
    fn jump(&mut self, ground: &Ground<'_, '_>, i: u32, mut state: State) {
        let op = self.body.ops[i as usize];
        if let Some(to) = self.body.find(op.target) {
            self.edge(ground, i, to, None, &mut state);
            self.join(to, &state);
            return;
        }
        if ground.returns.contains(&op.target) {
            self.leave(&op, &state);
            return;
        }
        self.learned.tails.push(op.target);
        if op.has(mark::INSIDE) {
            return;
        }
        // The frame stays what it was, also where the target is no function's beginning.
        let found = ground.orc.and_then(|orc| {
            let (_, entry) = orc.find(op.target)?;
            Some(Row::from_orc(&entry, orc.sp_indirect()))
        });
        match found {
            Some(Row::Step(rule)) if rule.shape == Shape::Call && state.class == Class::Call => {
                self.out(&op, &rule.cfa, &state);
            }
            Some(_) => {}
            None if ground.image.text_section(op.target).is_none() => {
                self.return_of(&op, &state);
            }
            None => {}
        }
    }

    /// The function returns.
    fn leave(&mut self, op: &Op, state: &State) {
        self.learned.returns = true;
        self.return_of(op, state);
    }

    fn return_of(&mut self, op: &Op, state: &State) {
        let row = Cfa::Register(Base::Sp, 8);
        if state.class == Class::Call && !op.has(mark::INSIDE) {
            self.out(op, &row, state);
        }
    }

    /// Execution leaves the function to where `cfa` is said of the frame.
    fn out(&mut self, op: &Op, cfa: &Cfa, state: &State) {
        if let Some(by) = state.eval_cfa(cfa).filter(|by| *by != 0) {
            self.tell(Mismatch {
                from: Some(op.at),
                at: op.at,
                rows: (op.row, u32::MAX),
                what: What::Return(by),
                behind: None,
                trusted: state.trusted,
            });
        }
    }

    fn fault(&mut self, ground: &Ground<'_, '_>, i: u32, state: &State) {
        for n in 0..self.body.faults(i).len() {
            let (_, landing, by) = self.body.faults(i)[n];
            self.left = self.left.saturating_sub(1);
            if let Some(to) = self.body.find(landing) {
                let mut state = state.clone();
                state.regs[SP] = state.regs[SP].plus(by);
                // Whether ORC fits there is a question about the exception table.
                if ground.orc.is_some() && !self.body.ops[to as usize].has(mark::INSIDE) {
                    let row = self.body.row(to).map(|s| s.row);
                    judge(row.as_ref(), &mut state, false, |_| {});
                }
                self.join(to, &state);
            }
        }
    }

    /// What alternatives may put in place of the site that begins with instruction `i`.
    fn replace(&mut self, ground: &Ground<'_, '_>, i: u32, state: &State) {
        for n in 0..self.body.alternatives(i).len() {
            let mut state = state.clone();
            match self.body.alternatives(i)[n].1 {
                Ok(first) => self.join(first, &state),
                Err(behind) => {
                    if let Some(to) = self.body.find(behind) {
                        self.edge(ground, i, to, None, &mut state);
                        self.join(to, &state);
                    }
                }
            }
        }
    }

    /// Execution goes from instruction `from` to `to`, whose row is held against `state`.
    fn edge(
        &mut self,
        ground: &Ground<'_, '_>,
        from: u32,
        to: u32,
        behind: Option<LinkAddr>,
        state: &mut State,
    ) {
        let (a, b) = (self.body.ops[from as usize], self.body.ops[to as usize]);
        let same = a.row == b.row && a.has(mark::QUIET) && state.class != Class::None;
        if ground.orc.is_none() || b.has(mark::INSIDE) || (same && !a.has(mark::INSIDE)) {
            return;
        }
        let row = self.body.row(to).map(|s| s.row);
        let trusted = state.trusted;
        let leaves = match b.goes {
            Goes::Return => true,
            Goes::Jump => self.body.find(b.target).is_none(),
            Goes::Call => self.body.find(b.target).is_some(),
            _ => false,
        };
        judge(row.as_ref(), state, leaves, |what| {
            add(
                &mut self.learned.mismatches,
                Mismatch {
                    from: Some(a.at),
                    at: b.at,
                    rows: (a.row, b.row),
                    what,
                    behind,
                    trusted,
                },
            );
        });
    }

    fn tell(&mut self, mismatch: Mismatch) {
        add(&mut self.learned.mismatches, mismatch);
    }

    /// Execution may come to instruction `to` with `state`.
    fn join(&mut self, to: u32, state: &State) {
        let slot = &mut self.at[to as usize];
        match self.states.get_mut(*slot as usize) {
            Some(known) => {
                if !known.join(state) {
                    return;
                }
            }
            None => {
                *slot = self.states.len() as u32;
                self.states.push(state.clone());
            }
        }
        self.work.push(to);
    }

    /// The state before each of the instructions at `wanted`, which are sorted, as far as the entry leads there.
    pub(super) fn states(
        &mut self,
        ground: &Ground<'_, '_>,
        wanted: &[LinkAddr],
        found: &mut dyn FnMut(LinkAddr, &State),
    ) {
        for first in 0..self.at.len() as u32 {
            let known = self.states.get(self.at[first as usize] as usize);
            let Some(mut state) = known.cloned() else {
                continue;
            };
            let mut i = first;
            loop {
                let at = self.body.ops[i as usize].at;
                if wanted.binary_search(&at).is_ok() {
                    found(at, &state);
                }
                self.work.clear();
                self.left = 1;
                match self.step(ground, i, &mut state) {
                    Some(next) if !self.body.ops[next as usize].has(mark::LEADER) => i = next,
                    _ => break,
                }
            }
        }
    }
}

fn is_int3(op: &Op) -> bool {
    op.goes == Goes::Stop && op.len == 1
}

fn add(mismatches: &mut Vec<Mismatch>, new: Mismatch) {
    let same = |m: &Mismatch| m.at == new.at && m.rows == new.rows && m.what == new.what;
    if mismatches.len() < MOST && !mismatches.iter().any(same) {
        mismatches.push(new);
    }
}
