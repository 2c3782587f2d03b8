//! One row of ORC held against what the code says.

use super::state::{BP, Class, SP, State};
use super::value::{Known, Value};
use crate::formats::rule::{Cfa, Row, Rule, SavedBp, Shape};

/// How a row and the code contradict each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum What {
    /// The row's CFA lies so many bytes above the true one.
    Cfa(i64),
    /// The row counts from a register or word that holds no place of the frame, but this.
    NoFrame(Known),
    /// The row says that the caller's RBP is where it is not.
    Bp(SavedBp),
    /// A function returns, or goes on to another, with the stack pointer so many bytes above its return address.
    Return(i64),
    /// A function that was called begins with another row than that of a call: the row's CFA lies so many bytes above
    /// the true one.
    Entry(i64),
}

/// Bytes of a `pt_regs` before its exception frame: what a partial one lacks.
const PARTIAL: i32 = 128;

/// Holds `row`, which covers the next instruction, against what is known there, and makes what is known fit it: each
/// fault is told once.
/// `leaves`: that instruction returns, or calls within the function.
pub(super) fn judge(
    row: Option<&Row>,
    state: &mut State,
    leaves: bool,
    mut tell: impl FnMut(What),
) {
    let Some(Row::Step(rule)) = row else {
        state.class = Class::None;
        return;
    };
    let class = match rule.shape {
        Shape::Call => Class::Call,
        Shape::Regs | Shape::PartialRegs => Class::Regs,
    };
    if state.class != class || is_planted(rule, state, leaves) {
        adopt(rule, class, state);
        return;
    }
    let told = frame(rule, state, &mut tell);
    if class == Class::Call {
        let muted = told || state.skew != 0;
        saved(rule, state, muted, &mut tell);
    }
}

/// Whether the row is of a frame that the code made: it put a return address there, and is as good as called from it.
fn is_planted(rule: &Rule, state: &State, leaves: bool) -> bool {
    let Some((at, pushed)) = state.planted else {
        return false;
    };
    let top = Value::cfa(at);
    state.value_of(&rule.cfa) == top.plus(8) && state.regs[SP] == top && (pushed || leaves)
}

fn expected(rule: &Rule) -> i32 {
    match rule.shape {
        Shape::PartialRegs => PARTIAL,
        _ => 0,
    }
}

/// Whether something was told.
fn frame(rule: &Rule, state: &mut State, tell: &mut impl FnMut(What)) -> bool {
    let value = state.value_of(&rule.cfa);
    let expected = expected(rule);
    if value == Value::cfa(expected) {
        state.trusted = false;
        return false;
    }
    if value.is_cfa()
        && let Some(off) = value.off().checked_sub(expected)
        && let Some(back) = off.checked_neg()
    {
        tell(What::Cfa(off.into()));
        state.shift(back);
        return true;
    }
    let foreign = value.is_foreign();
    if foreign {
        tell(What::NoFrame(value.known()));
    }
    trust(rule, state);
    foreign
}

/// Takes the row's word for where the CFA is.
fn trust(rule: &Rule, state: &mut State) {
    if let Cfa::Register(base, by) = rule.cfa
        && let Some(by) = i32::try_from(by).ok().and_then(i32::checked_neg)
        && let Some(by) = by.checked_add(expected(rule))
        && let Some(reg) = crate::base::regs::Reg::all().position(|r| r == base.reg())
    {
        state.regs[reg] = Value::cfa(by);
    }
    state.trusted = true;
}

/// Takes the row's word for everything.
pub(super) fn adopt(rule: &Rule, class: Class, state: &mut State) {
    let skew = state.skew;
    *state = State::lost();
    state.skew = skew;
    state.class = class;
    trust(rule, state);
    if class == Class::Call {
        trust_saved(rule, state);
    }
}

fn trust_saved(rule: &Rule, state: &mut State) {
    match state.place_of(&rule.bp) {
        None => state.regs[BP] = Value::entry(BP),
        Some(at) => state.store(at, Value::entry(BP)),
    }
}

fn saved(rule: &Rule, state: &mut State, muted: bool, tell: &mut impl FnMut(What)) {
    let lost = state.regs[BP].is_foreign();
    match state.eval_bp(&rule.bp) {
        Some(true) => return,
        // Where the caller's RBP is nowhere no row could tell where: code that never comes back gives it up.
        Some(false) if rule.bp == SavedBp::Unchanged && lost && !state.keeps_bp() => {}
        Some(false) if !muted => tell(What::Bp(rule.bp)),
        _ => {}
    }
    trust_saved(rule, state);
}
