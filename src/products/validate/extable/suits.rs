//! Whether the faulting instruction may fault, and in the way that its handler is made for.

use super::checks;
use super::place::Fault;
use crate::base::addr::{Address, LinkAddr};
use crate::formats::extable::entry::{Entry, ExType, Handler};
use crate::formats::image::ElfImage;
use crate::formats::insn::faults::{Class, Faulting, faulting};
use crate::formats::insn::sweep;
use crate::products::validate::finding::What;

/// What is wrong with the faulting instruction of `e`.
pub(super) fn fault(image: &ElfImage<'_>, e: &Entry, handler: &Handler<'_>) -> Option<Fault> {
    let own = faulting(image.code(e.insn), e.insn, image.bits())?;
    let variants = replacements(image, e.insn);
    let any = |test: &dyn Fn(&Faulting) -> bool| std::iter::once(&own).chain(&variants).any(test);
    if !any(&|i| may_fault(i.class)) {
        let what = format!("`{}` cannot fault", own.name);
        return Some((&checks::SAFE, What::Faulting, what));
    }
    let (name, wanted) = wanted(handler)?;
    let suits = |i: &Faulting| wanted.contains(&i.class);
    (!any(&suits)).then(|| {
        let what = format!("{name} is of another instruction than `{}`", own.name);
        (&checks::INSTRUCTION, What::Faulting, what)
    })
}

/// Whether an instruction of this class may raise an exception that the table is asked about.
fn may_fault(class: Class) -> bool {
    !matches!(class, Class::Safe | Class::Stack | Class::Transfer)
}

/// What alternatives may put at `at`.
fn replacements(image: &ElfImage<'_>, at: LinkAddr) -> Vec<Faulting> {
    let all = image.alternatives().covering(at).iter();
    let of = |alt: &crate::formats::image::altinstr::Alternative| {
        let offset = at.since(alt.site)?;
        let end = alt.replacement.offset(alt.replacement_len.into());
        let begins = |(place, _): &(LinkAddr, _)| place.since(alt.replacement) == Some(offset);
        let (place, _) = sweep(image, alt.replacement, end).find(begins)?;
        faulting(image.code(place), place, image.bits())
    };
    all.filter_map(of).collect()
}

/// The instructions that a handler is made for; `None` for any.
fn wanted(handler: &Handler<'_>) -> Option<(String, &'static [Class])> {
    let classes: &'static [Class] = match *handler {
        Handler::Typed { kind, .. } => match kind {
            ExType::Wrmsr | ExType::WrmsrSafe | ExType::WrmsrInMce => &[Class::WriteMsr],
            ExType::Rdmsr | ExType::RdmsrSafe | ExType::RdmsrInMce => &[Class::ReadMsr],
            ExType::PopReg => &[Class::PopSegment],
            ExType::Eretu => &[Class::ReturnFromException],
            ExType::FaultSgx => &[Class::Enclave],
            ExType::FpuRestore => &[Class::RestoreFpu],
            ExType::ClearFs => &[Class::LoadSegment],
            ExType::Zeropad => &[Class::LoadWord],
            ExType::UcopyLen => &[Class::CopyString],
            ExType::Bpf => &[Class::LoadWord, Class::Memory],
            _ => return None,
        },
        Handler::Function(name) => match name {
            "ex_handler_rdmsr_unsafe" | "ex_handler_rdmsr_fault" => &[Class::ReadMsr],
            "ex_handler_wrmsr_unsafe" | "ex_handler_wrmsr_fault" => &[Class::WriteMsr],
            "ex_handler_fprestore" => &[Class::RestoreFpu],
            "ex_handler_clear_fs" => &[Class::LoadSegment],
            "ex_handler_sgx" => &[Class::Enclave],
            _ => return None,
        },
        _ => return None,
    };
    Some((handler.name().into_owned(), classes))
}
