//! Whether ORC says the same of a landing as of the faulting instruction: nothing but the handler runs in between.

use super::checks;
use crate::formats::extable::entry::{ExType, Handler};
use crate::formats::orc::{OrcEntry, OrcTable};
use crate::formats::rule::{Base, Cfa, Row};
use crate::products::validate::Outcome;
use crate::products::validate::extable::of_row;
use crate::products::validate::finding::What;
use crate::products::validate::row;
use crate::products::validate::subject::Subject;

/// Compares both rows of every landing.
pub(super) fn check(subject: &Subject<'_, '_>, done: &mut Outcome) {
    let image = subject.image;
    let Some(orc) = subject.orc() else {
        let why = "ORC is not compared: there is no table that can be used";
        return done.skipped.push(why.to_owned());
    };
    let table = image.extable();
    let (mut equal, mut by_type) = (0, 0);
    for e in table.entries() {
        let handler = table.handler(image, e);
        let in_text = |at| image.text_section(at).is_some();
        if handler.is_bpf() || !in_text(e.insn) || !in_text(e.fixup) {
            continue;
        }
        let [at, landing] = [e.insn, e.fixup].map(|at| orc.find(at).map(|(_, e)| e));
        let [before, after] = [&at, &landing].map(|e| meaning(e.as_ref(), orc));
        let due = expected(before, &handler);
        if before == after && due.is_none_or(|due| due == after) {
            equal += 1;
        } else if due.is_none_or(|due| due == after) {
            by_type += 1;
        } else {
            let told = |e: Option<OrcEntry>| e.map_or("no row".to_owned(), |e| row::told(&e));
            let pops = match due != Some(before) {
                true => ", which takes 8 bytes off the stack",
                false => "",
            };
            let what = format!(
                "the landing {} has {}, the faulting instruction {}{pops}",
                e.fixup,
                told(landing),
                told(at)
            );
            let found = of_row(&checks::ORC, image, e, What::Landing, what);
            done.findings.push(found);
        }
    }
    done.counts
        .extend([("orc_equal", equal), ("orc_by_type", by_type)]);
}

/// What a row means; no row is nothing known.
fn meaning(e: Option<&OrcEntry>, orc: &OrcTable<'_>) -> Row {
    e.map_or(Row::Unknown, |e| Row::from_orc(e, orc.sp_indirect()))
}

/// What is to be said of the landing where `before` is said of the faulting instruction; `None` for anything.
fn expected(before: Row, handler: &Handler<'_>) -> Option<Row> {
    if handler.is_transfer() {
        // The frame is another one.
        return None;
    }
    let pops = matches!(
        handler,
        Handler::Typed {
            kind: ExType::PopReg,
            ..
        }
    );
    match before {
        Row::Step(mut rule) if pops => {
            if let Cfa::Register(Base::Sp, offset) = &mut rule.cfa {
                *offset -= 8;
            }
            Some(Row::Step(rule))
        }
        before => Some(before),
    }
}
