//! Checks of the types of functions that are called through pointers (`.cfi_sites`, 6.2 on): the hash that the compiler
//! puts there, made another one at boot, or FineIBT's, of which the image has templates.

use super::form::{Form, Hole, Rule};
use super::look::Look;
use super::patch::Patch;
use super::unit::{Kind, Unit};
use crate::base::addr::{Address, LinkAddr};
use crate::formats::image::sites::{Between, Site};
use crate::formats::insn::ENDBR64;

/// Bytes from the beginning of a preamble to its function.
const BEFORE: usize = 16;
/// Bytes of the check before a call.
const CHECK: usize = 14;
/// Bytes of a preamble and its ENDBR at most.
const LONGEST: usize = 32;
/// The hash in templates.
const HASH: [u8; 4] = [0x78, 0x56, 0x34, 0x12];

/// The unit of checks that begins at `at`.
pub(super) fn unit(look: &Look<'_, '_>, at: LinkAddr) -> Option<(usize, Kind)> {
    if look.image.lists(Site::Cfi, at)? {
        let behind = look.image.code(at.offset(BEFORE as i64));
        let endbr = behind.starts_with(&ENDBR64);
        return Some((
            BEFORE + if endbr { ENDBR64.len() } else { 0 },
            Kind::Preamble,
        ));
    }
    let call = at.offset(CHECK as i64);
    let begins = look.image.code(at).starts_with(&[0x41, 0xba]);
    let checked = begins && look.image.lists(Site::Retpoline, call) == Some(true);
    checked.then_some((CHECK, Kind::Check))
}

/// `movl $hash, %reg` among NOPs; FineIBT's preamble, perhaps with what spoils arguments.
pub(super) fn preamble(look: &Look<'_, '_>, unit: &Unit) -> Vec<Form> {
    let own = look.image.code(unit.at);
    let own = &own[..own.len().min(unit.len)];
    let mut forms: Vec<Form> = unit.linked(look).into_iter().collect();
    let sealed: [&[u8]; 4] = [
        &ENDBR64,
        &[0x66, 0x0f, 0x1f, 0],
        &[0x0f, 0x1f, 0x40, 0xd6],
        &[0x90, 0x0f, 0x1f, 0],
    ];
    let with_endbr = |head: Form| {
        let tails = sealed.iter().map(move |tail| {
            let mut form = head.clone();
            form.bytes.extend_from_slice(tail);
            form
        });
        tails.filter(|f| f.bytes.len() >= unit.len).map(|mut f| {
            f.bytes.truncate(unit.len);
            f
        })
    };
    // Another hash, or none.
    if own.first().is_some_and(|op| (0xb8..0xc0).contains(op)) {
        let head = Form::new(Patch::Ibt, &own[..1]).hole(4, Rule::Any(Patch::Ibt));
        let mut head = head;
        head.bytes
            .extend_from_slice(own.get(5..BEFORE).unwrap_or_default());
        forms.extend(with_endbr(head));
    }
    let templates = look.image.between(Between::Preamble);
    if let Some((_, code)) = templates.filter(|(_, code)| code.len() <= LONGEST) {
        let mut all = vec![template(code)];
        if let Some((_, end)) = look.image.between(Between::Bhi)
            && let Some(at) = code.len().checked_sub(end.len())
        {
            all.push(template(&[&code[..at], end].concat()));
        }
        if code.len() == BEFORE + ENDBR64.len() {
            // cs cs call
            let head = template(&[&code[..9], &[0x2e, 0x2e, 0xe8]].concat());
            let mut call = head.hole(4, Rule::Any(Patch::Ibt));
            call.bytes.extend_from_slice(&code[BEFORE..]);
            all.push(call);
        }
        for form in all {
            let len = form.bytes.len();
            match len {
                n if n >= unit.len => forms.push(Form {
                    bytes: form.bytes[..unit.len].to_vec(),
                    ..form
                }),
                _ => forms.extend(with_endbr(form)),
            }
        }
    }
    forms
}

/// The compiler's check with another hash, or jumped over; FineIBT's.
pub(super) fn check(look: &Look<'_, '_>, unit: &Unit) -> Vec<Form> {
    let own = look.image.code(unit.at);
    let mut forms: Vec<Form> = unit.linked(look).into_iter().collect();
    for head in [[0x41, 0xba], [0xeb, CHECK as u8 - 2]] {
        let mut form = Form::new(Patch::Ibt, &head).hole(4, Rule::Any(Patch::Ibt));
        form.bytes
            .extend_from_slice(own.get(6..CHECK).unwrap_or_default());
        forms.push(form);
    }
    let templates = [Between::Caller, Between::Paranoid].into_iter();
    let templates = templates.filter_map(|b| look.image.between(b)?.1.get(..CHECK));
    forms.extend(templates.map(template));
    forms
}

/// `code` with any hash.
fn template(code: &[u8]) -> Form {
    let mut form = Form::new(Patch::Ibt, code);
    if let Some(at) = code.windows(4).position(|w| w == HASH) {
        let rule = Rule::Any(Patch::Ibt);
        form.holes.push(Hole { at, len: 4, rule });
    }
    form
}
