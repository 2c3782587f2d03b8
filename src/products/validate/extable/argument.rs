//! The third word of a row: handler, type, and what the type is given.

use super::checks;
use super::place::Fault;
use crate::base::regs::Reg;
use crate::formats::extable::entry::{Entry, ExType, Handler, Layout, TypeWord};
use crate::products::validate::finding::What;
use crate::world::image::Image;

/// What is wrong with the handler or type of `e`.
pub(super) fn fault(
    image: &Image<'_>,
    e: &Entry,
    handler: &Handler<'_>,
    layout: Layout,
) -> Option<Fault> {
    let fault = |check, what: String| Some((check, What::Faulting, what));
    match *handler {
        Handler::Function(name) if layout == Layout::Handler12 => {
            let at = e.handler;
            if image.import(at).is_none() && image.text_section(at).is_none() {
                return fault(&checks::HANDLER, format!("the handler {at} is no code"));
            }
            if name.is_empty() {
                let around = image.name_at(at).unwrap_or("-");
                return fault(
                    &checks::HANDLER,
                    format!("the handler {at} is no function's first byte, but within {around}"),
                );
            }
            if !handler.is_known() {
                return fault(&checks::UNKNOWN, format!("the handler is {name}"));
            }
            None
        }
        Handler::Typed {
            kind: ExType::None, ..
        } => fault(&checks::NONE, "the type is EX_TYPE_NONE".to_owned()),
        Handler::Typed {
            kind: ExType::Unknown(n),
            ..
        } => fault(&checks::UNKNOWN, format!("the type is {n}")),
        Handler::Typed { kind, data } if layout == Layout::TypedB12 => {
            let unused = unused(kind, TypeWord::new(data));
            let told = |what| {
                format!(
                    "{} has no {what}, and its word is {data:#010x}",
                    kind.name()
                )
            };
            unused.and_then(|what| fault(&checks::ARGUMENT, told(what)))
        }
        _ => None,
    }
}

/// Which field of a type's word is set that its handler does not read.
fn unused(kind: ExType, word: TypeWord) -> Option<&'static str> {
    let (reg, flags, imm) = match kind {
        // `EX_DATA` of BPF, of 7.2 on, is its own.
        ExType::Bpf | ExType::Unknown(_) | ExType::None => return None,
        ExType::WrmsrSafe | ExType::RdmsrSafe => (true, true, false),
        ExType::PopReg | ExType::ImmReg | ExType::UcopyLen => (true, true, true),
        _ => (false, true, false),
    };
    let set = [
        ("register", !reg && word.reg != Reg::AX),
        ("immediate", !imm && word.imm != 0),
        ("flag", !flags && word.flags != 0),
        ("flag but to clear AX and DX", word.flags & !3 != 0),
    ];
    set.into_iter()
        .find(|(_, wrong)| *wrong)
        .map(|(what, _)| what)
}
