//! Who calls a function of an image by name, and what is made a kernel thread of.

use super::subject::Subject;
use crate::base::addr::{Address, LinkAddr};
use crate::base::bytes::{Finder, each_of_two, i32_at};
use crate::formats::insn::{self, Flow};

/// The places in the image that call or jump to `target`.
pub(super) fn callers(subject: &Subject<'_, '_>, target: LinkAddr) -> Vec<LinkAddr> {
    /// `call rel32` and `jmp rel32`
    const OPCODES: [u8; 2] = [0xe8, 0xe9];
    let mut found = Vec::new();
    for (base, code) in texts(subject) {
        for at in each_of_two(code, OPCODES) {
            let place = base.offset(at as i64);
            let distance = i32_at(code, at + 1).map(|d| place.offset(5 + i64::from(d)));
            if distance == Some(target) && begins(subject, place) {
                found.push(place);
            }
        }
    }
    found
}

/// The code of each section, and where it is.
fn texts<'d>(subject: &Subject<'_, 'd>) -> impl Iterator<Item = (LinkAddr, &'d [u8])> {
    let image = subject.image;
    image.text_sections().filter_map(|section| {
        let base = section.addr?;
        let code = image.code(base);
        Some((base, &code[..code.len().min(section.size as usize)]))
    })
}

/// Whether an instruction of the function around `place` begins there.
fn begins(subject: &Subject<'_, '_>, place: LinkAddr) -> bool {
    let symbols = subject.image.symbols();
    symbols.function(place).is_some_and(|id| {
        let (start, end) = symbols.range(id);
        let mut places = insn::sweep(subject.image, start, end).map(|(at, _)| at);
        places.any(|at| at == place)
    })
}

/// The calls that make a kernel thread whose main function begins at `main`: its address is put into the first
/// argument, and a little later there is a call of one of `makers`.
pub(super) fn threads(subject: &Subject<'_, '_>, main: LinkAddr, makers: &[&str]) -> Vec<LinkAddr> {
    /// `mov $imm32,%rdi` and `lea rel32(%rip),%rdi`
    const FORMS: [[u8; 3]; 2] = [[0x48, 0xc7, 0xc7], [0x48, 0x8d, 0x3d]];
    let mut found = Vec::new();
    for (base, code) in texts(subject) {
        for (form, relative) in FORMS.iter().zip([false, true]) {
            for at in Finder::new(form).each(code) {
                let place = base.offset(at as i64);
                let number = i32_at(code, at + 3).map(i64::from);
                let meant = number.map(|n| match relative {
                    true => place.offset(7 + n),
                    false => LinkAddr(n.cast_unsigned()),
                });
                if meant == Some(main) {
                    found.extend(call_behind(subject, place, makers));
                }
            }
        }
    }
    found
}

/// The first call behind `place`, if it is of one of `makers`.
fn call_behind(subject: &Subject<'_, '_>, place: LinkAddr, makers: &[&str]) -> Option<LinkAddr> {
    /// Instructions of a call's arguments at most.
    const ARGUMENTS: usize = 24;
    let end = place.offset(256);
    let code = insn::sweep(subject.image, place, end).take(ARGUMENTS);
    let calls = code.filter_map(|(at, i)| match i.flow {
        Flow::Call(to) => Some((at, to)),
        _ => None,
    });
    let (at, to) = calls.into_iter().next()?;
    let name = subject.image.name_at(to)?;
    makers.contains(&name).then_some(at)
}
